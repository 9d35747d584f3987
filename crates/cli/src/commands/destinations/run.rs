//! The command: what is asked, and what is printed.
//!
//! Goes through the API like everyone else. A secret is read from a file, so that it stands on no command line; one that
//! the server made is printed once.

use std::{io::Read, path::Path};

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    super::{
        reach::{Reached, encoded, reach, target},
        way::checked,
    },
    shown::table,
};
use crate::{
    args::{self, Destinations},
    config::settings::Settings,
    exit::Exit,
    output,
};

const PATH: &str = "/admin/v1/destinations";
/// What a token for it may do, as `muster keys create` is told.
const SCOPE: &str = "admin --name destinations";
/// Bytes of a file that holds a secret.
const SECRET_BYTES_MAX: u64 = 4_096;

/// Does it and shows what it brought.
pub fn run(settings: &Settings, args: &Destinations) -> anyhow::Result<Exit> {
    reach(settings, args.reach(), SCOPE, |reached| {
        let asked = Asked { reached, workspace: &args.reach().workspace };
        match args {
            Destinations::List(args) => asked.list(args.json),
            Destinations::Create(args) => asked.create(args),
            Destinations::Delete(args) => asked.delete(&args.name),
            Destinations::Pause(args) => asked.pause(&args.name, true),
            Destinations::Resume(args) => asked.pause(&args.name, false),
            Destinations::DeadLetters(args) => asked.letters(&args.name),
            Destinations::Resend(args) => asked.resend(args),
            Destinations::Drop(args) => asked.drop(args),
        }
    })?;
    Ok(Exit::Success)
}

/// A server that is asked about a workspace.
struct Asked<'r> {
    reached: &'r Reached,
    workspace: &'r str,
}

impl Asked<'_> {
    fn target(&self, path: &str, more: &[(&'static str, String)]) -> String {
        let mut parameters = self.reached.workspace(self.workspace);
        parameters.extend_from_slice(more);
        target(path, &parameters)
    }

    fn list(&self, as_json: bool) -> anyhow::Result<()> {
        let answer = self.get(&self.target(PATH, &[]))?;
        let found = answer["results"].as_array().context("the server's answer is no list")?;
        if as_json { output::json(found) } else { output::data(&table(found)) }
    }

    fn create(&self, args: &args::CreateDestination) -> anyhow::Result<()> {
        let mut body = json!({"name": args.name, "kind": args.kind, "from": args.from, "paused": args.paused});
        let texts = |texts: &[String]| (!texts.is_empty()).then(|| json!(texts));
        let secret = args.secret_file.as_deref().map(secret).transpose()?;
        let given = [
            ("url", args.to.as_ref().map(|url| json!(url))),
            ("secret", secret.map(|secret| json!(secret))),
            ("types", texts(&args.types)),
            ("events", texts(&args.events)),
            ("accounts", texts(&args.accounts)),
            ("messagesPerSecond", args.rate.map(|rate| json!(rate))),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        let body = body.to_string();
        let answer = checked(self.reached.client.post(&self.target(PATH, &[]), body.as_bytes(), None))?;
        let made: Value = serde_json::from_str(&answer.body).context("the server's answer is no destination")?;
        match made["secret"].as_str() {
            Some(secret) => {
                output::talk("the secret by which the receiver checks signatures; it is shown this once");
                output::line(secret)
            }
            None => output::data(&table(&[made])),
        }
    }

    fn delete(&self, name: &str) -> anyhow::Result<()> {
        checked(self.reached.client.delete(&self.target(&one(name), &[])))?;
        Ok(())
    }

    fn pause(&self, name: &str, paused: bool) -> anyhow::Result<()> {
        let body = json!({"paused": paused}).to_string();
        let answer = checked(self.reached.client.patch(&self.target(&one(name), &[]), body.as_bytes()))?;
        let changed: Value = serde_json::from_str(&answer.body).context("the server's answer is no destination")?;
        output::data(&table(&[changed]))
    }

    fn letters(&self, name: &str) -> anyhow::Result<()> {
        let path = format!("{}/dead-letters", one(name));
        let mut from = String::new();
        loop {
            let answer =
                checked(self.reached.client.get(&self.target(&path, &[("limit", "100".to_owned()), ("from", from)])))?;
            let page: Page = serde_json::from_str(&answer.body).context("the server's answer is no list")?;
            page.results.iter().try_for_each(|letter| output::line(letter.get()))?;
            match page.next {
                Some(next) => from = next,
                None => return Ok(()),
            }
        }
    }

    fn resend(&self, args: &args::Letters) -> anyhow::Result<()> {
        let path = format!("{}/dead-letters/resend", one(&args.name));
        let path = self.target(&path, &[("letter", args.letter.clone().unwrap_or_default())]);
        let answer = checked(self.reached.client.post(&path, b"", None))?;
        output::talk(&format!("{} dead letters are sent again", count(&answer.body)));
        Ok(())
    }

    fn drop(&self, args: &args::Letters) -> anyhow::Result<()> {
        let path = format!("{}/dead-letters", one(&args.name));
        let path = match &args.letter {
            Some(letter) => format!("{path}/{}", encoded(letter)),
            None => path,
        };
        let answer = checked(self.reached.client.delete(&self.target(&path, &[])))?;
        let count = if args.letter.is_some() { 1 } else { count(&answer.body) };
        output::talk(&format!("{count} dead letters are dropped"));
        Ok(())
    }

    fn get(&self, target: &str) -> anyhow::Result<Value> {
        let answer = checked(self.reached.client.get(target))?;
        serde_json::from_str(&answer.body).context("the server's answer is no JSON")
    }
}

/// A page of dead letters, each as the server tells it.
#[derive(Deserialize)]
struct Page {
    results: Vec<Box<RawValue>>,
    next: Option<String>,
}

fn one(name: &str) -> String {
    format!("{PATH}/{}", encoded(name))
}

fn count(body: &str) -> u64 {
    serde_json::from_str::<Value>(body).ok().and_then(|body| body["count"].as_u64()).unwrap_or(0)
}

/// The secret in a file, or on standard input.
fn secret(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(SECRET_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text)
    };
    read.with_context(|| format!("{} cannot be read", path.display()))?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(anyhow!("{} holds more than {SECRET_BYTES_MAX} bytes, which no secret has", path.display()));
    }
    Ok(text.trim().to_owned())
}
