//! Migrations: forward-only steps, one text for both databases. Which step is due is decided here;
//! the executor's backends apply it, each in one transaction of its own.

use crate::StoreError;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    /// The version of the schema that it leads to.
    pub(crate) id: i64,
    /// What it is called, as in its file's name.
    pub(crate) name: &'static str,
    /// Its statements, in the words of PostgreSQL.
    pub(crate) sql: &'static str,
}

/// The table that the runner needs for itself.
pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (
    id         BIGINT NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    applied_at BIGINT NOT NULL
);";

/// What was applied, oldest first.
pub(crate) const APPLIED: &str = "SELECT id, name FROM migration ORDER BY id";

/// Writes down that a step is applied; of two nodes one finds the row there already.
pub(crate) const APPLY: &str = "INSERT INTO migration (id, name, applied_at) VALUES ($1, $2, $3)";

/// The next step to apply, if there is one.
///
/// # Errors
/// `Unavailable` when the database belongs to another history, or is more than one version newer:
/// version N−1 works on N's schema (expand, then contract), older ones do not.
pub(crate) fn due<'a>(
    applied: &[(i64, String)],
    migrations: &'a [Migration],
) -> Result<Option<&'a Migration>, StoreError> {
    let known = migrations.last().map_or(0, |migration| migration.id);
    let newest = applied.last().map_or(0, |(id, _)| *id);
    if newest > known.saturating_add(1) {
        return Err(StoreError::Unavailable(format!(
            "the tables have version {newest}, this program knows {known} and works with {} at \
             most: install a newer one",
            known.saturating_add(1)
        )));
    }
    for migration in migrations {
        match applied.iter().find(|(id, _)| *id == migration.id) {
            None => return Ok(Some(migration)),
            Some((_, name)) if name == migration.name => {}
            Some((id, name)) => {
                return Err(StoreError::Unavailable(format!(
                    "migration {id} was applied as `{name}`, and is `{}` here: the database is \
                     not this program's",
                    migration.name
                )));
            }
        }
    }
    Ok(None)
}

/// The same statements for SQLite: `BLOB` for `BYTEA`, `INTEGER` for `BIGINT`, and `STRICT` tables,
/// which hold nothing but the type of their column.
pub(crate) fn for_sqlite(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 256);
    let mut words = 0_usize;
    let (mut creates, mut table) = (false, false);
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = token_length(rest, first);
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        rest = after;
        if first == ';' {
            out.push_str(if creates && table { " STRICT;" } else { ";" });
            (words, creates, table) = (0, false, false);
            continue;
        }
        if is_word(first) {
            words += 1;
            creates |= words == 1 && token.eq_ignore_ascii_case("CREATE");
            table |= words == 2 && token.eq_ignore_ascii_case("TABLE");
        }
        out.push_str(match token {
            "BYTEA" => "BLOB",
            "BIGINT" => "INTEGER",
            other => other,
        });
    }
    out
}

/// How long the token is that begins here: a comment, a text, a word or one other character.
fn token_length(rest: &str, first: char) -> usize {
    if rest.starts_with("--") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if first == '\'' {
        let inside = rest.get(1..).unwrap_or_default();
        return inside.find('\'').map_or(rest.len(), |end| end + 2);
    }
    if is_word(first) {
        return rest.find(|next| !is_word(next)).unwrap_or(rest.len());
    }
    first.len_utf8()
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[Migration] = &[
        Migration { id: 1, name: "first", sql: "" },
        Migration { id: 2, name: "second", sql: "" },
    ];

    fn applied(ids: &[(i64, &str)]) -> Vec<(i64, String)> {
        ids.iter().map(|(id, name)| (*id, (*name).to_owned())).collect()
    }

    fn due_id(done: &[(i64, &str)]) -> Result<Option<i64>, StoreError> {
        due(&applied(done), STEPS).map(|step| step.map(|step| step.id))
    }

    #[test]
    fn the_first_step_that_is_missing_is_due() {
        assert_eq!(due_id(&[]), Ok(Some(1)));
        assert_eq!(due_id(&[(1, "first")]), Ok(Some(2)));
        assert_eq!(due_id(&[(1, "first"), (2, "second")]), Ok(None));
    }

    #[test]
    fn one_version_newer_is_accepted_and_two_are_not() {
        assert_eq!(due_id(&[(1, "first"), (2, "second"), (3, "third")]), Ok(None));
        let error = due_id(&[(1, "first"), (2, "second"), (4, "fourth")]);
        assert!(matches!(error, Err(StoreError::Unavailable(_))));
    }

    #[test]
    fn the_database_of_another_history_is_refused() {
        assert!(matches!(due_id(&[(1, "other")]), Err(StoreError::Unavailable(_))));
    }

    #[test]
    fn sqlite_gets_its_own_words_outside_comments_and_texts() {
        let sql = "-- BYTEA; here\nCREATE TABLE a (id BYTEA, n BIGINT, t TEXT DEFAULT 'BIGINT;');\n\
                   CREATE INDEX b ON a (n);\nINSERT INTO a (t) VALUES ('it''s BYTEA');";
        let expected = "-- BYTEA; here\nCREATE TABLE a (id BLOB, n INTEGER, t TEXT DEFAULT \
                        'BIGINT;') STRICT;\nCREATE INDEX b ON a (n);\n\
                        INSERT INTO a (t) VALUES ('it''s BYTEA');";
        assert_eq!(for_sqlite(sql), expected);
    }
}
