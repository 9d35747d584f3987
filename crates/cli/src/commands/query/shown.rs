//! An answer as a table for people.

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use crate::output;

/// Characters of a cell; what is longer is cut, and the other forms have it whole.
const CELL_CHARACTERS_MAX: usize = 60;

/// An answer, as far as a table shows it.
#[derive(Deserialize)]
pub struct Answer {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
    #[serde(default)]
    pub truncated: bool,
    #[serde(default)]
    pub error: Option<Late>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

/// An error that came when the answer had begun.
#[derive(Deserialize)]
pub struct Late {
    pub message: String,
}

impl Answer {
    /// Reads an answer in JSON.
    pub fn read(bytes: &[u8]) -> anyhow::Result<Answer> {
        serde_json::from_slice(bytes).context("the answer is not what a query is answered with")
    }

    /// The table.
    pub fn table(&self) -> String {
        let heading = self.columns.iter().map(|column| column.name.clone()).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(cell).collect());
        let rows: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
        output::table(&rows)
    }
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace(['\n', '\r', '\t'], " "),
        other => other.to_string(),
    };
    if text.chars().count() <= CELL_CHARACTERS_MAX {
        return text;
    }
    let mut cut: String = text.chars().take(CELL_CHARACTERS_MAX - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_line_up_and_long_ones_are_cut() {
        let long = "x".repeat(100);
        let text = format!(
            r#"{{"columns":[{{"name":"id","type":null}},{{"name":"n","type":null}}],"rows":[["a\nb",null],["{long}",1.5]],"truncated":true}}"#
        );
        let answer = Answer::read(text.as_bytes()).unwrap();
        let table = answer.table();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[1], "a b");
        assert!(lines[2].contains("…  1.5") && lines[0].starts_with("id "), "{table}");
        assert!(answer.truncated && answer.error.is_none());
    }
}
