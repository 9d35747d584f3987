//! PostgreSQL as a store of messages: one transaction a group, a statement for many rows, `synchronous_commit` on.

use std::collections::HashSet;

use postgres::{Client, Error, NoTls, Statement};

use crate::group::{Folded, Row};

const SCHEMA: &str = "
    drop table if exists identities, messages, records, traits, links;
    create table identities (id bytea primary key, content bigint);
    create table messages (id bytea, kind smallint, at bigint, received_at bigint, user_id text, account_id text,
        organization_id text, name text, data text);
    create index messages_by_user on messages (user_id, at);
    create index messages_by_account on messages (account_id, at);
    create table records (kind smallint, id text, known bigint, updated bigint, first_seen bigint, last_seen bigint,
        primary key (kind, id));
    create table traits (kind smallint, id text, key text, at bigint, by bytea, value text, primary key (kind, id, key));
    create table links (user_id text, account_id text, at bigint, by bytea, primary key (user_id, account_id));";

const IDENTITIES: &str = "insert into identities select * from unnest($1::bytea[], $2::bigint[])
    on conflict do nothing returning id";
const MESSAGES: &str = "insert into messages select * from unnest($1::bytea[], $2::smallint[], $3::bigint[],
    $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])";
const RECORDS: &str = "insert into records select * from unnest($1::smallint[], $2::text[], $3::bigint[], $4::bigint[],
    $5::bigint[], $6::bigint[]) on conflict (kind, id) do update set known = least(records.known, excluded.known),
    updated = greatest(records.updated, excluded.updated),
    first_seen = least(records.first_seen, excluded.first_seen),
    last_seen = greatest(records.last_seen, excluded.last_seen)";
const TRAITS: &str = "insert into traits select * from unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[],
    $5::bytea[], $6::text[]) on conflict (kind, id, key) do update set at = excluded.at, by = excluded.by,
    value = excluded.value where (excluded.at, excluded.by) > (traits.at, traits.by)";
const LINKS: &str = "insert into links select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[])
    on conflict (user_id, account_id) do update set at = excluded.at, by = excluded.by
    where (excluded.at, excluded.by) > (links.at, links.by)";

/// One connection.
pub struct Postgresql {
    client: Client,
    identities: Statement,
    messages: Statement,
    records: Statement,
    traits: Statement,
    links: Statement,
}

/// Empties the database and makes the tables.
pub fn create(url: &str) -> Result<(), Error> {
    Client::connect(url, NoTls)?.batch_execute(SCHEMA)
}

/// How many messages it holds, and the bytes of the database.
pub fn figures(url: &str) -> Result<(i64, i64), Error> {
    let mut client = Client::connect(url, NoTls)?;
    let row = client.query_one("select (select count(*) from messages), pg_database_size(current_database())", &[])?;
    Ok((row.get(0), row.get(1)))
}

impl Postgresql {
    /// Connects to a database that has the tables.
    pub fn connect(url: &str) -> Result<Postgresql, Error> {
        let mut client = Client::connect(url, NoTls)?;
        client.batch_execute("set synchronous_commit = on")?;
        Ok(Postgresql {
            identities: client.prepare(IDENTITIES)?,
            messages: client.prepare(MESSAGES)?,
            records: client.prepare(RECORDS)?,
            traits: client.prepare(TRAITS)?,
            links: client.prepare(LINKS)?,
            client,
        })
    }

    /// Writes a group; how many of its messages were new. They are on disk when it returns.
    pub fn write(&mut self, rows: &[Row]) -> Result<usize, Error> {
        let mut transaction = self.client.transaction()?;
        let ids: Vec<&[u8]> = rows.iter().map(|row| row.identity.as_slice()).collect();
        let contents: Vec<i64> = rows.iter().map(|row| row.content).collect();
        let fresh: HashSet<Vec<u8>> =
            transaction.query(&self.identities, &[&ids, &contents])?.iter().map(|row| row.get(0)).collect();
        let new: Vec<&Row> = rows.iter().filter(|row| fresh.contains(&row.identity)).collect();
        transaction.execute(
            &self.messages,
            &[
                &column(&new, |row| row.identity.as_slice()),
                &column(&new, |row| row.kind),
                &column(&new, |row| row.at),
                &column(&new, |row| row.received_at),
                &column(&new, |row| row.user.as_deref()),
                &column(&new, |row| row.account.as_deref()),
                &column(&new, |row| row.organization.as_deref()),
                &column(&new, |row| row.name.as_deref()),
                &column(&new, |row| row.data.as_str()),
            ],
        )?;
        let folded = Folded::of(new.iter().copied());
        let records: Vec<_> = folded.records.iter().collect();
        transaction.execute(
            &self.records,
            &[
                &column(&records, |(id, _)| id.0),
                &column(&records, |(id, _)| id.1.as_str()),
                &column(&records, |(_, instants)| instants.known),
                &column(&records, |(_, instants)| instants.updated),
                &column(&records, |(_, instants)| instants.seen.map(|(first, _)| first)),
                &column(&records, |(_, instants)| instants.seen.map(|(_, last)| last)),
            ],
        )?;
        let traits: Vec<_> = folded.traits.iter().collect();
        transaction.execute(
            &self.traits,
            &[
                &column(&traits, |((id, _), _)| id.0),
                &column(&traits, |((id, _), _)| id.1.as_str()),
                &column(&traits, |((_, key), _)| key.as_str()),
                &column(&traits, |(_, ((at, _), _))| *at),
                &column(&traits, |(_, ((_, by), _))| by.as_slice()),
                &column(&traits, |(_, (_, value))| value.as_str()),
            ],
        )?;
        let links: Vec<_> = folded.links.iter().collect();
        transaction.execute(
            &self.links,
            &[
                &column(&links, |((user, _), _)| user.as_str()),
                &column(&links, |((_, account), _)| account.as_str()),
                &column(&links, |(_, (at, _))| *at),
                &column(&links, |(_, (_, by))| by.as_slice()),
            ],
        )?;
        transaction.commit()?;
        Ok(new.len())
    }
}

fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
