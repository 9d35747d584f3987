//! Rows that are fetched piece by piece, within a transaction.
//!
//! A piece is bounded in bytes, too: messages that are large come one by one.

use std::collections::VecDeque;

use muster_model::id::WorkspaceId;
use postgres::{Row, types::ToSql};

use crate::{fault::Fault, sql::connection::Transaction};

/// Rows with their messages that one fetch brings.
const RECORDS_AT_ONCE: usize = 2_048;
/// Bytes of messages that are handed out together, give or take one message.
const PIECE_BYTES: usize = 16 << 20;

/// The columns of a question for [`Cursor::records`]; messages of more bytes than that are fetched by themselves.
pub const RECORDS: &str = "arrived, case when octet_length(record) <= 16384 then record end";

const LARGE: &str = "select record from message where workspace = $1 and arrived = $2";

/// An open question.
pub struct Cursor {
    name: String,
    /// Messages that were fetched and not handed out yet; large ones are still to be fetched.
    waiting: VecDeque<(i64, Option<Vec<u8>>)>,
}

impl Cursor {
    /// Asks. The transaction has no other open question of this name, which is made of letters and digits.
    pub fn open(
        transaction: &mut Transaction<'_>,
        name: &str,
        question: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Cursor, Fault> {
        // All rows are going to be fetched, so the first ones need not come fast.
        transaction.run("set local cursor_tuple_fraction = 1")?;
        transaction.query_made(&format!("declare {name} no scroll cursor for {question}"), params)?;
        Ok(Cursor { name: name.to_owned(), waiting: VecDeque::new() })
    }

    /// The next rows; none at the end.
    pub fn rows(&self, transaction: &mut Transaction<'_>, at_once: usize) -> Result<Vec<Row>, Fault> {
        transaction.query_made(&format!("fetch forward {at_once} from {}", self.name), &[])
    }

    /// The next messages in their byte form, each with how many had arrived with it; none at the end. The question has the
    /// columns [`RECORDS`].
    pub fn records(
        &mut self,
        transaction: &mut Transaction<'_>,
        workspace: WorkspaceId,
    ) -> Result<Vec<(i64, Vec<u8>)>, Fault> {
        if self.waiting.is_empty() {
            let rows = self.rows(transaction, RECORDS_AT_ONCE)?;
            self.waiting.extend(rows.iter().map(|row| (row.get(0), row.get(1))));
        }
        let (mut records, mut bytes) = (Vec::with_capacity(self.waiting.len()), 0);
        while bytes < PIECE_BYTES
            && let Some((arrived, record)) = self.waiting.pop_front()
        {
            let record: Vec<u8> = match record {
                Some(record) => record,
                None => transaction.query_one(LARGE, &[&(workspace.0 as i32), &arrived])?.get(0),
            };
            bytes += record.len();
            records.push((arrived, record));
        }
        Ok(records)
    }

    /// Ends the question.
    pub fn close(self, transaction: &mut Transaction<'_>) -> Result<(), Fault> {
        transaction.run(&format!("close {}", self.name))
    }
}
