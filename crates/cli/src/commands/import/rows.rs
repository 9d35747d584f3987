//! Rows of tables, CSV and Parquet, each as a JSON object by the names of its columns.
//!
//! Cells of CSV are text; those of Parquet keep their types. What separates the cells of a line is found out from the first
//! one. A row with too many or too few cells is handed out as broken, and the rest goes on.

use std::{
    fs::File,
    io::{self, BufRead},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, anyhow};
use muster_model::time::Micros;
use parquet::{
    file::{reader::FileReader, serialized_reader::SerializedFileReader},
    record::{Field, Row, reader::RowIter},
};
use serde_json::Value;

use super::{
    forms::{
        line::{object, quoted},
        mapping::REASON,
    },
    lines::Lines,
};
use crate::commands::send::{
    heading::{Heading, line_of},
    split::{Piece, Place},
};

/// How a file of Parquet begins.
pub const PARQUET_MARK: &[u8] = b"PAR1";
/// What may stand between two cells.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The rows of a file of CSV.
pub struct CsvRows {
    reader: csv::Reader<Lines<Box<dyn BufRead>>>,
    columns: Vec<String>,
    separator: u8,
    record: csv::ByteRecord,
    count: u64,
}

impl CsvRows {
    /// Reads the heading.
    pub fn new(mut reader: Box<dyn BufRead>) -> anyhow::Result<CsvRows> {
        let start = reader.fill_buf()?;
        let first = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let times = |separator: &u8| first.iter().filter(|byte| *byte == separator).count();
        let separator = SEPARATORS.into_iter().rev().max_by_key(times).unwrap_or(b',');
        let reader = Lines::new(reader);
        let mut reader = csv::ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(reader);
        let columns = reader.byte_headers().context("the heading cannot be read")?;
        let name = |cell: &[u8]| std::str::from_utf8(cell).map(|name| name.trim().to_owned());
        let columns = columns.iter().map(name).collect::<Result<Vec<_>, _>>().context("the heading is not UTF-8")?;
        Ok(CsvRows { reader, columns, separator, record: csv::ByteRecord::new(), count: 0 })
    }

    /// The heading of a file of refused rows.
    pub fn heading(&self) -> Heading {
        let columns = self.columns.iter().map(String::as_bytes).filter(|column| *column != REASON.as_bytes());
        Heading::new(columns.chain([REASON.as_bytes()]), self.separator)
    }

    fn piece(&mut self, line: u64) -> Piece {
        let place = Place { line, index: self.count, source: 0 };
        self.count += 1;
        let kept = |(column, _): &(usize, &[u8])| self.columns.get(*column).is_none_or(|name| name != REASON);
        let cells = self.record.iter().enumerate().filter(kept).map(|(_, cell)| cell);
        let original = Some(line_of(cells, self.separator));
        let broken = |says: String| Piece { place, text: Vec::new(), cut: false, broken: Some(says), original: None };
        if self.record.len() != self.columns.len() {
            let says = format!("it has {} cells where the heading has {}", self.record.len(), self.columns.len());
            return Piece { original, ..broken(says) };
        }
        let mut cells = Vec::with_capacity(self.columns.len());
        for (column, cell) in self.columns.iter().zip(&self.record) {
            let Ok(cell) = std::str::from_utf8(cell) else {
                let says = format!("the column {column} is not valid UTF-8");
                return Piece { original, ..broken(says) };
            };
            cells.push((column.as_str(), quoted(cell)));
        }
        Piece { place, text: object(cells).into_bytes(), cut: false, broken: None, original }
    }
}

impl Iterator for CsvRows {
    type Item = anyhow::Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.reader.position().byte();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(true) => {
                let line = self.reader.get_mut().line_of(start);
                Some(Ok(self.piece(line)))
            }
            Ok(false) => None,
            Err(error) => Some(Err(anyhow!(error))),
        }
    }
}

/// The rows of a file of Parquet.
pub struct ParquetRows {
    rows: RowIter<'static>,
    count: u64,
    /// How many there are, in how many bytes.
    total: u64,
    bytes: u64,
    read: Arc<AtomicU64>,
}

impl ParquetRows {
    /// Reads what the file says of itself. How much of it was read is told by the rows that were.
    pub fn new(path: &Path, read: Arc<AtomicU64>) -> anyhow::Result<ParquetRows> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let file = SerializedFileReader::new(file)?;
        let total = u64::try_from(file.metadata().file_metadata().num_rows()).unwrap_or(0);
        Ok(ParquetRows { rows: RowIter::from_file_into(Box::new(file)), count: 0, total, bytes, read })
    }

    fn advance(&mut self) {
        let share = |count: u64| (u128::from(self.bytes) * u128::from(count) / u128::from(self.total.max(1))) as u64;
        self.read.fetch_add(share(self.count + 1) - share(self.count), Ordering::Relaxed);
        self.count += 1;
    }
}

impl Iterator for ParquetRows {
    type Item = anyhow::Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = match self.rows.next()? {
            Ok(row) => row,
            Err(error) => return Some(Err(anyhow!(error))),
        };
        let place = Place { line: self.count + 1, index: self.count, source: 0 };
        self.advance();
        let text = of_row(&row).into_bytes();
        Some(Ok(Piece { place, original: Some(text.clone()), text, cut: false, broken: None }))
    }
}

