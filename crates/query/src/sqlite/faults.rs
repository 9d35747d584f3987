//! What SQLite's errors mean.

use std::sync::PoisonError;

use rusqlite::{Error, ErrorCode};

use super::{
    heap::Budget,
    permissions::{ONLY_READS, Refusal},
    spill::Allowance,
};
use crate::{error::QueryError, tables::Session};

/// What a failed call means. A reason to stop and a failure of a table come first: SQLite knows of them only that it was
/// interrupted or that a table failed.
pub fn meaning(
    error: &Error,
    session: &Session,
    refusal: &Refusal,
    (budget, allowance): (&Budget, &Allowance),
) -> QueryError {
    if let Some(failure) = session.failure() {
        return failure;
    }
    let (code, message, position) = match error {
        Error::SqlInputError { error, msg, offset, .. } => {
            (Some(error.code), msg.clone(), usize::try_from(*offset).ok())
        }
        Error::SqliteFailure(error, message) => {
            (Some(error.code), message.clone().unwrap_or_else(|| error.to_string()), None)
        }
        Error::MultipleStatement => {
            (None, "a query is one statement; leave out what follows the semicolon".to_owned(), None)
        }
        other => (None, other.to_string(), None),
    };
    match code {
        Some(ErrorCode::OperationInterrupted) => session.stop.reason().unwrap_or(QueryError::Cancelled),
        _ if allowance.was_exceeded() => QueryError::TooMuchSorted,
        Some(ErrorCode::TooBig) => QueryError::ValueTooLarge,
        Some(ErrorCode::OutOfMemory) => QueryError::TooMuchMemory { bytes: budget.bytes_max() },
        _ if budget.was_exceeded() => QueryError::TooMuchMemory { bytes: budget.bytes_max() },
        Some(ErrorCode::AuthorizationForStatementDenied) => {
            let says = refusal.lock().unwrap_or_else(PoisonError::into_inner).clone();
            QueryError::NotAllowed { message: says.unwrap_or(message) }
        }
        _ => {
            let refused = refusal.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match refused {
                Some(message) => QueryError::NotAllowed { message },
                None if message.contains("may not be modified") || message.contains("cannot modify") => {
                    QueryError::NotAllowed { message: ONLY_READS.to_owned() }
                }
                None => QueryError::Sql { message, position },
            }
        }
    }
}
