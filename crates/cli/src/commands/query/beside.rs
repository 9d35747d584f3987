//! By asking a server.

use std::{io::Read, time::Duration};

use anyhow::anyhow;
use muster_query::{Format, Params};
use serde_json::{Value, json};

use super::{super::reach::unanswered, order::Order};
use crate::client::Client;

/// Longer than any server lets a query run.
pub const TIMEOUT: Duration = Duration::from_secs(2 * 3_600);
/// Bytes taken of an answer at a time.
const PIECE_BYTES: usize = 64 << 10;

/// Asks a server; hands its answer on piece by piece.
pub fn carry_out(
    client: &Client,
    order: &Order,
    workspace: Option<&str>,
    take: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let form = match order.format() {
        Format::Json => "json",
        Format::Csv => "csv",
        Format::Parquet => "parquet",
    };
    let of = workspace.map_or_else(String::new, |workspace| format!("&workspace={workspace}"));
    let params = match &order.request.params {
        Params::None => Value::Null,
        Params::Positional(values) => values.clone().into(),
        Params::Named(values) => values.clone().into(),
    };
    let body = json!({"sql": order.request.sql, "params": params}).to_string();
    let (status, mut answer) =
        client.stream(&format!("/query?format={form}{of}"), body.as_bytes()).map_err(unanswered)?;
    if status != 200 {
        let mut text = String::new();
        let _ = answer.take(1 << 20).read_to_string(&mut text);
        return Err(anyhow!("{}", sentence(&text)));
    }
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = answer.read(&mut piece).map_err(|error| {
            anyhow!("the answer broke off ({error}): it had more rows than may be answered, or took too long; as JSON it says which")
        })?;
        if count == 0 {
            return Ok(());
        }
        take(&piece[..count])?;
    }
}

/// The sentence in an error of any of the server's forms, with its place in the statement.
fn sentence(body: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let error = &value["error"];
    let first = &error["errors"][0];
    let message = first["message"].as_str().or(error["message"].as_str()).or(error.as_str()).unwrap_or(body);
    match first["position"].as_u64() {
        Some(position) => format!("{message} (at byte {position} of the statement)"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_every_form_become_a_sentence() {
        let coded = r#"{"error":{"message":"no such column: x","errors":[{"code":"invalid_sql","message":"no such column: x","position":7}]}}"#;
        assert_eq!(sentence(coded), "no such column: x (at byte 7 of the statement)");
        assert_eq!(sentence(r#"{"error":"there is no such workspace"}"#), "there is no such workspace");
        assert_eq!(sentence("<html>"), "<html>");
    }
}
