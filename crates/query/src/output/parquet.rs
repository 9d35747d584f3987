//! A Parquet file, put together column by column.
//!
//! SQLite's columns have no type; here a column is of integers, floating-point numbers, texts or bytes, whichever holds
//! all of its values: numbers of both kinds become floating-point numbers, anything else that is mixed becomes text.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use rusqlite::types::ValueRef;

use super::{Head, hex};
use crate::error::QueryError;

/// Values of one column, as narrow as they may be so far.
enum Values {
    /// So many times nothing.
    Nothing(usize),
    Integers(Vec<Option<i64>>),
    Reals(Vec<Option<f64>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

/// An answer as columns.
pub struct Columns {
    names: Vec<String>,
    values: Vec<Values>,
}

impl Columns {
    /// No rows yet.
    pub fn new(heads: &[Head]) -> Columns {
        let values = heads.iter().map(|_| Values::Nothing(0)).collect();
        Columns { names: names(heads), values }
    }

    /// Takes a row; about how many bytes it takes.
    pub fn row<'v>(&mut self, columns: usize, value: impl Fn(usize) -> ValueRef<'v>) -> usize {
        self.values.iter_mut().take(columns).enumerate().map(|(at, values)| values.push(value(at))).sum()
    }

    /// The file.
    pub fn into_file(self) -> Result<Vec<u8>, QueryError> {
        let failed = |error: &dyn std::fmt::Display| QueryError::Internal(format!("writing Parquet failed: {error}"));
        let (types, arrays): (Vec<DataType>, Vec<ArrayRef>) = self.values.into_iter().map(Values::into_array).unzip();
        let fields: Vec<Field> =
            self.names.into_iter().zip(types).map(|(name, kind)| Field::new(name, kind, true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|error| failed(&error))?;
        let compression = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder().set_created_by("muster".to_owned()).set_compression(compression);
        let mut writer =
            ArrowWriter::try_new(Vec::new(), schema, Some(properties.build())).map_err(|error| failed(&error))?;
        writer.write(&batch).map_err(|error| failed(&error))?;
        writer.into_inner().map_err(|error| failed(&error))
    }
}

/// Names of the columns, each once: readers of Parquet find columns by name.
fn names(heads: &[Head]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(heads.len());
    for head in heads {
        let mut name = head.name.clone();
        let mut again = 1;
        while names.contains(&name) {
            again += 1;
            name = format!("{}:{again}", head.name);
        }
        names.push(name);
    }
    names
}

impl Values {
    fn push(&mut self, value: ValueRef<'_>) -> usize {
        self.widen(value);
        match (self, value) {
            (Values::Nothing(count), _) => {
                *count += 1;
                1
            }
            (Values::Integers(values), ValueRef::Integer(integer)) => {
                values.push(Some(integer));
                16
            }
            (Values::Integers(values), _) => {
                values.push(None);
                16
            }
            (Values::Reals(values), ValueRef::Real(real)) => {
                values.push(Some(real));
                16
            }
            (Values::Reals(values), ValueRef::Integer(integer)) => {
                values.push(Some(integer as f64));
                16
            }
            (Values::Reals(values), _) => {
                values.push(None);
                16
            }
            (Values::Bytes(values), ValueRef::Blob(bytes)) => {
                values.push(Some(bytes.to_vec()));
                24 + bytes.len()
            }
            (Values::Bytes(values), _) => {
                values.push(None);
                24
            }
            (Values::Texts(values), value) => {
                values.push(text(value));
                24 + values.last().and_then(Option::as_ref).map_or(0, String::len)
            }
        }
    }

    /// Makes room for a value of another kind.
    fn widen(&mut self, value: ValueRef<'_>) {
        let wider = match (&mut *self, value) {
            (_, ValueRef::Null)
            | (Values::Integers(_), ValueRef::Integer(_))
            | (Values::Reals(_), ValueRef::Integer(_) | ValueRef::Real(_))
            | (Values::Texts(_), _)
            | (Values::Bytes(_), ValueRef::Blob(_)) => return,
            (Values::Nothing(count), ValueRef::Integer(_)) => Values::Integers(vec![None; *count]),
            (Values::Nothing(count), ValueRef::Real(_)) => Values::Reals(vec![None; *count]),
            (Values::Nothing(count), ValueRef::Text(_)) => Values::Texts(vec![None; *count]),
            (Values::Nothing(count), ValueRef::Blob(_)) => Values::Bytes(vec![None; *count]),
            (Values::Integers(values), ValueRef::Real(_)) => {
                Values::Reals(values.iter().map(|value| value.map(|integer| integer as f64)).collect())
            }
            (Values::Integers(values), _) => Values::Texts(
                values.iter().map(|value| text(value.map_or(ValueRef::Null, ValueRef::Integer))).collect(),
            ),
            (Values::Reals(values), _) => {
                Values::Texts(values.iter().map(|value| text(value.map_or(ValueRef::Null, ValueRef::Real))).collect())
            }
            (Values::Bytes(values), _) => Values::Texts(
                values.iter().map(|value| text(value.as_deref().map_or(ValueRef::Null, ValueRef::Blob))).collect(),
            ),
        };
        *self = wider;
    }

    fn into_array(self) -> (DataType, ArrayRef) {
        match self {
            Values::Nothing(count) => (DataType::Utf8, Arc::new(StringArray::new_null(count))),
            Values::Integers(values) => (DataType::Int64, Arc::new(Int64Array::from(values))),
            Values::Reals(values) => (DataType::Float64, Arc::new(Float64Array::from(values))),
            Values::Texts(values) => (DataType::Utf8, Arc::new(StringArray::from_iter(values))),
            Values::Bytes(values) => (DataType::Binary, Arc::new(BinaryArray::from_iter(values))),
        }
    }
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(integer) => Some(integer.to_string()),
        ValueRef::Real(real) => Some(format!("{real:?}")),
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => {
            let mut digits = Vec::with_capacity(bytes.len() * 2);
            hex(bytes, &mut digits);
            String::from_utf8(digits).ok()
        }
    }
}
