//! Messages being read, piece by piece.

use std::{
    cell::RefCell,
    sync::{Arc, atomic::Ordering},
};

use muster_model::{id::IdSpace, kind::Kind, message::Message, profile::Parent, time::Micros};
use muster_store::{
    attribution::{Place, Subject},
    error::ReadError,
    record,
    rows::{Column, RowBatch, Whereabouts},
    scan::{SCAN_ROWS_MAX, Scan, Wanted},
};

use super::{
    filed::Filed,
    held::Held,
    places::{self, Known},
    question::{self, Left},
};
use crate::{
    fault::Fault,
    read::{book::Book, cursor::Cursor},
    sql::values::At,
};

/// A scan with the moment it reads from.
pub struct Reading {
    held: Arc<Held>,
    /// Nothing when it is at its end, or failed.
    open: Option<Open>,
    failed: bool,
}

/// What goes to the moment's thread and comes back.
struct Open {
    wanted: Wanted,
    ids: IdSpace,
    /// Nothing once the table is at its end.
    cursor: Option<Cursor>,
    left: Left,
    known: RefCell<Known>,
    /// Nothing once files are, too.
    filed: Option<Filed>,
}

impl Reading {
    pub(super) fn begin(held: Arc<Held>, wanted: Wanted) -> Result<Reading, Fault> {
        let (name, ids) = (held.question(), held.ids);
        let moment = Arc::clone(&held);
        let open = held.ask(move |book| {
            let Some((cursor, left)) = question::ask(book, &name, &wanted)? else { return Ok(None) };
            let filed = Filed::new(&moment, book, &wanted)?;
            Ok(Some(Open { wanted, ids, cursor: Some(cursor), left, known: RefCell::default(), filed }))
        })?;
        Ok(Reading { held, open, failed: false })
    }
}

impl Scan for Reading {
    fn next(&mut self, batch: &mut RowBatch) -> Result<bool, ReadError> {
        batch.clear();
        if self.failed {
            return Err(ReadError::Failed { what: "the scan failed before".to_owned() });
        }
        let Some(mut open) = self.open.take() else { return Ok(false) };
        let (mut rows, held) = (std::mem::take(batch), Arc::clone(&self.held));
        let read = self.held.ask(move |book| {
            let more = open.next(&held, book, &mut rows)?;
            Ok((open, rows, more))
        });
        let (open, rows, more) = read.inspect_err(|_| self.failed = true)?;
        *batch = rows;
        self.open = Some(open);
        Ok(more)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(cursor) = self.open.take().and_then(|open| open.cursor) {
            self.held.tell(move |book| cursor.close(&mut book.transaction()));
        }
    }
}

fn name(parent: &Option<Parent>) -> Option<&str> {
    parent.as_ref().map(|parent| &*parent.external_id)
}

impl Open {
    /// Puts the next rows into a batch, which may be none; `false` at the end.
    fn next(&mut self, held: &Held, book: &Book<'_, '_>, batch: &mut RowBatch) -> Result<bool, Fault> {
        if let Some(mut cursor) = self.cursor.take() {
            let looked_at = self.read(&mut cursor, book, batch)?;
            held.rows.fetch_add(looked_at as u64, Ordering::Relaxed);
            match looked_at {
                0 => cursor.close(&mut book.transaction())?,
                _ => self.cursor = Some(cursor),
            }
            return Ok(true);
        }
        let more = self.filed.as_mut().map_or(Ok(false), |filed| filed.read(held, book, batch))?;
        if !more {
            self.filed = None;
        }
        Ok(more)
    }

    /// Puts the next rows of the table into a batch; how many were looked at.
    fn read(&self, cursor: &mut Cursor, book: &Book<'_, '_>, batch: &mut RowBatch) -> Result<usize, Fault> {
        if self.left == Left::Nothing {
            return self.copy(cursor, book, batch);
        }
        let records = cursor.records(&mut book.transaction(), book.of())?;
        let messages = records.iter().map(|(_, bytes)| record::decode(bytes)).collect::<Result<Vec<_>, _>>()?;
        let numbered = records.iter().map(|(arrived, _)| *arrived as u64).zip(&messages);
        let columns = &self.wanted.columns;
        if self.left == Left::Names {
            for (number, message) in numbered {
                let names = Whereabouts::named_in(message);
                if self.is_wanted(names, message) {
                    batch.push(number, message, names, columns);
                }
            }
            return Ok(records.len());
        }
        let mut attributor = places::of(book, self.ids, &self.known, &messages)?;
        for (number, message) in numbered {
            let Place { user, account, organization } = attributor.place(Subject::of(message))?;
            let place = Whereabouts { user: name(&user), account: name(&account), organization: name(&organization) };
            if self.is_wanted(place, message) {
                let shown = if self.wanted.shown_as_named { Whereabouts::named_in(message) } else { place };
                batch.push(number, message, shown, columns);
            }
        }
        Ok(records.len())
    }

    /// The same without a look at messages.
    fn copy(&self, cursor: &Cursor, book: &Book<'_, '_>, batch: &mut RowBatch) -> Result<usize, Fault> {
        let rows = cursor.rows(&mut book.transaction(), SCAN_ROWS_MAX)?;
        let events = self.wanted.columns.contains(&Column::Event);
        for row in &rows {
            let kind = Kind::from_number(row.get::<_, i16>(1) as u8).ok_or(Fault::Damaged("the kind of a message"))?;
            let [sent_at, received_at]: [Micros; 2] = [2, 3].map(|column| row.get::<_, At>(column).0);
            batch.numbers.push(row.get::<_, i64>(0) as u64);
            batch.kinds.push(kind);
            batch.timestamps.push(sent_at);
            batch.received_at.push(received_at);
            if events {
                let event = row.get::<_, Option<&[u8]>>(4).map(std::str::from_utf8).transpose();
                batch.column_mut(Column::Event).push(event.map_err(|_| Fault::Damaged("the name of an event"))?);
            }
        }
        Ok(rows.len())
    }

    /// Whether a message that belongs there is wanted; the tables were asked everything but names.
    fn is_wanted(&self, place: Whereabouts<'_>, message: &Message<'_>) -> bool {
        let Whereabouts { user, account, organization } = place;
        let event = message.name.as_deref().filter(|_| message.kind == Kind::Track);
        self.wanted.named(organization, account, user, event)
    }
}
