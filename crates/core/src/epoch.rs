//! Whether the rows that a server finds are those that it left: the rule by which a new life of
//! them, an epoch, begins. A backup that was restored, or a standby that was promoted before it had
//! everything, lacks what was ended since. Nothing of that may live again.

/// How two databases are related, by their names: parts between colons. A part that could not be
/// found out is `?`, and is like every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinship {
    /// They are one.
    Same,
    /// The same cluster and tables, in another line of time: a standby was promoted, or a backup
    /// was restored to a point in time. Nothing in the rows tells which.
    OtherTimeline,
    /// Another cluster, other tables, or another copy of a file.
    Other,
}

/// Where the line of time stands in the name of a PostgreSQL database.
const TIMELINE: usize = 4;

/// How the database of this name is related to the one of that name.
pub fn kinship(one: &str, other: &str) -> Kinship {
    let (ones, others): (Vec<_>, Vec<_>) = (one.split(':').collect(), other.split(':').collect());
    if ones.len() != others.len() {
        return Kinship::Other;
    }
    let differs = |(_, (a, b)): &(usize, (&&str, &&str))| a != b && **a != "?" && **b != "?";
    let pairs = ones.iter().zip(&others).enumerate();
    let mut different = pairs.filter(differs).map(|(place, _)| place);
    match (different.next(), different.next()) {
        (None, _) => Kinship::Same,
        (Some(TIMELINE), None) if ones.first() == Some(&"pg") => Kinship::OtherTimeline,
        (Some(_), _) => Kinship::Other,
    }
}

/// What somebody remembers who saw the rows before: a server that ran all the while, or the file
/// that stands beside a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The highest beat that was seen.
    pub beat: i64,
    /// Whether a commit was on two machines before it was confirmed.
    pub is_synchronous: bool,
}

/// What is found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The database that the rows say they stand in; nothing in a new one.
    pub stored: Option<&'a str>,
    /// The database that they stand in.
    pub standing: &'a str,
    /// The beat in the rows.
    pub beat: i64,
}

/// What it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rows are those that were left.
    Same,
    /// There was no server before.
    First,
    /// They go on in another database, and a witness vouches that nothing is missing.
    Intact,
    /// Something is missing, or nobody can say that it is not.
    Lost(Cause),
}

/// Why something counts as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The rows are older than what was seen of them.
    Older,
    /// They stand in another line of time, and nobody vouches for them.
    Unvouched,
    /// They stand in another database, or another copy of a file.
    Elsewhere,
}

impl Cause {
    /// As the trail is told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Older => "the rows are older than what was seen of them",
            Self::Unvouched => "the rows stand in another line of time",
            Self::Elsewhere => "the rows stand in another database",
        }
    }
}

/// What the rows are, by what is found and what is remembered.
pub fn judge(found: Found<'_>, witness: Option<Witness>) -> Verdict {
    if witness.is_some_and(|witness| witness.beat > found.beat) {
        return Verdict::Lost(Cause::Older);
    }
    let Some(stored) = found.stored else { return Verdict::First };
    match (kinship(stored, found.standing), witness) {
        (Kinship::Same, _) => Verdict::Same,
        // Its beat is there, and whatever was confirmed after it was on two machines.
        (Kinship::OtherTimeline, Some(Witness { is_synchronous: true, .. })) => Verdict::Intact,
        (Kinship::OtherTimeline, _) => Verdict::Lost(Cause::Unvouched),
        (Kinship::Other, _) => Verdict::Lost(Cause::Elsewhere),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "pg:7391:16384:16402:00000001";
    const PROMOTED: &str = "pg:7391:16384:16402:00000002";

    fn verdict(standing: &str, beat: i64, witness: Option<(i64, bool)>) -> Verdict {
        let witness = witness.map(|(beat, is_synchronous)| Witness { beat, is_synchronous });
        judge(Found { stored: Some(KNOWN), standing, beat }, witness)
    }

    #[test]
    fn databases_are_told_apart_by_each_part_of_their_names() {
        assert_eq!(kinship(KNOWN, KNOWN), Kinship::Same);
        assert_eq!(kinship(KNOWN, "pg:?:16384:16402:00000001"), Kinship::Same);
        assert_eq!(kinship(KNOWN, PROMOTED), Kinship::OtherTimeline);
        for other in [
            "pg:7392:16384:16402:00000001",
            "pg:7391:16385:16402:00000001",
            "pg:7391:16384:17000:00000001",
            "pg:7391:16384:17000:00000002",
            "file:a",
        ] {
            assert_eq!(kinship(KNOWN, other), Kinship::Other, "{other}");
        }
        assert_eq!(kinship("file:a", "file:b"), Kinship::Other);
        assert_eq!(kinship("file:a", "file:"), Kinship::Other);
    }

    #[test]
    fn rows_that_are_older_than_what_was_seen_are_a_backup_wherever_they_stand() {
        for standing in [KNOWN, PROMOTED] {
            let older = Verdict::Lost(Cause::Older);
            assert_eq!(verdict(standing, 6, Some((7, true))), older);
        }
        assert_eq!(verdict(KNOWN, 7, Some((7, false))), Verdict::Same);
    }

    #[test]
    fn a_standby_has_everything_only_if_a_witness_saw_it_wait_for_it() {
        assert_eq!(verdict(PROMOTED, 7, Some((7, true))), Verdict::Intact);
        let lost = Verdict::Lost(Cause::Unvouched);
        assert_eq!(verdict(PROMOTED, 7, Some((7, false))), lost);
        assert_eq!(verdict(PROMOTED, 7, None), lost);
        let elsewhere = Verdict::Lost(Cause::Elsewhere);
        assert_eq!(verdict("pg:1:16384:16402:00000001", 7, Some((7, true))), elsewhere);
    }

    #[test]
    fn a_new_database_begins_and_an_old_backup_from_before_epochs_does_not() {
        let found = Found { stored: None, standing: "file:", beat: 0 };
        assert_eq!(judge(found, None), Verdict::First);
        let witness = Witness { beat: 3, is_synchronous: false };
        assert_eq!(judge(found, Some(witness)), Verdict::Lost(Cause::Older));
    }
}
