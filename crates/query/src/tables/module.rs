//! The virtual tables as SQLite calls them.
//!
//! One module serves every table. SQLite calls in from C, so a panic must not leave here: it becomes an error.
#![expect(
    unsafe_code,
    reason = "SQLite's virtual tables are C structures that begin with its own; rusqlite makes the layout a promise of ours"
)]

use std::{
    borrow::Cow,
    ffi::{CStr, CString, c_int},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rusqlite::{
    Connection, Error, Result,
    types::{Null, ToSqlOutput, ValueRef},
    vtab::{
        Context, Filters, IndexInfo, Module, VTab, VTabConfig, VTabConnection, VTabCursor, sqlite3_vtab,
        sqlite3_vtab_cursor,
    },
};

use super::{
    Table, daily,
    instants::InstantText,
    plan,
    session::Session,
    source::{Cell, Nothing, Source},
};
use crate::error::QueryError;

/// Makes the tables known to a connection.
pub fn register(connection: &Connection, session: &Arc<Session>) -> Result<()> {
    const MODULE: &Module<'static, Shown> = &Module::eponymous_only_module();
    for table in Table::ALL {
        // Where its rows cannot be put into an order in memory, it is a view.
        if table == Table::Daily && !session.sorts(daily::NUMBERS) {
            connection.execute_batch(daily::VIEW)?;
        } else {
            connection.create_module(table.name(), MODULE, Some((table, Arc::clone(session))))?;
        }
    }
    Ok(())
}

/// A table in a connection.
#[repr(C)]
struct Shown {
    /// SQLite's part.
    base: sqlite3_vtab,
    table: Table,
    session: Arc<Session>,
}

// SAFETY: the structure has C's layout and begins with SQLite's part, which SQLite alone touches.
unsafe impl VTab<'_> for Shown {
    type Aux = (Table, Arc<Session>);
    type Cursor = Cursor;

    fn connect(
        connection: &mut VTabConnection,
        aux: Option<&Self::Aux>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _arguments: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        connection.config(VTabConfig::Innocuous)?;
        let (table, session) = aux.ok_or_else(|| Error::ModuleError("a table without a session".to_owned()))?;
        let declaration = CString::new(table.declaration())?;
        let shown = Shown { base: sqlite3_vtab::default(), table: *table, session: Arc::clone(session) };
        Ok((Cow::Owned(declaration), shown))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let sorts = |numbers| self.session.sorts(numbers);
        guarded(&self.session, || plan::choose(self.table, rows_of(self.table, &self.session), &sorts, info))?;
        Ok(true)
    }

    fn open(&mut self) -> Result<Cursor> {
        let (table, session, asked) = (self.table, Arc::clone(&self.session), Asked::default());
        Ok(Cursor {
            base: sqlite3_vtab_cursor::default(),
            table,
            session,
            source: Box::new(Nothing),
            asked,
            ended: true,
        })
    }
}

/// About how many rows a table has.
fn rows_of(table: Table, session: &Session) -> u64 {
    let [organizations, accounts, users, ..] = session.extent.records;
    match table {
        Table::Organizations => organizations,
        Table::Accounts => accounts,
        Table::Users | Table::Links => users,
        Table::Events | Table::Messages | Table::Traits => session.extent.messages,
        // What is done once in an account on a day is seldom done once.
        Table::Daily => session.extent.messages / 2,
    }
}

/// A walk through a table.
#[repr(C)]
struct Cursor {
    /// SQLite's part.
    base: sqlite3_vtab_cursor,
    table: Table,
    session: Arc<Session>,
    source: Box<dyn Source>,
    /// What the source was opened for.
    asked: Asked,
    ended: bool,
}

/// A lookup of one name, as SQLite writes it: asked for again it has the same rows.
#[derive(Default)]
struct Asked {
    written: String,
    name: Option<String>,
}

impl Asked {
    /// Takes note of a lookup; whether it is the same as the one before.
    fn again(&mut self, written: &str, values: &Filters<'_>) -> bool {
        let name = match values.iter().next() {
            Some(ValueRef::Text(text)) if values.len() == 1 => std::str::from_utf8(text).ok(),
            _ => None,
        };
        let again = name.is_some() && self.name.as_deref() == name && self.written == written;
        if !again {
            written.clone_into(&mut self.written);
            self.name = name.map(str::to_owned);
        }
        again
    }
}

// SAFETY: the structure has C's layout and begins with SQLite's part, which SQLite alone touches.
unsafe impl VTabCursor for Cursor {
    fn filter(&mut self, _number: c_int, written: Option<&str>, values: &Filters<'_>) -> Result<()> {
        let session = Arc::clone(&self.session);
        guarded(&session, || {
            let written = written.unwrap_or_default();
            if self.asked.again(written, values) && self.source.rewind() {
                return self.step();
            }
            let lookup = plan::lookup(self.table, written, values)?;
            self.source = match lookup.nothing {
                true => Box::new(Nothing),
                false => self.table.open(&self.session, lookup).map_err(|error| session.fail(error))?,
            };
            self.step()
        })
    }

    fn next(&mut self) -> Result<()> {
        let session = Arc::clone(&self.session);
        guarded(&session, || self.step())
    }

    fn eof(&self) -> bool {
        self.ended
    }

    fn column(&self, context: &mut Context, column: c_int) -> Result<()> {
        let text = |text: &str, context: &mut Context| {
            context.set_result(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())))
        };
        match self.source.cell(usize::try_from(column).unwrap_or(usize::MAX)) {
            Cell::Null => context.set_result(Null),
            Cell::Integer(integer) => context.set_result(integer),
            Cell::Real(real) => context.set_result(real),
            Cell::Text(shown) => text(&shown, context),
            Cell::Day(at) => match InstantText::of(at) {
                Some(shown) => text(shown.day(), context),
                None => context.set_result(Null),
            },
            Cell::Instant(at) => match InstantText::of(at) {
                Some(shown) => text(shown.as_str(), context),
                None => text(&at.to_millis_text(), context),
            },
        }
    }

    fn rowid(&self) -> Result<i64> {
        Ok(self.source.row_number())
    }
}

impl Cursor {
    fn step(&mut self) -> Result<()> {
        let more = self.source.advance().map_err(|error| self.session.fail(error))?;
        self.ended = !more;
        Ok(())
    }
}

/// Runs what may fail; a panic is a failure too.
fn guarded<T>(session: &Session, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(session.fail(QueryError::Internal("a table panicked; please report it".to_owned()))))
}
