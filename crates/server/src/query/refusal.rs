//! What a failed query is answered with: a status, and the error in the shape of all errors that have codes.

use axum::http::StatusCode;
use muster_query::QueryError;
use muster_store::error::ReadError;

use crate::wire::object::Object;

/// The status.
pub(crate) fn status(error: &QueryError) -> StatusCode {
    match error {
        QueryError::Sql { .. }
        | QueryError::NotAllowed { .. }
        | QueryError::Parameters(_)
        | QueryError::TooLong { .. } => StatusCode::BAD_REQUEST,
        QueryError::TooSlow { .. }
        | QueryError::TooMuchMemory { .. }
        | QueryError::TooMuchSorted
        | QueryError::ValueTooLarge
        | QueryError::TooLarge { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        QueryError::Read(ReadError::TooLarge { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
        QueryError::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        QueryError::NotSorted
        | QueryError::Read(ReadError::Damaged { .. } | ReadError::Failed { .. })
        | QueryError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The sentence for the client. Sentences about the statement are SQLite's; what failed inside is not shown.
pub(crate) fn says(error: &QueryError) -> String {
    match error {
        QueryError::NotSorted | QueryError::Read(_) | QueryError::Internal(_) => {
            "the server failed to answer this query; whoever runs it finds more in its log".to_owned()
        }
        QueryError::Sql { .. }
        | QueryError::NotAllowed { .. }
        | QueryError::Parameters(_)
        | QueryError::TooLong { .. }
        | QueryError::TooSlow { .. }
        | QueryError::TooMuchMemory { .. }
        | QueryError::TooMuchSorted
        | QueryError::ValueTooLarge
        | QueryError::TooLarge { .. }
        | QueryError::Cancelled => error.to_string(),
    }
}

/// Logs what a client is not told.
pub(crate) fn log(error: &QueryError) {
    if let QueryError::Read(ReadError::Damaged { .. } | ReadError::Failed { .. }) | QueryError::Internal(_) = error {
        tracing::error!(%error, "a query failed");
    }
}

/// Writes the error.
pub(crate) fn write(object: &mut Object<'_>, error: &QueryError) {
    let says = says(error);
    object.text("message", &says);
    object.list("errors", |list| {
        list.object(|one| {
            one.text("code", error.code());
            one.text("instancePath", if matches!(error, QueryError::Parameters(_)) { "/params" } else { "/sql" });
            one.text("message", &says);
            if let QueryError::Sql { position: Some(position), .. } = error {
                one.number("position", *position as u64);
            }
        });
    });
}
