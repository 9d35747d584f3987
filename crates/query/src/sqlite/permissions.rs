//! What a statement may name: our tables, SQLite's functions on values, and nothing else.
//!
//! A list of what is allowed, so that something new in SQLite is refused until somebody has looked at it; a test
//! compares the list with the functions of the SQLite that is built in.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::tables;

/// Functions on values. Aggregates and window functions are among them.
const FUNCTIONS: &str = "\
    abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling changes char coalesce concat concat_ws cos cosh \
    count cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp first_value floor \
    format glob group_concat hex if ifnull iif instr json json_array json_array_insert json_array_length \
    json_error_position json_extract json_group_array json_group_object json_insert json_object json_patch json_pretty \
    json_quote json_remove json_replace json_set json_type json_valid jsonb jsonb_array jsonb_array_insert \
    jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch jsonb_remove \
    jsonb_replace jsonb_set julianday lag last_value lead length like likelihood likely ln log log10 log2 lower ltrim \
    max median min mod nth_value ntile nullif octet_length percent_rank percentile percentile_cont percentile_disc pi \
    pow power printf quote radians random randomblob rank replace round row_number rtrim sign sin sinh soundex sqlite_version \
    sqrt string_agg strftime substr substring subtype sum tan tanh time timediff total trim trunc typeof unicode \
    unistr unistr_quote unixepoch unlikely upper zeroblob -> ->>";

/// Functions of the SQLite that is built in which no query may use: they load code, look at SQLite itself, belong to
/// tables that are not here, or take time in the square of their input.
pub const DENIED_FUNCTIONS: &str = "\
    bm25 fts3_tokenizer fts5 fts5_get_locale fts5_insttoken fts5_locale fts5_source_id fts5_expr fts5_expr_tcl fts5_fold \
    fts5_isalnum fts5_rowid highlight last_insert_rowid load_extension match matchinfo offsets optimize regexp \
    rtreecheck rtreedepth rtreenode rtree snippet sqlite_compileoption_get sqlite_compileoption_used sqlite_log \
    sqlite_offset sqlite_source_id total_changes unhex";

/// The functions that queries may use, by name.
pub fn allowed_functions() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.split_ascii_whitespace()
}

/// What was refused, in words, once something was.
pub type Refusal = Arc<Mutex<Option<String>>>;

/// What somebody is told who tries to change something.
pub const ONLY_READS: &str = "a query only reads; send messages to change something";

/// Whether a column of a table may be read. Where no column is read at all, SQLite asks about names of the statement's
/// own too, such as those after `WITH`; then only its own tables are refused.
fn may_read(table: &str, column: &str) -> bool {
    let own = ["sqlite_", "pragma_", "dbstat", "fts", "rtree"];
    let lower = table.to_ascii_lowercase();
    tables::is_known(table) || (column.is_empty() && !own.iter().any(|prefix| lower.starts_with(prefix)))
}

/// Decides about one step of a statement.
pub fn authorize(context: &AuthContext<'_>, refusal: &Refusal) -> Authorization {
    let refused = match context.action {
        AuthAction::Select | AuthAction::Recursive => None,
        AuthAction::Read { table_name, column_name } if may_read(table_name, column_name) => None,
        AuthAction::Read { table_name, .. } => {
            Some(format!("there is no table {table_name} to read; the tables are {}", tables::NAMES.join(", ")))
        }
        AuthAction::Function { function_name } => {
            let known = allowed_functions().any(|known| known.eq_ignore_ascii_case(function_name));
            (!known).then(|| format!("the function {function_name} cannot be used here"))
        }
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => Some("ATTACH cannot be used here".to_owned()),
        AuthAction::Pragma { .. } => Some("PRAGMA cannot be used here".to_owned()),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
            Some("a query is one statement; there is nothing to commit".to_owned())
        }
        _ => Some(ONLY_READS.to_owned()),
    };
    match refused {
        None => Authorization::Allow,
        Some(says) => {
            refusal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(says);
            Authorization::Deny
        }
    }
}
