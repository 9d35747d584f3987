//! Opening a connection.

use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, config::DbConfig, limits::Limit};

use super::{
    functions::replace_quadratic,
    heap,
    permissions::{Refusal, authorize},
    spill,
};
use crate::{
    error::QueryError,
    limits::{
        ARGUMENTS_MAX, COLUMNS_MAX, COMPOUND_MAX, EXPRESSION_DEPTH_MAX, INSTRUCTIONS_MAX, INSTRUCTIONS_PER_LOOK,
        Limits, PARAMETERS_MAX, PATTERN_BYTES_MAX,
    },
    tables::{self, Session},
};

/// An empty database in memory with the tables of a session in it, closed to everything else.
pub fn open(session: &Arc<Session>, limits: &Limits, refusal: &Refusal) -> Result<Connection, QueryError> {
    if !(heap::install() && spill::install()) {
        let says = "SQLite was set up by something else in this process, so memory cannot be bounded";
        return Err(QueryError::Internal(says.to_owned()));
    }
    build(session, limits, refusal).map_err(|error| QueryError::Internal(error.to_string()))
}

fn build(session: &Arc<Session>, limits: &Limits, refusal: &Refusal) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_in_memory_with_flags_and_vfs(flags, spill::NAME)?;
    // What is sorted goes to a file beyond a share of the budget, if there is a place for files; else it ends at the budget.
    let store = if limits.spill.is_some() && limits.spill_bytes_max > 0 { "file" } else { "memory" };
    let sorted_kib = limits.memory_bytes_max / heap::SHARE / 1_024;
    connection.execute_batch(&format!(
        "pragma temp_store = {store}; pragma cache_size = -{sorted_kib}; pragma trusted_schema = off;"
    ))?;
    replace_quadratic(&connection, limits.value_bytes_max)?;
    tables::register(&connection, session)?;
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
        // A column that is misspelt in double quotes is an error, not a text.
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
    ] {
        connection.set_db_config(config, on)?;
    }
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_LENGTH, i32::try_from(limits.value_bytes_max).unwrap_or(i32::MAX)),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, i32::try_from(limits.sql_bytes_max).unwrap_or(i32::MAX)),
        (Limit::SQLITE_LIMIT_COLUMN, COLUMNS_MAX),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, EXPRESSION_DEPTH_MAX),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, COMPOUND_MAX),
        (Limit::SQLITE_LIMIT_VDBE_OP, INSTRUCTIONS_MAX),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, ARGUMENTS_MAX),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES_MAX),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, PARAMETERS_MAX),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, most)?;
    }
    let stop = session.stop.clone();
    connection.progress_handler(INSTRUCTIONS_PER_LOOK, Some(move || stop.reason().is_some()))?;
    let refusal = Arc::clone(refusal);
    connection.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| authorize(&context, &refusal)))?;
    Ok(connection)
}
