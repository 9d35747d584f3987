//! From a request to what is asked: the statement, its parameters, the form of the answer, the workspace.

use axum::{
    extract::Request,
    http::{HeaderMap, header::ACCEPT},
    response::{IntoResponse, Response},
};
use muster_query::{Format, Params, Request as Sql};
use muster_store::credentials::Workspace;
use serde_json::Value;

use crate::{
    error::ApiError,
    ingest,
    keys::{Caller, unread},
    resources::query::Query,
    state::AppState,
    violation::Violation,
};

/// Bytes of a body besides the statement: its parameters.
const PARAMETERS_BYTES_MAX: usize = 4 << 20;

/// What is asked, by whom of which workspace.
pub(super) struct Ask {
    pub sql: Sql,
    pub format: Format,
    pub workspace: Workspace,
}

/// Reads a request. The error is a whole answer, because it may have to close the connection.
pub(super) async fn read(state: &AppState, caller: Caller, request: Request) -> Result<Ask, Response> {
    let (head, mut body) = request.into_parts();
    let taken = async {
        let parameters = Query::of(&head.uri);
        let workspace = caller.workspace(state, &parameters)?;
        let format = format(&parameters, &head.headers)?;
        let bytes_max = state.settings.body_bytes_max.min(PARAMETERS_BYTES_MAX);
        let (bytes, _reservation) = ingest::whole(state, &head, &mut body, bytes_max).await?;
        Ok(Ask { sql: statement(&bytes)?, format, workspace })
    };
    taken.await.map_err(|error: ApiError| unread(body, error.into_response()))
}

fn format(parameters: &Query, headers: &HeaderMap) -> Result<Format, ApiError> {
    if let Some(name) = parameters.filled("format") {
        return Format::parse(name).ok_or_else(|| ApiError::parameter("format must be one of json, csv, parquet"));
    }
    let accepted = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let mut kinds = accepted.flat_map(|value| value.split(',')).map(|kind| kind.split(';').next().unwrap_or("").trim());
    let known = kinds.find_map(|kind| match kind {
        "text/csv" => Some(Format::Csv),
        "application/vnd.apache.parquet" => Some(Format::Parquet),
        "application/json" | "application/*" | "*/*" => Some(Format::Json),
        _ => None,
    });
    Ok(known.unwrap_or(Format::Json))
}

fn statement(bytes: &[u8]) -> Result<Sql, ApiError> {
    let invalid = |violation| Err(ApiError::Invalid(vec![violation]));
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        ApiError::parameter(format!("the body is not JSON ({error}); send {{\"sql\":\"select ...\",\"params\":[]}}"))
    })?;
    let Value::Object(mut members) = value else { return invalid(Violation::type_of("", "object")) };
    let sql = match members.remove("sql") {
        Some(Value::String(sql)) => sql,
        Some(_) => return invalid(Violation::type_of("/sql", "string")),
        None => return invalid(Violation::required("sql")),
    };
    let params = match members.remove("params") {
        None | Some(Value::Null) => Params::None,
        Some(Value::Array(values)) if values.is_empty() => Params::None,
        Some(Value::Array(values)) => Params::Positional(values),
        Some(Value::Object(values)) if values.is_empty() => Params::None,
        Some(Value::Object(values)) => Params::Named(values),
        Some(_) => return invalid(Violation::type_of("/params", "array")),
    };
    match members.keys().next() {
        Some(unknown) => invalid(Violation::additional(unknown)),
        None => Ok(Sql { sql, params }),
    }
}
