//! `links`: which user belongs to which account or organization, as far as the latest statement about the two links them.
//!
//! A row about an account has the account's organization beside it; a row about an organization has no account.

use std::{collections::VecDeque, sync::Arc};

use muster_model::{association::Link, kind::RecordKind, profile::Profile, time::Micros};

use super::{
    Table,
    column::{Column, Kind},
    plan::Lookup,
    records::{Walk, number_of},
    session::Session,
    source::{Cell, Opened, Source},
};
use crate::error::QueryError;

/// Columns of `links`.
pub const COLUMNS: &[Column] = &[
    Column::names("user_id", 1_000_000),
    Column::names("account_id", 1_000),
    Column::plain("organization_id", Kind::Text),
    Column::plain("since", Kind::Instant),
];

/// The links that a lookup leaves.
pub fn open(session: &Arc<Session>, lookup: Lookup) -> Opened {
    let names = |column| lookup.names_of(Table::Links, column);
    let users = if let Some(users) = names("user_id") {
        Walk::named(session, RecordKind::User, users.iter().map(|name| session.ids.record(RecordKind::User, name)))
    } else if let Some(accounts) = names("account_id") {
        let ids = accounts.iter().map(|name| session.ids.record(RecordKind::Account, name));
        Walk::children(session, RecordKind::Account, ids, RecordKind::User)?
    } else {
        Walk::everything(session, RecordKind::User)
    };
    let asks_organization = lookup.uses(2);
    Ok(Box::new(Links {
        session: Arc::clone(session),
        users,
        asks_organization,
        ready: VecDeque::new(),
        current: None,
    }))
}

/// One link.
struct Row {
    account: Option<Box<str>>,
    organization: Option<Box<str>>,
    since: Micros,
    number: i64,
}

/// Rows of `links`.
struct Links {
    session: Arc<Session>,
    users: Walk,
    asks_organization: bool,
    ready: VecDeque<Row>,
    current: Option<Row>,
}

impl Links {
    fn of_user(&self, user: &Profile) -> Result<VecDeque<Row>, QueryError> {
        let Some(body) = user.as_user() else { return Ok(VecDeque::new()) };
        let number = |link: &Link| number_of(user.id).rotate_left(23) ^ number_of(link.parent);
        let mut rows = VecDeque::new();
        for link in body.accounts.standing() {
            let organization = match self.asks_organization {
                true => self.organization_of(link)?,
                false => None,
            };
            let account = Some(link.external_id.clone());
            rows.push_back(Row { account, organization, since: link.linked.at, number: number(link) });
        }
        for link in body.organizations.standing() {
            let organization = Some(link.external_id.clone());
            rows.push_back(Row { account: None, organization, since: link.linked.at, number: number(link) });
        }
        Ok(rows)
    }

    fn organization_of(&self, account: &Link) -> Result<Option<Box<str>>, QueryError> {
        let account = self.session.record(RecordKind::Account, account.parent)?;
        let organization = account.as_ref().and_then(|account| account.profile.as_account()?.parent());
        Ok(organization.map(|organization| organization.external_id.clone()))
    }
}

impl Source for Links {
    fn advance(&mut self) -> Result<bool, QueryError> {
        loop {
            self.current = self.ready.pop_front();
            if self.current.is_some() {
                return Ok(true);
            }
            if !self.users.advance()? {
                return Ok(false);
            }
            if let Some(user) = self.users.record() {
                self.ready = self.of_user(&user.profile)?;
            }
        }
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        let Some(row) = &self.current else { return Cell::Null };
        match column {
            0 => Cell::text(self.users.record().map(|user| &*user.profile.external_id)),
            1 => Cell::text(row.account.as_deref()),
            2 => Cell::text(row.organization.as_deref()),
            3 => Cell::Instant(row.since),
            _ => Cell::Null,
        }
    }

    fn row_number(&self) -> i64 {
        self.current.as_ref().map_or(0, |row| row.number)
    }
}
