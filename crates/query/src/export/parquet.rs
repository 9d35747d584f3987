//! A Parquet file that is written piece by piece.
//!
//! Instants are timestamps in UTC with microseconds, everything else is text. What is held is one group of rows.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{StringBuilder, TimestampMicrosecondBuilder},
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use muster_store::rows::{Column, RowBatch};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use super::{Form, columns};
use crate::{
    error::QueryError,
    tables::{messages::Shown, source::Cell},
};

/// Rows of a group, and about how many bytes of them, whichever is reached first.
const GROUP_ROWS: usize = 100_000;
const GROUP_BYTES: usize = 32 << 20;

/// The form.
pub struct Columns {
    shown: Vec<(&'static str, Shown)>,
    schema: SchemaRef,
    writer: ArrowWriter<Written>,
    written: Written,
}

/// Bytes of the file that were not handed out yet.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn hand_out(&self, out: &mut Vec<u8>) {
        out.append(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Columns {
    /// No row yet.
    pub fn new() -> Result<Columns, QueryError> {
        let shown = columns::shown();
        let fields = shown.iter().map(|(name, shown)| match shown {
            Shown::Timestamp | Shown::ReceivedAt => {
                Field::new(*name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false)
            }
            Shown::Kind => Field::new(*name, DataType::Utf8, false),
            Shown::Text(_) | Shown::Day | Shown::Week => Field::new(*name, DataType::Utf8, true),
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
        let properties = WriterProperties::builder()
            .set_created_by("muster".to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let written = Written::default();
        let writer = ArrowWriter::try_new(written.clone(), Arc::clone(&schema), Some(properties)).map_err(failed)?;
        Ok(Columns { shown, schema, writer, written })
    }
}

impl Form for Columns {
    fn columns(&self) -> Vec<Column> {
        self.shown.iter().filter_map(|(_, shown)| shown.stored()).collect()
    }

    fn begin(&mut self, _out: &mut Vec<u8>) {}

    fn rows(&mut self, batch: &RowBatch, rows: &[usize], out: &mut Vec<u8>) -> Result<(), QueryError> {
        let arrays = self.shown.iter().map(|(_, shown)| array(*shown, batch, rows)).collect();
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(failed)?;
        self.writer.write(&rows).map_err(failed)?;
        if self.writer.in_progress_size() >= GROUP_BYTES {
            self.writer.flush().map_err(failed)?;
        }
        self.written.hand_out(out);
        Ok(())
    }

    fn held(&self) -> usize {
        self.writer.in_progress_size()
    }

    fn let_go(&mut self, out: &mut Vec<u8>) -> Result<(), QueryError> {
        self.writer.flush().map_err(failed)?;
        self.written.hand_out(out);
        Ok(())
    }

    fn end(self: Box<Self>, out: &mut Vec<u8>) -> Result<(), QueryError> {
        self.writer.close().map_err(failed)?;
        self.written.hand_out(out);
        Ok(())
    }
}

fn array(shown: Shown, batch: &RowBatch, rows: &[usize]) -> ArrayRef {
    let cells = rows.iter().map(|row| shown.cell(batch, *row));
    match shown {
        Shown::Timestamp | Shown::ReceivedAt => {
            let mut instants = TimestampMicrosecondBuilder::with_capacity(rows.len()).with_timezone("UTC");
            cells.for_each(|cell| match cell {
                Cell::Instant(at) => instants.append_value(at.0),
                Cell::Null | Cell::Integer(_) | Cell::Real(_) | Cell::Text(_) | Cell::Day(_) => instants.append_null(),
            });
            Arc::new(instants.finish())
        }
        Shown::Kind | Shown::Text(_) | Shown::Day | Shown::Week => {
            let mut texts = StringBuilder::new();
            cells.for_each(|cell| match cell {
                Cell::Text(text) => texts.append_value(text),
                Cell::Null | Cell::Integer(_) | Cell::Real(_) | Cell::Instant(_) | Cell::Day(_) => texts.append_null(),
            });
            Arc::new(texts.finish())
        }
    }
}

fn failed(error: impl std::fmt::Display) -> QueryError {
    QueryError::Internal(format!("writing Parquet failed: {error}"))
}
