//! What is stored after a moment, in the lines of an export.
//!
//! The messages that are wanted, in the order in which they come.

use muster_model::kind::Kind;
use muster_store::{
    error::ReadError,
    record,
    rows::{RowBatch, Whereabouts, name_of},
    scan::Wanted,
};

use super::{Form, lines::Lines};
use crate::error::QueryError;

/// Appends a line for each of some messages, in their byte form, that is wanted.
pub fn followed(records: &[Vec<u8>], wanted: &Wanted, out: &mut Vec<u8>) -> Result<(), QueryError> {
    let (mut batch, columns) = (RowBatch::default(), Lines.columns());
    for (number, record) in records.iter().enumerate() {
        let unreadable =
            |_| QueryError::Read(ReadError::Damaged { what: "a message that follows an export".to_owned() });
        let message = record::decode(record).map_err(unreadable)?;
        let event = message.name.as_deref().filter(|_| message.kind == Kind::Track);
        let names = (name_of(&message.organization), name_of(&message.account), name_of(&message.user));
        let is_wanted = wanted.kinds.contains(&message.kind)
            && wanted.in_time(message.timestamp)
            && wanted.named(names.0, names.1, names.2, event);
        if is_wanted {
            batch.push(number as u64, &message, Whereabouts::named_in(&message), &columns);
        }
    }
    let rows: Vec<usize> = (0..batch.len()).collect();
    Lines.rows(&batch, &rows, out)
}
