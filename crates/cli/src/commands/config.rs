//! `muster config`: every setting, its value in force, and where that comes from.
//!
//! Variables that carry tokens are named when they are set, and never shown.

use std::borrow::Cow;

use serde::Serialize;

use crate::{
    args,
    config::{cluster::without_secret, environment, known, known::Value, settings::Settings, values::Given},
    exit::Exit,
    output,
};

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    value: ShownValue<'a>,
    origin: String,
    variable: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ShownValue<'a> {
    Text(Cow<'a, str>),
    Number(u64),
}

/// Prints the settings.
pub fn run(settings: &Settings, args: &args::Config) -> anyhow::Result<Exit> {
    if args.default {
        output::data(known::DEFAULT_FILE)?;
        return Ok(Exit::Success);
    }
    let shown: Vec<Shown<'_>> = settings.values.all().map(|(name, given)| show(name, given)).collect();
    if args.json {
        output::json(&shown)?;
    } else {
        output::data(&output::table(&rows(&shown)))?;
    }
    for secret in [environment::BOOTSTRAP_TOKEN, environment::TOKEN] {
        if std::env::var_os(secret).is_some() {
            output::talk(&format!("{secret} is set; secrets are not shown"));
        }
    }
    Ok(Exit::Success)
}

fn show<'a>(name: &'a str, given: &'a Given) -> Shown<'a> {
    let value = match &given.value {
        // Whoever may see the settings need not see the passwords.
        Value::Text(text) if name.ends_with("_url") => ShownValue::Text(without_secret(text).into()),
        Value::Text(text) => ShownValue::Text(text.into()),
        Value::Number(number) => ShownValue::Number(*number),
    };
    Shown { name, value, origin: given.origin.to_string(), variable: environment::variable_of(name) }
}

fn rows(shown: &[Shown<'_>]) -> Vec<Vec<String>> {
    let heading = ["setting", "value", "from"].map(str::to_owned).to_vec();
    let row = |shown: &Shown<'_>| {
        let value = match &shown.value {
            ShownValue::Text(text) => text.to_string(),
            ShownValue::Number(number) => number.to_string(),
        };
        vec![shown.name.to_owned(), value, shown.origin.clone()]
    };
    std::iter::once(heading).chain(shown.iter().map(row)).collect()
}
