//! Message ids for rows in which no column holds one.
//!
//! They are digests, the same whenever the same is imported again, by whatever version: what they are made of never changes.

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    line::{Line, object},
    mapping::REASON,
    record::Record,
};

/// Where a row comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'t> {
    /// The name of its file, without its directory.
    pub file: &'t str,
    pub line: u64,
    /// Whether it is a row of a table, and not a JSON object.
    pub is_of_table: bool,
}

/// `{ made = "…" }`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    pub made: MadeOf,
}

/// What an id is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MadeOf {
    /// What the message says: rows that say the same are one.
    Content,
    /// The row's cells, and where it stands: every row is a message of its own.
    Row,
}

impl MadeOf {
    /// The id of a message that says so far what is in the line, of a row with these cells.
    pub fn id(self, line: &Line, cells: &Record<'_>, origin: Origin<'_>) -> String {
        let digest = match self {
            MadeOf::Content => xxh3_128(line.bare().as_bytes()),
            MadeOf::Row => {
                // Why a row was refused is no part of it.
                let cells = object(cells.others(&[REASON]).map(|(name, raw)| (name, raw.to_owned())));
                xxh3_128(format!("{} {}\n{cells}", origin.line, origin.file).as_bytes())
            }
        };
        format!("{digest:032x}")
    }
}

#[cfg(test)]
mod tests {
    use super::{super::mapping::Mapping, *};

    const HERE: Origin<'static> = Origin { file: "a.csv", line: 2, is_of_table: true };

    fn id(made: &str, row: &str, origin: Origin<'_>) -> String {
        let map = format!(
            "[[message]]\ntype = \"user\"\nuserId = \"id\"\nmessageId = {{ made = \"{made}\" }}\ntraits = [\"plan\"]"
        );
        let lines = Mapping::read(&map).unwrap().lines(row, origin).unwrap();
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        line["message"]["messageId"].as_str().unwrap().to_owned()
    }

    #[test]
    fn what_is_imported_again_has_the_same_id() {
        let row = r#"{"id":"7","plan":"pro","note":"x"}"#;
        let (elsewhere, renamed) = (Origin { line: 3, ..HERE }, Origin { file: "b.csv", ..HERE });
        // These ids are in stores: they must be the same in every version.
        assert_eq!(id("content", row, HERE), "9a9307c355927ce07764744894b63687");
        assert_eq!(id("row", row, HERE), "7b859c45c0cba8efb6de0a11e5462e29");
        for other in [elsewhere, renamed] {
            assert_eq!(id("content", row, other), id("content", row, HERE));
            assert_ne!(id("row", row, other), id("row", row, HERE));
        }
        let noted = r#"{"id":"7","plan":"pro","note":"y"}"#;
        assert_eq!(id("content", noted, HERE), id("content", row, HERE), "it says the same");
        assert_ne!(id("row", noted, HERE), id("row", row, HERE));
        let refused = r#"{"id":"7","plan":"pro","note":"x","muster_reason":"why"}"#;
        assert_eq!(id("row", refused, HERE), id("row", row, HERE));
        assert_ne!(id("content", r#"{"id":"7","plan":"free","note":"x"}"#, HERE), id("content", row, HERE));
    }
}
