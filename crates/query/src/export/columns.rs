//! A message's columns, as the table `messages` has them, and lines of them.

use muster_store::rows::{Column, RowBatch};
use rusqlite::types::ValueRef;

use super::Form;
use crate::{
    error::QueryError,
    output::{Head, csv},
    tables::{
        instants::InstantText,
        messages::{MESSAGES, Shown},
        source::Cell,
    },
};

/// The columns with their names, in order.
pub fn shown() -> Vec<(&'static str, Shown)> {
    MESSAGES.iter().map(|column| (column.name, Shown::of(column.name))).collect()
}

/// Lines with a heading.
pub struct Csv {
    shown: Vec<(&'static str, Shown)>,
}

impl Csv {
    /// No line yet.
    pub fn new() -> Csv {
        Csv { shown: shown() }
    }
}

impl Form for Csv {
    fn columns(&self) -> Vec<Column> {
        self.shown.iter().filter_map(|(_, shown)| shown.stored()).collect()
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        let heads = self.shown.iter().map(|(name, _)| Head { name: (*name).to_owned(), declared: None });
        csv::begin(&heads.collect::<Vec<Head>>(), out);
    }

    fn rows(&mut self, batch: &RowBatch, rows: &[usize], out: &mut Vec<u8>) -> Result<(), QueryError> {
        for row in rows {
            let texts: Vec<Option<String>> =
                self.shown.iter().map(|(_, shown)| text(shown.cell(batch, *row))).collect();
            let value = |at: usize| texts[at].as_deref().map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()));
            csv::row(texts.len(), value, out);
        }
        Ok(())
    }

    fn end(self: Box<Self>, _out: &mut Vec<u8>) -> Result<(), QueryError> {
        Ok(())
    }
}

fn text(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Null => None,
        Cell::Integer(integer) => Some(integer.to_string()),
        Cell::Real(real) => Some(real.to_string()),
        Cell::Text(text) => Some(text.into_owned()),
        Cell::Day(at) => InstantText::of(at).map(|text| text.day().to_owned()),
        Cell::Instant(at) => {
            Some(InstantText::of(at).map_or_else(|| at.to_millis_text(), |text| text.as_str().to_owned()))
        }
    }
}
