//! Which database this is, as far as it can tell: what does not change while it lives, and changes
//! when it is replaced, restored to a point in time, or a standby is promoted in its place.

/// What a database says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name: the parts that are compared, separated by colons. A part that could not be found
    /// out is `?`, and is like every other.
    pub identity: String,
    /// Whether a commit that was confirmed is on another machine, too.
    pub is_synchronous: bool,
}

/// How two databases are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinship {
    /// They are one.
    Same,
    /// The same cluster and tables, in another line of time: a standby was promoted, or a backup
    /// was restored to a point in time.
    OtherTimeline,
    /// Another cluster, other tables, or another copy of a file.
    Other,
}

/// How the database of this name is related to the one of that name.
pub fn kinship(one: &str, other: &str) -> Kinship {
    let mut different = Vec::new();
    let (ones, others): (Vec<_>, Vec<_>) = (one.split(':').collect(), other.split(':').collect());
    if ones.len() != others.len() {
        return Kinship::Other;
    }
    for (place, (a, b)) in ones.iter().zip(&others).enumerate() {
        if a != b && ![*a, *b].contains(&"?") {
            different.push(place);
        }
    }
    match different.as_slice() {
        [] => Kinship::Same,
        [place] if *place == TIMELINE && ones.first() == Some(&"pg") => Kinship::OtherTimeline,
        _ => Kinship::Other,
    }
}

/// Where the line of time stands in the name of a PostgreSQL database.
const TIMELINE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_told_apart_by_each_part_of_their_names() {
        let known = "pg:7391:16384:16402:00000001";
        assert_eq!(kinship(known, known), Kinship::Same);
        assert_eq!(kinship(known, "pg:?:16384:16402:00000001"), Kinship::Same);
        assert_eq!(kinship(known, "pg:7391:16384:16402:00000002"), Kinship::OtherTimeline);
        for other in [
            "pg:7392:16384:16402:00000001",
            "pg:7391:16385:16402:00000001",
            "pg:7391:16384:17000:00000001",
            "pg:7391:16384:17000:00000002",
            "file:a",
        ] {
            assert_eq!(kinship(known, other), Kinship::Other, "{other}");
        }
        assert_eq!(kinship("file:a", "file:b"), Kinship::Other);
        assert_eq!(kinship("file:a", "file:"), Kinship::Other);
    }
}
