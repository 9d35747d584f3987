//! Which nodes serve, and up to which version each has taken in what all of them hold in memory.
//!
//! A node says so when it starts, whenever it has taken something in, and every few seconds; one that ends in order strikes
//! itself out. One that has not said anything for a while counts as gone. Never decides what becomes of a lane: locks do.

use crate::{fault::Fault, sql::connection::Connection};

/// A node is gone that said nothing for so many seconds: some more than twice as long as between two times that it says so.
pub const ALIVE_SECONDS: i32 = 12;

const SAY: &str = "insert into node (id, version) values ($1, $2)
    on conflict (id) do update set version = excluded.version, seen_at = now()";
const FORGET: &str = "delete from node where seen_at < now() - interval '1 hour'";
const STRIKE: &str = "delete from node where id = $1";
const BEHIND: &str = "select exists (select from node where version < $1 and id <> $3
    and seen_at > now() - make_interval(secs => $2::int4))";
const ALIVE: &str = "select count(*) from node where seen_at > now() - make_interval(secs => $1::int4)";

/// A node serves, and has taken in what all hold up to a version.
pub fn say(connection: &mut Connection, node: u64, version: i64) -> Result<(), Fault> {
    connection.ask(SAY, &[&(node as i64), &version])?;
    Ok(())
}

/// Forgets nodes that are gone for long.
pub fn forget(connection: &mut Connection) -> Result<(), Fault> {
    connection.ask(FORGET, &[])?;
    Ok(())
}

/// A node serves no more.
pub fn strike(connection: &mut Connection, node: u64) -> Result<(), Fault> {
    connection.ask(STRIKE, &[&(node as i64)])?;
    Ok(())
}

/// Whether some other node has not taken in a version yet.
pub fn is_behind(connection: &mut Connection, node: u64, version: i64) -> Result<bool, Fault> {
    Ok(connection.ask(BEHIND, &[&version, &ALIVE_SECONDS, &(node as i64)])?[0].get(0))
}

/// How many nodes serve.
pub fn alive(connection: &mut Connection) -> Result<i64, Fault> {
    Ok(connection.ask(ALIVE, &[&ALIVE_SECONDS])?[0].get(0))
}
