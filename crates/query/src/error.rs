//! What went wrong, for whoever asked.
//!
//! Sentences here may quote the SQL that was sent, which only its sender sees; they are never logged.

use muster_store::error::ReadError;

/// Why a query has no answer, or none that is whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// SQLite does not take the statement; with the byte of the text at which it stopped, if it knows.
    #[error("{message}")]
    Sql { message: String, position: Option<usize> },
    /// The statement asks for something that no query may do.
    #[error("{message}")]
    NotAllowed { message: String },
    /// The values given do not fit the statement's parameters.
    #[error("{0}")]
    Parameters(String),
    /// The text is too long.
    #[error(
        "the statement has {bytes} bytes, at most {bytes_max} are taken; pass long lists as a parameter and read them with json_each(?)"
    )]
    TooLong { bytes: usize, bytes_max: usize },
    /// It ran for too long.
    #[error("the query ran for {seconds} seconds, which is all it may take; narrow it by account, event or time")]
    TooSlow { seconds: u64 },
    /// It needed too much memory.
    #[error("the query needs more than {bytes} bytes of memory; group or filter earlier, or ask for fewer columns")]
    TooMuchMemory { bytes: usize },
    /// One value would be too long.
    #[error(
        "one value would be longer than a value may be; put fewer texts together, or shorten them with substr(text, 1, 100)"
    )]
    ValueTooLarge,
    /// It needed too much room in temporary files.
    #[error(
        "the query sorts or groups more than may be written to temporary files; group or filter earlier, or ask for fewer columns"
    )]
    TooMuchSorted,
    /// Rows could not be put into an order by the table itself. Never told: the query begins anew and leaves it to SQLite.
    #[error("the rows were not put into an order")]
    NotSorted,
    /// The answer is larger than a form that cannot say so may be.
    #[error("the answer has more than {rows_max} rows or {bytes_max} bytes; add a LIMIT, or ask for less")]
    TooLarge { rows_max: u64, bytes_max: usize },
    /// Nobody waits for the answer any more.
    #[error("the query was cancelled")]
    Cancelled,
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// SQLite failed in a way that no statement should bring about.
    #[error("{0}")]
    Internal(String),
}

impl QueryError {
    /// The code by which a program tells what is wrong.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            QueryError::Sql { .. } => "invalid_sql",
            QueryError::NotAllowed { .. } => "not_allowed",
            QueryError::Parameters(_) => "invalid_parameters",
            QueryError::TooLong { .. } => "sql_too_long",
            QueryError::TooSlow { .. } => "query_too_slow",
            QueryError::TooMuchMemory { .. } | QueryError::TooMuchSorted | QueryError::ValueTooLarge => {
                "query_too_large"
            }
            QueryError::TooLarge { .. } => "answer_too_large",
            QueryError::Cancelled => "cancelled",
            QueryError::NotSorted | QueryError::Read(_) | QueryError::Internal(_) => "failed",
        }
    }
}
