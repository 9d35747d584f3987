//! Deleting records, and printing receipts, at a running server.
//!
//! Goes through the API like everyone else; nothing is deleted in a directory that no server uses.

use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::Value;

use super::reach::{self, encoded, target};
use crate::{
    args::{self, Deletable},
    client::{Answer, CallError, Client, Trust},
    config::{environment, settings::Settings},
    exit::{Exit, Failure},
    local::LocalServer,
    output,
};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// What a token for it may do, as `muster keys create` is told.
const SCOPE: &str = "write,read --name delete";

/// Deletes a record and prints its receipt as far as it is.
pub fn delete(settings: &Settings, args: &args::Delete) -> anyhow::Result<Exit> {
    let client = client(settings, &args.at)?;
    let kind = match args.kind {
        Deletable::User => "users",
        Deletable::Account => "accounts",
        Deletable::Organization => "organizations",
    };
    let path = format!("/resources/{kind}/{}", encoded(&args.id));
    // An empty day is no day, which is for the server to say: it must not be taken for "now".
    let on = args.on.as_ref().map(|on| format!("?deleteOn={}", encoded(on))).unwrap_or_default();
    let answer = checked(client.delete(&format!("{path}{on}")))?;
    let receipt = answer.location.context("the server's answer names no receipt")?;
    let body = checked(client.get(&receipt))?.body;
    output::line(body.trim_end())?;
    output::talk(&what_becomes(&serde_json::from_str(&body).context("the server's answer is no receipt")?, &receipt));
    Ok(Exit::Success)
}

/// What a receipt says of the record, for people.
fn what_becomes(receipt: &Value, place: &str) -> String {
    let day = receipt["deleteOn"].as_str().and_then(|at| at.split('T').next());
    match (receipt["status"].as_str(), day) {
        (Some("scheduled"), Some(day)) => format!(
            "still there for every reader until {day} begins (UTC), and deleted then; DELETE {place} calls it off"
        ),
        _ => "gone for every reader; the receipt says \"finished\" once no byte of it is left".to_owned(),
    }
}

/// Prints every receipt, newest first.
pub fn receipts(settings: &Settings, args: &args::Receipts) -> anyhow::Result<Exit> {
    let client = client(settings, &args.at)?;
    let mut from = String::new();
    loop {
        let page = checked(
            client.get(&target("/resources/deletions", &[("limit", "100".to_owned()), ("from", from.clone())])),
        )?;
        let page: Value = serde_json::from_str(&page.body).context("the server's answer is no list of receipts")?;
        for deletion in page["results"].as_array().into_iter().flatten() {
            let id = deletion["id"].as_str().context("a receipt without an id")?;
            output::line(checked(client.get(&format!("/resources/deletions/{id}")))?.body.trim_end())?;
        }
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut from),
            None => return Ok(Exit::Success),
        }
    }
}

/// The server that is named, or the one over the data directory, with a token of the workspace either way.
fn client(settings: &Settings, named: &args::At) -> anyhow::Result<Client> {
    if let Some(client) = reach::of_name(named, SCOPE, REQUEST_TIMEOUT)? {
        return Ok(client);
    }
    let token = named.token.clone().or_else(|| environment::given(environment::TOKEN));
    let token = token.ok_or_else(|| reach::no_token(SCOPE))?;
    let data_dir = &settings.place.data_dir;
    let server = LocalServer::read(data_dir)?.ok_or_else(|| {
        let dir = data_dir.display();
        let says = format!("no server runs over {dir}; start one, or name one with --url: nothing is deleted without");
        Failure::error(Exit::Unreachable, says)
    })?;
    Client::trusting(Trust::Local, &server.url, Some(&token), REQUEST_TIMEOUT)
}

fn checked(answer: Result<Answer, CallError>) -> anyhow::Result<Answer> {
    let answer = answer.map_err(reach::unanswered)?;
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let says = body["error"].as_str().map_or_else(|| answer.body.clone(), str::to_owned);
    Err(anyhow!("the server refused ({}): {says}", answer.status))
}
