//! A table of rows, and a chart where they make one: when every row has a label and a number.

use askama::filters::Safe;
use serde::Deserialize;
use serde_json::Value;

use super::super::{
    charts::{self, Bar, Width},
    shown::{self, Html},
};
use crate::error::ApiError;

/// Rows of a chart.
const BARS_MAX: usize = 400;

/// An answer, as the query engine writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
    truncated: bool,
    #[serde(default)]
    error: Option<Late>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

/// An error that came after the first rows.
#[derive(Deserialize)]
struct Late {
    message: String,
}

/// A head of a column.
pub(in super::super) struct Head {
    pub label: String,
    pub number: bool,
}

/// An answer to be shown.
pub(in super::super) struct ResultTable {
    pub heads: Vec<Head>,
    pub rows: Vec<Vec<Html>>,
    pub says: String,
    pub chart: Option<Html>,
}

impl ResultTable {
    /// Reads an answer.
    pub(super) fn read(json: &[u8]) -> Result<ResultTable, ApiError> {
        let answer: Answer = serde_json::from_slice(json).map_err(|error| {
            tracing::error!(%error, "the answer to a query of a page could not be read");
            ApiError::Internal
        })?;
        let is_number = |at: usize| {
            let mut values =
                answer.rows.iter().filter_map(|row| row.get(at)).filter(|value| !value.is_null()).peekable();
            values.peek().is_some() && values.all(Value::is_number)
        };
        let numbers: Vec<bool> = (0..answer.columns.len()).map(is_number).collect();
        let shown = shown::many(answer.rows.len() as u64, "row");
        let says = match &answer.error {
            Some(late) => format!("{shown}, then: {}", late.message),
            None if answer.truncated => format!("The first {shown}; a download has all"),
            None => shown,
        };
        let chart = chart(&answer, &numbers);
        let heads = answer.columns.into_iter().zip(&numbers);
        Ok(ResultTable {
            heads: heads.map(|(column, number)| Head { label: column.name, number: *number }).collect(),
            rows: answer.rows.iter().map(|row| row.iter().map(cell).collect()).collect(),
            says,
            chart,
        })
    }
}

/// A value as it is: nothing is rounded, set apart or put into another zone, so that what differs looks different.
fn cell(value: &Value) -> Html {
    match value {
        Value::Null => shown::nothing(),
        Value::Number(number) => Safe(number.to_string()),
        Value::String(text) => shown::exact(text),
        other => shown::exact(&other.to_string()),
    }
}

/// Bars of the first column of numbers, named by the first column of anything else.
fn chart(answer: &Answer, numbers: &[bool]) -> Option<Html> {
    if !(2..=BARS_MAX).contains(&answer.rows.len()) {
        return None;
    }
    let (of, by) = (numbers.iter().position(|is| *is)?, numbers.iter().position(|is| !*is)?);
    let bars = answer.rows.iter().map(|row| {
        let label = match row.get(by) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => "–".to_owned(),
            Some(other) => other.to_string(),
        };
        Bar { label, value: row.get(of).and_then(Value::as_f64).unwrap_or(0.0) }
    });
    Some(charts::bars(&bars.collect::<Vec<Bar>>(), &answer.columns.get(of)?.name, Width::Column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &str, numbers: &[bool], chart: bool, says: &str) {
        let json = format!(
            r#"{{"columns":[{{"name":"day","type":null}},{{"name":"n","type":"integer"}}],"rows":{rows},"rowCount":1,"truncated":false}}"#
        );
        let table = ResultTable::read(json.as_bytes()).unwrap();
        assert_eq!(table.heads.iter().map(|head| head.number).collect::<Vec<bool>>(), numbers, "{rows}");
        assert_eq!((table.chart.is_some(), table.says.as_str()), (chart, says), "{rows}");
    }

    #[test]
    fn values_are_shown_as_they_are() {
        for (value, shown) in [
            ("2024", "2024"),
            ("-1234567", "-1234567"),
            ("0.5", "0.5"),
            ("\"2026-11-26\"", "<bdi>2026-11-26</bdi>"),
            ("\"2026-11-26T15:59:07.123456Z\"", "<bdi>2026-11-26T15:59:07.123456Z</bdi>"),
            ("\"<b>\"", "<bdi>&lt;b&gt;</bdi>"),
        ] {
            assert_eq!(cell(&serde_json::from_str(value).unwrap()).0, shown);
        }
    }

    #[test]
    fn a_label_and_a_number_make_a_chart() {
        check(r#"[["2024-01-01",5],["2024-01-02",null]]"#, &[false, true], true, "2 rows");
        check(r#"[["2024-01-01",5]]"#, &[false, true], false, "1 row");
        check(r#"[[1,5],[2,6]]"#, &[true, true], false, "2 rows");
        check(r#"[["a","x"],["b",6]]"#, &[false, false], false, "2 rows");
        check("[]", &[false, false], false, "0 rows");
    }
}
