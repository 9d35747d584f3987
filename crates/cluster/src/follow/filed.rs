//! Messages after a number of arrival, in its order, as followers read them.
//!
//! Files are sorted by what else is looked for, so a piece of the history costs a look at the numbers of each file that may hold
//! some of them; the messages of the piece alone are read whole. Knows nothing of what lies in the table.

use std::{
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use muster_history::{
    manifest::{Segment, unreadable},
    restore::{self, Rows},
    scan, schema,
};
use muster_store::record;

use crate::{fault::Fault, read::book::Book};

/// Messages and bytes of one piece; one message comes in any case.
const PIECE_MESSAGES_MAX: usize = 20_000;
const PIECE_BYTES_MAX: usize = 16 << 20;

/// The messages in files that arrived first after a number.
#[derive(Default)]
pub struct Piece {
    begins: i64,
    messages: BTreeMap<i64, Vec<u8>>,
    bytes: usize,
    /// What arrived with this one or after it is not in here.
    ceiling: Option<i64>,
    /// Up to where messages lie in files.
    filed: i64,
}

impl Piece {
    /// Whether it has what comes next after a number.
    pub fn covers(&self, place: i64) -> bool {
        (self.begins..self.end()).contains(&place)
    }

    fn put(&mut self, arrived: i64, record: Vec<u8>) {
        if self.ceiling.is_some_and(|ceiling| arrived >= ceiling) {
            return;
        }
        self.bytes += record.len();
        self.messages.insert(arrived, record);
        while self.bytes > PIECE_BYTES_MAX && self.messages.len() > 1 {
            let Some((arrived, record)) = self.messages.pop_last() else { return };
            self.bytes -= record.len();
            self.ceiling = Some(arrived);
        }
    }

    /// The messages after a number that are in here, in order.
    pub fn after(&self, place: i64) -> impl Iterator<Item = (i64, &[u8])> {
        self.messages.range(place + 1..).map(|(arrived, record)| (*arrived, record.as_slice()))
    }

    /// Up to where it holds everything that files have.
    pub fn end(&self) -> i64 {
        self.ceiling.map_or(self.filed, |ceiling| ceiling - 1)
    }
}

fn numbers(book: &Book<'_, '_>, segment: &Arc<Segment>, mut visit: impl FnMut(u64, i64)) -> Result<(), Fault> {
    let footer = book.archive().footers().of(segment)?;
    let whole = 0..segment.rows;
    scan::read(&footer, &[whole], &[schema::KIND, schema::ARRIVED], |rows, batch| {
        let odd = || unreadable(segment, &"unexpected columns");
        let arrivals = scan::arrivals(batch).ok_or_else(odd)?;
        rows.iter().zip(arrivals.values()).for_each(|(row, arrived)| visit(*row, *arrived));
        Ok(())
    })?;
    Ok(())
}

/// The files that may hold messages after a number.
fn segments_after(book: &Book<'_, '_>, place: i64) -> Result<Vec<Arc<Segment>>, Fault> {
    let mut segments = book.segments()?;
    segments.retain(|segment| segment.arrivals.is_some_and(|(_, last)| last as i64 > place));
    Ok(segments)
}

/// Reads the messages that arrived first after a number, of those in files, which hold all up to another.
pub fn read(book: &Book<'_, '_>, place: i64, filed: i64) -> Result<Piece, Fault> {
    let segments = segments_after(book, place)?;
    // The first ones, the last of them on top, and where they lie.
    let mut first: BinaryHeap<(i64, usize, u64)> = BinaryHeap::new();
    let mut piece = Piece { begins: place, filed, ..Piece::default() };
    for (file, segment) in segments.iter().enumerate() {
        let begins = segment.arrivals.map_or(0, |(first, _)| first as i64);
        if first.len() == PIECE_MESSAGES_MAX && first.peek().is_some_and(|(last, ..)| begins > *last) {
            piece.ceiling = Some(piece.ceiling.map_or(begins, |ceiling| ceiling.min(begins)));
            continue;
        }
        numbers(book, segment, |row, arrived| {
            if arrived <= place {
                return;
            }
            first.push((arrived, file, row));
            if first.len() > PIECE_MESSAGES_MAX
                && let Some((left_out, ..)) = first.pop()
            {
                piece.ceiling = Some(piece.ceiling.map_or(left_out, |ceiling| ceiling.min(left_out)));
            }
        })?;
    }
    let mut wanted: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    first.into_iter().for_each(|(_, file, row)| wanted.entry(file).or_default().push(row));
    let ids = book.ids()?;
    for (file, mut rows) in wanted {
        let segment = &segments[file];
        let odd = || unreadable(segment, &"unexpected columns");
        rows.sort_unstable();
        for batch in restore::some(segment, &rows)? {
            let batch = batch?;
            let rows = Rows::of(&batch).ok_or_else(odd)?;
            for row in 0..batch.num_rows() {
                let mut bytes = Vec::new();
                record::encode(&rows.message(row, ids).ok_or_else(odd)?, &mut bytes);
                piece.put(rows.arrived(row).ok_or_else(odd)? as i64, bytes);
            }
        }
    }
    Ok(piece)
}

/// How many messages after a number lie in files.
pub fn count(book: &Book<'_, '_>, place: i64) -> Result<u64, Fault> {
    let mut count = 0;
    for segment in segments_after(book, place)? {
        match segment.arrivals {
            Some((first, _)) if first as i64 > place => count += segment.rows,
            _ => numbers(book, &segment, |_, arrived| count += u64::from(arrived > place))?,
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_keeps_what_arrived_first() {
        let mut piece = Piece::default();
        for arrived in [5, 3, 9, 1, 7] {
            piece.put(arrived, vec![0; PIECE_BYTES_MAX / 2]);
        }
        assert_eq!(piece.after(0).map(|(arrived, _)| arrived).collect::<Vec<_>>(), [1, 3]);
        assert_eq!((piece.end(), piece.after(1).count()), (4, 1));
        assert!(piece.covers(0) && piece.covers(3) && !piece.covers(4));
        let mut alone = Piece { filed: 9, ..Piece::default() };
        alone.put(1, vec![0; PIECE_BYTES_MAX + 1]);
        assert_eq!((alone.after(0).count(), alone.end()), (1, 9), "one comes in any case");
    }
}
