//! Listing imports.

use anyhow::Context;
use serde_json::Value;

use super::{
    super::{
        reach::{reach, target},
        way::checked,
    },
    known::PATH,
    shown::table,
};
use crate::{args, config::settings::Settings, exit::Exit, output};

/// Prints the imports of a workspace.
pub fn list(settings: &Settings, args: &args::ListImports) -> anyhow::Result<Exit> {
    reach(settings, &args.reach, "admin --name import", |reached| {
        let path = target(PATH, &reached.workspace(&args.reach.workspace));
        let answer = checked(reached.client.get(&path))?;
        let said: Value = serde_json::from_str(&answer.body).context("the server's answer is no JSON")?;
        let found = said["results"].as_array().context("the server's answer is no list")?;
        if args.json { output::json(found) } else { output::data(&table(found)) }
    })?;
    Ok(Exit::Success)
}
