//! One JSON object a line, from which every message can be stored again as it is.
//!
//! `message` has every member as it was sent, and `type`; `receivedAt` is the time of receipt to the microsecond, without
//! which records would be as old as their import. `id` is there for a message whose identity does not follow from it,
//! because it was made from another form.

use muster_store::rows::{Column, RowBatch};

use super::Form;
use crate::error::QueryError;

/// The form.
pub struct Lines;

impl Form for Lines {
    fn columns(&self) -> Vec<Column> {
        vec![Column::Sent, Column::Identity]
    }

    fn begin(&mut self, _out: &mut Vec<u8>) {}

    fn rows(&mut self, batch: &RowBatch, rows: &[usize], out: &mut Vec<u8>) -> Result<(), QueryError> {
        for row in rows.iter().copied() {
            let sent = batch.text(Column::Sent, row).unwrap_or("{}");
            out.extend_from_slice(b"{\"receivedAt\":\"");
            out.extend_from_slice(batch.received_at[row].to_micros_text().as_bytes());
            if let Some(identity) = batch.text(Column::Identity, row) {
                out.extend_from_slice(b"\",\"id\":\"");
                out.extend_from_slice(identity.as_bytes());
            }
            out.extend_from_slice(b"\",\"message\":");
            out.extend_from_slice(sent.as_bytes());
            out.extend_from_slice(b"}\n");
        }
        Ok(())
    }

    fn end(self: Box<Self>, _out: &mut Vec<u8>) -> Result<(), QueryError> {
        Ok(())
    }
}
