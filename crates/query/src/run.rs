//! Running one query.
//!
//! In this order: the budget starts, a connection is opened, the statement is compiled, and only then is a moment taken,
//! so that what was acknowledged until then is in the answer and a statement that is wrong costs nothing.

use std::sync::{Arc, Mutex};

use muster_model::id::WorkspaceId;
use muster_store::scan::{Scans, Work};
use rusqlite::{Connection, Statement};

pub use crate::tables::TraitNames;
use crate::{
    error::QueryError,
    limits::Limits,
    output::{Ended, Format, Out, Writer},
    request::Request,
    sqlite::{connection, faults, heap::Budget, permissions::Refusal, spill::Allowance},
    stop::Stop,
    tables::Session,
};

/// What queries are asked of: a workspace of a store, by its number and its name.
pub struct Engine<'s> {
    pub store: &'s dyn Scans,
    pub workspace: (WorkspaceId, &'s str),
    pub names: TraitNames,
}

/// What became of a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows of the answer.
    pub rows: u64,
    /// Whether there were more.
    pub truncated: bool,
    /// What was looked at for it.
    pub work: Work,
}

/// Answers a query, on this thread, into `out`. When nothing was written yet, an error is all there is; after that it
/// is in the answer or the answer has no end, as the form has it.
pub fn run(
    engine: &Engine<'_>,
    request: &Request,
    limits: &Limits,
    format: Format,
    stop: Stop,
    out: &mut dyn Out,
) -> Result<Summary, QueryError> {
    if request.sql.len() > limits.sql_bytes_max {
        return Err(QueryError::TooLong { bytes: request.sql.len(), bytes_max: limits.sql_bytes_max });
    }
    match attempt(engine, request, limits, (format, limits.memory_bytes_max), stop.clone(), out) {
        // Nothing has gone out yet.
        Err(QueryError::NotSorted) => attempt(engine, request, limits, (format, 0), stop, out),
        ended => ended,
    }
}

/// The part of the memory of a query that its tables may hold besides, of records that were looked up.
const FOUND_SHARE: usize = 4;

/// The same, once. Tables may take so many bytes for putting their rows into an order; when that is not enough and
/// nothing has gone out yet, the error says so.
fn attempt(
    engine: &Engine<'_>,
    request: &Request,
    limits: &Limits,
    (format, sorted_bytes_max): (Format, usize),
    stop: Stop,
    out: &mut dyn Out,
) -> Result<Summary, QueryError> {
    let budget = Budget::start(limits.memory_bytes_max);
    let allowance = Allowance::start(limits.spill.as_ref(), limits.spill_bytes_max);
    let names = engine.names.clone();
    let found_bytes_max = (limits.memory_bytes_max / FOUND_SHARE) as u64;
    let session =
        Arc::new(Session::new(engine.store, engine.workspace, names, stop, sorted_bytes_max, found_bytes_max));
    let refusal: Refusal = Arc::new(Mutex::new(None));
    let connection = connection::open(&session, limits, &refusal)?;
    let context = Context { session: &session, refusal: &refusal, bounds: (&budget, &allowance) };
    let mut statement = context.prepare(&connection, request)?;
    session.take_moment(engine.store, engine.workspace.0)?;
    let mut writer = Writer::new(format, &statement, limits, out)?;
    let stepped = context.step(&mut statement, &mut writer);
    let work = session.moment().map(|moment| moment.work()).unwrap_or_default();
    let (rows, truncated) = match stepped {
        Ok(truncated) => (writer.rows(), truncated),
        Err(QueryError::NotSorted) if writer.has_begun() => {
            return Err(writer.fail(QueryError::TooMuchMemory { bytes: budget.bytes_max() }, work));
        }
        Err(error) => return Err(writer.fail(error, work)),
    };
    writer.end(&Ended { truncated, work, error: None })?;
    Ok(Summary { rows, truncated, work })
}

/// What errors of SQLite are explained with.
struct Context<'c> {
    session: &'c Arc<Session>,
    refusal: &'c Refusal,
    bounds: (&'c Budget, &'c Allowance),
}

impl Context<'_> {
    fn meaning(&self, error: &rusqlite::Error) -> QueryError {
        faults::meaning(error, self.session, self.refusal, self.bounds)
    }

    fn prepare<'c>(&self, connection: &'c Connection, request: &Request) -> Result<Statement<'c>, QueryError> {
        let mut statement = connection.prepare(&request.sql).map_err(|error| self.meaning(&error))?;
        if statement.column_count() == 0 || !statement.readonly() {
            let message = "the statement has no result; send one SELECT, WITH or VALUES".to_owned();
            return Err(QueryError::Sql { message, position: None });
        }
        request.params.bind(&mut statement)?;
        Ok(statement)
    }

    /// Hands out every row; whether there were more than may be handed out.
    fn step(&self, statement: &mut Statement<'_>, writer: &mut Writer<'_>) -> Result<bool, QueryError> {
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| self.meaning(&error))? {
            if !writer.may_take_more()? {
                return Ok(true);
            }
            self.session.stop.check()?;
            writer.row(row, columns)?;
        }
        Ok(false)
    }
}
