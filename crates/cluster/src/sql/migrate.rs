//! The tables, version by version.
//!
//! Migrations run in the order of their numbers, each in a transaction of its own, under a lock, so that several nodes that
//! are upgraded at once do it once. A server starts on the version it knows and on no other.

use super::{
    address::Address,
    connection::{Connection, Mode},
};
use crate::fault::Fault;

/// Every step: its number is its place, from 1.
const STEPS: [&str; 4] = [
    include_str!("../../migrations/0001.sql"),
    include_str!("../../migrations/0002.sql"),
    include_str!("../../migrations/0003.sql"),
    include_str!("../../migrations/0004.sql"),
];

/// The version that this program works with.
pub const VERSION: i32 = STEPS.len() as i32;

/// Held by whoever migrates.
const LOCK: i64 = 0x6d75_7374_6572;

/// Where a database stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has no tables of ours.
    Empty,
    At(i32),
}

/// Looks at which version a database is.
pub fn standing(connection: &mut Connection) -> Result<Standing, Fault> {
    let there = connection.ask("select to_regclass('muster_version') is not null", &[])?;
    if !there[0].get::<_, bool>(0) {
        return Ok(Standing::Empty);
    }
    let rows = connection.ask("select version from muster_version", &[])?;
    Ok(rows.first().map_or(Standing::Empty, |row| Standing::At(row.get(0))))
}

/// What migrating did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    pub from: Standing,
    pub to: i32,
}

/// Brings a database to the version of this program. One that is further on is left alone, with an error.
pub fn migrate(config: &Address) -> Result<Migrated, MigrateError> {
    let mut connection = Connection::open(config)?;
    let mut transaction = connection.begin(Mode::Write, None)?;
    // Held until the end of the transaction, in which all steps are made or none.
    transaction.execute("select pg_advisory_xact_lock($1)", &[&LOCK])?;
    transaction.execute("create table if not exists muster_version (one bool primary key default true check (one), version int4 not null)", &[])?;
    let known = transaction.query_opt("select version from muster_version", &[])?;
    let from = known.map_or(Standing::Empty, |row| Standing::At(row.get(0)));
    let done = match from {
        Standing::Empty => 0,
        Standing::At(version) if version > VERSION => return Err(MigrateError::Newer { version }),
        Standing::At(version) => version,
    };
    for step in STEPS.iter().skip(done as usize) {
        transaction.run(step)?;
    }
    transaction.execute(
        "insert into muster_version (version) values ($1) on conflict (one) do update set version = excluded.version",
        &[&VERSION],
    )?;
    transaction.commit()?;
    Ok(Migrated { from, to: VERSION })
}

/// Why a database was not migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(
        "the database is at version {version} of the tables and this program knows {VERSION}; run the program that \
         migrated it, or a newer one"
    )]
    Newer { version: i32 },
    #[error(transparent)]
    Url(crate::options::InvalidUrl),
    #[error(transparent)]
    Fault(#[from] Fault),
}