fn of_row(row: &Row) -> String {
    object(row.get_column_iter().map(|(name, field)| (name.as_str(), of_field(field))))
}

fn of_field(field: &Field) -> String {
    let instant = |micros: i64| quoted(&Micros(micros).to_micros_text());
    match field {
        Field::Null => "null".to_owned(),
        Field::Bool(value) => value.to_string(),
        Field::Byte(value) => value.to_string(),
        Field::Short(value) => value.to_string(),
        Field::Int(value) => value.to_string(),
        Field::Long(value) => value.to_string(),
        Field::UByte(value) => value.to_string(),
        Field::UShort(value) => value.to_string(),
        Field::UInt(value) => value.to_string(),
        Field::ULong(value) => value.to_string(),
        Field::Float16(value) => Value::from(value.to_f32()).to_string(),
        Field::Float(value) => Value::from(*value).to_string(),
        Field::Double(value) => Value::from(*value).to_string(),
        Field::Str(text) => quoted(text),
        Field::Bytes(bytes) => quoted(&String::from_utf8_lossy(bytes.data())),
        Field::Date(days) => quoted(&Micros(i64::from(*days) * MICROS_PER_DAY).to_millis_text()),
        Field::TimestampMillis(millis) => instant(millis.saturating_mul(1_000)),
        Field::TimestampMicros(micros) => instant(*micros),
        // As the library writes them: these have no form in JSON.
        Field::Decimal(_) | Field::TimeMillis(_) | Field::TimeMicros(_) => shown(&field.to_string()),
        Field::Group(row) => of_row(row),
        Field::ListInternal(list) => {
            let elements: Vec<String> = list.elements().iter().map(of_field).collect();
            format!("[{}]", elements.join(","))
        }
        Field::MapInternal(map) => {
            let name = |key: &Field| match key {
                Field::Str(text) => text.clone(),
                other => other.to_string(),
            };
            let entries: Vec<_> = map.entries().iter().map(|(key, value)| (name(key), of_field(value))).collect();
            object(entries.iter().map(|(name, raw)| (name.as_str(), raw.clone())))
        }
    }
}

/// A decimal is a number; anything else is text.
fn shown(text: &str) -> String {
    if text.parse::<serde_json::Number>().is_ok() { text.to_owned() } else { quoted(text) }
}

/// Whether a file that begins so is one of JSON, whatever the name says.
pub fn is_json(start: &[u8]) -> bool {
    let start = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start);
    matches!(start.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Standard input cannot be read from its end, where Parquet says what is in it.
pub fn not_from_here() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "Parquet cannot be read from standard input or inside an archive; name its file",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &'static str) -> (Vec<String>, String) {
        let rows = CsvRows::new(Box::new(text.as_bytes())).unwrap();
        let heading = String::from_utf8(rows.heading().text().to_vec()).unwrap();
        let shown = rows.map(|piece| {
            let Piece { place, text, broken, original, .. } = piece.unwrap();
            let original = String::from_utf8(original.unwrap()).unwrap();
            format!("{}: {} {original}", place.line, broken.unwrap_or_else(|| String::from_utf8(text).unwrap()))
        });
        (shown.collect(), heading)
    }

    #[test]
    fn rows_of_csv_are_objects_of_text() {
        let (found, heading) = rows("\u{feff}id; name\n1;\"a \"\"b\"\"; c\nd\"\n2;x;y\n");
        assert_eq!(heading, "id;name;muster_reason");
        assert_eq!(
            found,
            [
                "2: {\"id\":\"1\",\"name\":\"a \\\"b\\\"; c\\nd\"} 1;\"a \"\"b\"\"; c\nd\"",
                "4: it has 3 cells where the heading has 2 2;x;y",
            ]
        );
        let (found, heading) = rows("a,muster_reason\n1,why\n");
        assert_eq!(
            (found[0].as_str(), heading.as_str()),
            ("2: {\"a\":\"1\",\"muster_reason\":\"why\"} 1", "a,muster_reason")
        );
    }

    #[test]
    fn a_row_is_in_the_line_that_an_editor_shows() {
        let lines = |text: &'static str| -> Vec<u64> {
            CsvRows::new(Box::new(text.as_bytes())).unwrap().map(|piece| piece.unwrap().place.line).collect()
        };
        assert_eq!(lines("a,b\n1,2\n3,4\n"), [2, 3]);
        assert_eq!(lines("a,b\r\n1,2\r\n3,4\r\n5,6"), [2, 3, 4]);
        assert_eq!(lines("\u{feff}a,b\r\n1,\"x\r\ny\r\n\"\r\n3,4\r\n"), [2, 5]);
        assert_eq!(lines("\"a\r\nb\",c\r\n1,2\r\n3,4\r\n"), [3, 4]);
        assert_eq!(lines("a,b\r\n\r\n1,2\n\n\n3,4"), [3, 6]);
        assert_eq!(lines("\n\r\na,b\n1,\"\n\"\n3,4\n"), [4, 6]);
    }

    #[test]
    fn json_is_known_by_its_beginning() {
        assert!(is_json(b" \n[{}]") && is_json("\u{feff}{}".as_bytes()));
        assert!(!is_json(b"id,name\n{\n") && !is_json(b""));
    }
}
