//! Connections and transactions.
//!
//! A transaction says in the same breath whose rows it is about, and the database holds it to that. Statements are
//! prepared once a connection.

use std::time::Duration;

use muster_model::id::WorkspaceId;
use postgres::{Client, Row, SimpleQueryMessage, Statement, types::ToSql};
use rustc_hash::FxHashMap;

use super::address::Address;
use crate::fault::Fault;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A machine at the other end that is gone says nothing; it is asked after so long, so often, and given up for gone. Whoever reads
/// waits for that.
const PEER_QUIET: Duration = Duration::from_secs(4);
const PEER_ASKED: Duration = Duration::from_secs(2);
const PEER_ASKED_MAX: u32 = 2;
const PEER_TIMEOUT: Duration = Duration::from_secs(8);
/// The same at the other end: what a node held that is gone, others have to get.
const NOTICE: &str = "set tcp_keepalives_idle = 4; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 2;
    set tcp_user_timeout = '8s'";

/// Rows that are fetched at a time.
const FETCHED_MAX: usize = 5_000;

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Reads, all of one instant.
    Read,
    /// Changes.
    Write,
}

/// One connection.
pub struct Connection {
    client: Client,
    prepared: FxHashMap<&'static str, Statement>,
}

impl Connection {
    /// Connects.
    pub fn open(address: &Address) -> Result<Connection, Fault> {
        let address = address.map(|config| {
            if config.get_connect_timeout().is_none() {
                config.connect_timeout(CONNECT_TIMEOUT);
            }
            if config.get_tcp_user_timeout().is_none() {
                config
                    .tcp_user_timeout(PEER_TIMEOUT)
                    .keepalives_idle(PEER_QUIET)
                    .keepalives_interval(PEER_ASKED)
                    .keepalives_retries(PEER_ASKED_MAX);
            }
        });
        let mut client = address.connect()?;
        client.batch_execute(NOTICE)?;
        Ok(Connection { client, prepared: FxHashMap::default() })
    }

    /// Whether it is gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Asks one question outside a transaction.
    pub fn ask(&mut self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fault> {
        let statement = self.prepare(sql)?;
        Ok(self.client.query(&statement, params)?)
    }

    /// Begins a transaction about a workspace, or about what belongs to none.
    pub fn begin(&mut self, mode: Mode, workspace: Option<WorkspaceId>) -> Result<Transaction<'_>, Fault> {
        let begin = match mode {
            Mode::Read => "begin isolation level repeatable read, read only",
            Mode::Write => "begin",
        };
        let whose = workspace.map_or_else(String::new, |workspace| workspace.0.to_string());
        self.client.batch_execute(&format!("{begin}; set local muster.workspace = '{whose}'"))?;
        Ok(Transaction { connection: self, open: true, cursors: 0 })
    }

    /// Begins a transaction that reads, and tells how far each lane is folded in, as it sees it.
    pub fn begin_with_lanes(
        &mut self,
        whose: Option<WorkspaceId>,
    ) -> Result<(Transaction<'_>, Vec<(u32, u64)>), Fault> {
        let whose = whose.map_or_else(String::new, |workspace| workspace.0.to_string());
        let told = self.client.simple_query(&format!(
            "begin isolation level repeatable read, read only; set local muster.workspace = '{whose}';
            select lane, sequence from lane"
        ))?;
        let transaction = Transaction { connection: self, open: true, cursors: 0 };
        let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).ok_or(Fault::Damaged("a lane"));
        let mut positions = Vec::new();
        for message in told {
            if let SimpleQueryMessage::Row(row) = message {
                positions.push((number(row.get(0))? as u32, number(row.get(1))?));
            }
        }
        Ok((transaction, positions))
    }

    /// Goes on with a transaction that was left open. It stays open.
    pub fn go_on(&mut self) -> Transaction<'_> {
        Transaction { connection: self, open: false, cursors: 0 }
    }

    /// Takes back a transaction that was left open.
    pub fn take_back(&mut self) -> Result<(), Fault> {
        Ok(self.client.batch_execute("rollback")?)
    }

    fn prepare(&mut self, sql: &'static str) -> Result<Statement, Fault> {
        if let Some(known) = self.prepared.get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.prepared.insert(sql, statement.clone());
        Ok(statement)
    }
}

/// A transaction; taken back unless it is committed.
pub struct Transaction<'c> {
    connection: &'c mut Connection,
    open: bool,
    cursors: u32,
}

/// Rows that are still to come.
pub struct Cursor {
    fetch: String,
    close: String,
}

impl Transaction<'_> {
    /// Goes on with another workspace's rows.
    pub fn enter(&mut self, workspace: WorkspaceId) -> Result<(), Fault> {
        Ok(self.connection.client.batch_execute(&format!("set local muster.workspace = '{}'", workspace.0))?)
    }

    pub fn query(&mut self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fault> {
        let statement = self.connection.prepare(sql)?;
        Ok(self.connection.client.query(&statement, params)?)
    }

    pub fn query_opt(&mut self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Fault> {
        let statement = self.connection.prepare(sql)?;
        Ok(self.connection.client.query_opt(&statement, params)?)
    }

    pub fn query_one(&mut self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Fault> {
        let statement = self.connection.prepare(sql)?;
        Ok(self.connection.client.query_one(&statement, params)?)
    }

    /// The same for statements that are put together; not prepared.
    pub fn query_made(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fault> {
        Ok(self.connection.client.query(sql, params)?)
    }

    /// Hands rows over some at a time as they are asked for, however many there are; stops when told to. Between two times
    /// the transaction may be used for anything else, and what it changes is not seen here.
    pub fn open_cursor(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Cursor, Fault> {
        self.cursors += 1;
        let name = format!("cursor_{}", self.cursors);
        self.connection.client.execute(&format!("declare {name} no scroll cursor for {sql}"), params)?;
        Ok(Cursor { fetch: format!("fetch forward {FETCHED_MAX} from {name}"), close: format!("close {name}") })
    }

    /// The next rows of a cursor; none at its end.
    pub fn fetch(&mut self, cursor: &Cursor) -> Result<Vec<Row>, Fault> {
        let rows = self.connection.client.query(&cursor.fetch, &[])?;
        if rows.is_empty() {
            self.connection.client.batch_execute(&cursor.close)?;
        }
        Ok(rows)
    }

    /// Hands rows over one after the other; stops when told to.
    pub fn each(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        mut take: impl FnMut(&Row) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let cursor = self.open_cursor(sql, params)?;
        loop {
            let rows = self.fetch(&cursor)?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                if !take(row)? {
                    return self.run(&cursor.close);
                }
            }
        }
    }

    /// Runs statements without parameters.
    pub fn run(&mut self, sql: &str) -> Result<(), Fault> {
        Ok(self.connection.client.batch_execute(sql)?)
    }

    pub fn execute(&mut self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Fault> {
        let statement = self.connection.prepare(sql)?;
        Ok(self.connection.client.execute(&statement, params)?)
    }

    /// Leaves it open, for [`Connection::go_on`].
    pub fn leave_open(mut self) {
        self.open = false;
    }

    /// Makes it last. When this fails nobody knows whether it did.
    pub fn commit(mut self) -> Result<(), Fault> {
        self.open = false;
        Ok(self.connection.client.batch_execute("commit")?)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            // A connection that cannot do this is broken, which the next use finds.
            let _ = self.connection.client.batch_execute("rollback");
        }
    }
}
