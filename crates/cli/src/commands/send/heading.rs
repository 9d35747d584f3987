//! How refused rows of tables are written: below a heading, with the reason in a column of its own.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// What a file of refused rows begins with: the columns, and one more that says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    text: Vec<u8>,
    separator: u8,
}

/// The headings of tables, by the number of their file.
pub type Headings = Arc<Mutex<BTreeMap<u32, Heading>>>;

impl Heading {
    /// A heading of these columns.
    pub fn new<'c>(columns: impl Iterator<Item = &'c [u8]>, separator: u8) -> Heading {
        Heading { text: line_of(columns, separator), separator }
    }

    /// The line, without its end.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The line of a row, with the reason for which it was refused.
    pub fn row(&self, original: &[u8], reason: &str) -> Vec<u8> {
        [original, &[self.separator], &line_of([reason.as_bytes()].into_iter(), self.separator)].concat()
    }
}

/// Cells as one line of CSV, without its end.
pub fn line_of<'c>(cells: impl Iterator<Item = &'c [u8]>, separator: u8) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
    let mut line = match writer.write_record(cells) {
        Ok(()) => writer.into_inner().unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    line.truncate(line.trim_ascii_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_row_says_why() {
        let heading = Heading::new(["id", "muster_reason"].iter().map(|name| name.as_bytes()), b';');
        assert_eq!(heading.text(), b"id;muster_reason");
        assert_eq!(heading.row(b"7", "it has a \"quote\"; and more"), b"7;\"it has a \"\"quote\"\"; and more\"");
    }
}
