//! Reading the history in the order of receipt, a bounded piece at a time.
//!
//! Files are ordered by what their readers look for, not by receipt; so each piece takes a look at every row, and keeps
//! the earliest ones that fit. It costs a pass over the history for each piece and no memory or disk beside the piece.

use std::collections::BTreeMap;

use muster_history::{manifest::unreadable, restore};
use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::{error::ReadError, record};

use super::place::{Past, Spot};
use crate::views::Views;

/// Messages and bytes of one piece.
const PIECE_MESSAGES_MAX: usize = 50_000;
const PIECE_BYTES_MAX: usize = 16 << 20;

/// The earliest messages after a place in the history.
#[derive(Default)]
struct Piece {
    messages: BTreeMap<Spot, Vec<u8>>,
    bytes: usize,
    /// What lies here or after does not fit.
    ceiling: Option<Spot>,
}

impl Piece {
    fn takes(&self, spot: Spot) -> bool {
        self.ceiling.is_none_or(|ceiling| spot < ceiling)
    }

    fn put(&mut self, spot: Spot, record: Vec<u8>) {
        self.bytes += record.len();
        self.messages.insert(spot, record);
        while self.messages.len() > PIECE_MESSAGES_MAX || (self.bytes > PIECE_BYTES_MAX && self.messages.len() > 1) {
            let Some((spot, record)) = self.messages.pop_last() else { return };
            self.bytes -= record.len();
            self.ceiling = Some(spot);
        }
    }
}

/// The next messages of the history, in the order of receipt; none at the end. Finds out what the latest one is if that
/// is not known yet.
pub fn read(views: &Views, workspace: WorkspaceId, past: &mut Past) -> Result<Vec<(Spot, Vec<u8>)>, ReadError> {
    let ids = views.id_space(workspace)?;
    let manifest = views.look().manifest.clone();
    let mut piece = Piece::default();
    let mut latest = Micros(i64::MIN);
    for segment in manifest.of(workspace) {
        let odd = || unreadable(segment, &"unexpected columns");
        for batch in restore::batches(segment, None)? {
            let batch = batch?;
            let rows = restore::Rows::of(&batch).ok_or_else(odd)?;
            for row in 0..batch.num_rows() {
                let received_at = rows.received_at(row);
                latest = latest.max(received_at);
                let within = received_at >= past.after.0 && past.until.is_none_or(|until| received_at <= until);
                if !within || piece.ceiling.is_some_and(|ceiling| received_at > ceiling.0) {
                    continue;
                }
                let spot = (received_at, rows.identity(row).ok_or_else(odd)?);
                if spot > past.after && piece.takes(spot) {
                    let mut bytes = Vec::new();
                    record::encode(&rows.message(row, ids).ok_or_else(odd)?, &mut bytes);
                    piece.put(spot, bytes);
                }
            }
        }
    }
    past.until.get_or_insert(latest);
    Ok(piece.messages.into_iter().collect())
}

/// Rows that there are to look at, which are rather too many.
pub fn rows(views: &Views, workspace: WorkspaceId) -> u64 {
    views.look().manifest.of(workspace).map(|segment| segment.rows).sum()
}

#[cfg(test)]
mod tests {
    use muster_model::id::Identity;

    use super::*;

    #[test]
    fn a_piece_keeps_the_earliest_that_fit() {
        let mut piece = Piece::default();
        let large = PIECE_BYTES_MAX / 2;
        for at in [5, 3, 9, 1, 7] {
            let spot = (Micros(at), Identity(0));
            if piece.takes(spot) {
                piece.put(spot, vec![0; large]);
            }
        }
        let kept: Vec<i64> = piece.messages.keys().map(|(at, _)| at.0).collect();
        assert_eq!(kept, [1, 3]);
        assert!(!piece.takes((Micros(5), Identity(0))) && piece.takes((Micros(2), Identity(0))));
        let mut alone = Piece::default();
        alone.put((Micros(1), Identity(0)), vec![0; PIECE_BYTES_MAX + 1]);
        assert_eq!(alone.messages.len(), 1, "one comes in any case");
    }
}
