//! `traits`: everything that was ever stated about a trait, one row for each key of each message.

use std::{collections::VecDeque, sync::Arc};

use muster_model::{
    json::{Walk, unescape},
    kind::Kind as MessageKind,
};
use muster_store::{rows::Column as Stored, scan::Wanted};

use super::{
    Table,
    column::{Column, Kind},
    json,
    plan::Lookup,
    session::Session,
    source::{Cell, Messages, Opened, Source},
};
use crate::error::QueryError;

/// Columns of `traits`.
pub const COLUMNS: &[Column] = &[
    Column::names("kind", 3),
    Column::names("id", 10_000),
    Column::plain("key", Kind::Text),
    Column::plain("value", Kind::Any),
    Column::time("timestamp"),
    Column::plain("received_at", Kind::Instant),
];

/// The kinds of message that state traits, and the column that names whose they are.
const STATING: [(MessageKind, Stored); 4] = [
    (MessageKind::Organization, Stored::Organization),
    (MessageKind::Account, Stored::Account),
    (MessageKind::User, Stored::User),
    (MessageKind::CustomObjectInstance, Stored::External),
];

/// The rows that a lookup leaves.
pub fn open(session: &Arc<Session>, lookup: Lookup) -> Opened {
    let kinds = lookup.names_of(Table::Traits, "kind");
    let asked = STATING.into_iter().filter(|(kind, _)| kinds.is_none_or(|kinds| kinds.contains(kind.as_str())));
    let asked: Vec<(MessageKind, Stored)> = asked.collect();
    let mut wanted = Wanted {
        kinds: asked.iter().map(|(kind, _)| *kind).collect(),
        first: lookup.bounds.first,
        last: lookup.bounds.last,
        columns: asked.iter().map(|(_, column)| *column).chain([Stored::Traits]).collect(),
        ..Wanted::everything()
    };
    if let ([(_, column)], Some(ids)) = (&asked[..], lookup.names_of(Table::Traits, "id").cloned()) {
        let names = match column {
            Stored::Organization => Some(&mut wanted.organizations),
            Stored::Account => Some(&mut wanted.accounts),
            Stored::User => Some(&mut wanted.users),
            _ => None,
        };
        if let Some(names) = names {
            *names = Some(ids);
        }
    }
    Ok(Box::new(Stated {
        messages: Messages::open(session, wanted)?,
        ready: VecDeque::new(),
        current: None,
        member: 0,
    }))
}

/// A key and its value as JSON text.
type Member = (String, String);

/// Rows of `traits`.
struct Stated {
    messages: Messages,
    ready: VecDeque<Member>,
    current: Option<Member>,
    /// Which member of its message it stands at.
    member: u16,
}

impl Stated {
    /// The members of the message it stands at, of several with one key the last.
    fn members(&self) -> VecDeque<Member> {
        let Some(text) = self.messages.batch.text(Stored::Traits, self.messages.row()) else {
            return VecDeque::new();
        };
        let mut members: Vec<Member> = Vec::new();
        let mut walk = Walk::new(text, 0);
        if walk.peek() == b'{' {
            walk.members(0, |_, member| {
                let key = unescape(member.raw_key).map_or_else(|mended| mended, std::borrow::Cow::into_owned);
                members.push((key, member.value.to_owned()));
            });
        }
        members.reverse();
        members.sort_by(|one, other| one.0.cmp(&other.0));
        members.dedup_by(|later, kept| later.0 == kept.0);
        members.into()
    }

    fn kind(&self) -> Option<MessageKind> {
        self.messages.batch.kinds.get(self.messages.row()).copied()
    }
}

impl Source for Stated {
    fn advance(&mut self) -> Result<bool, QueryError> {
        loop {
            self.current = self.ready.pop_front();
            self.member = self.member.wrapping_add(1);
            if self.current.is_some() {
                return Ok(true);
            }
            if !self.messages.advance()? {
                return Ok(false);
            }
            (self.ready, self.member) = (self.members(), 0);
        }
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        let (row, batch) = (self.messages.row(), &self.messages.batch);
        let Some((key, value)) = &self.current else { return Cell::Null };
        match column {
            0 => Cell::text(self.kind().map(MessageKind::as_str)),
            1 => {
                let whose = STATING.iter().find(|(kind, _)| Some(*kind) == self.kind());
                Cell::text(whose.and_then(|(_, column)| batch.text(*column, row)))
            }
            2 => Cell::text(Some(key.as_str())),
            3 => json::value(value),
            4 => Cell::instant(batch.timestamps.get(row).copied()),
            5 => Cell::instant(batch.received_at.get(row).copied()),
            _ => Cell::Null,
        }
    }

    fn row_number(&self) -> i64 {
        let message = self.messages.batch.numbers.get(self.messages.row()).copied().unwrap_or(0);
        (message << 16 | u64::from(self.member)) as i64
    }
}
