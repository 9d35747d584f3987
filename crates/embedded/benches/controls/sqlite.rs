//! SQLite as a store of messages: one transaction a group, synced, one writer.

use std::path::Path;

use rusqlite::{Connection, Transaction, params};

use crate::group::{Folded, Row};

const SCHEMA: &str = "
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma cache_size = -131072;
    create table identities (id blob primary key, content integer) without rowid;
    create table messages (id blob, kind integer, at integer, received_at integer, user_id text, account_id text,
        organization_id text, name text, data text);
    create index messages_by_user on messages (user_id, at);
    create index messages_by_account on messages (account_id, at);
    create table records (kind integer, id text, known integer, updated integer, first_seen integer, last_seen integer,
        primary key (kind, id)) without rowid;
    create table traits (kind integer, id text, key text, at integer, by blob, value text, primary key (kind, id, key))
        without rowid;
    create table links (user_id text, account_id text, at integer, by blob, primary key (user_id, account_id))
        without rowid;";

const IDENTITY: &str = "insert into identities values (?, ?) on conflict do nothing";
const MESSAGE: &str = "insert into messages values (?, ?, ?, ?, ?, ?, ?, ?, ?)";
const RECORD: &str = "insert into records values (?, ?, ?, ?, ?, ?) on conflict do update set
    known = min(known, excluded.known), updated = max(updated, excluded.updated),
    first_seen = coalesce(min(first_seen, excluded.first_seen), first_seen, excluded.first_seen),
    last_seen = coalesce(max(last_seen, excluded.last_seen), last_seen, excluded.last_seen)";
const TRAIT: &str = "insert into traits values (?, ?, ?, ?, ?, ?) on conflict do update set
    at = excluded.at, by = excluded.by, value = excluded.value where (excluded.at, excluded.by) > (at, by)";
const LINK: &str = "insert into links values (?, ?, ?, ?) on conflict do update set
    at = excluded.at, by = excluded.by where (excluded.at, excluded.by) > (at, by)";

/// An open store.
pub struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    /// An empty one.
    pub fn create(dir: &Path) -> rusqlite::Result<Sqlite> {
        let connection = Connection::open(dir.join("control.db"))?;
        connection.execute_batch(SCHEMA)?;
        Ok(Sqlite { connection })
    }

    /// Writes a group; how many of its messages were new. They are on disk when it returns.
    pub fn write(&mut self, rows: &[Row]) -> rusqlite::Result<usize> {
        let transaction = self.connection.transaction()?;
        let mut new = Vec::with_capacity(rows.len());
        {
            let mut identity = transaction.prepare(IDENTITY)?;
            let mut message = transaction.prepare(MESSAGE)?;
            for row in rows {
                if identity.execute(params![row.identity, row.content])? == 0 {
                    continue;
                }
                let (id, kind) = (&row.identity, row.kind);
                let named = (&row.user, &row.account, &row.organization);
                message.execute(params![
                    id,
                    kind,
                    row.at,
                    row.received_at,
                    named.0,
                    named.1,
                    named.2,
                    row.name,
                    row.data
                ])?;
                new.push(row);
            }
        }
        fold(&transaction, &Folded::of(new.iter().copied()))?;
        transaction.commit()?;
        Ok(new.len())
    }

    /// How many messages it holds.
    pub fn count(&self) -> rusqlite::Result<i64> {
        self.connection.query_row("select count(*) from messages", [], |row| row.get(0))
    }
}

fn fold(transaction: &Transaction<'_>, folded: &Folded) -> rusqlite::Result<()> {
    let mut record = transaction.prepare(RECORD)?;
    for ((kind, id), instants) in &folded.records {
        let (first, last) = instants.seen.unzip();
        record.execute(params![kind, id, instants.known, instants.updated, first, last])?;
    }
    let mut stated = transaction.prepare(TRAIT)?;
    for (((kind, id), key), ((at, by), value)) in &folded.traits {
        stated.execute(params![kind, id, key, at, by, value])?;
    }
    let mut link = transaction.prepare(LINK)?;
    for ((user, account), (at, by)) in &folded.links {
        link.execute(params![user, account, at, by])?;
    }
    Ok(())
}
