//! Taking an import back.
//!
//! It is done by the server, which goes on with it whatever becomes of this command; this waits until it is done.

use std::{thread, time::Duration};

use anyhow::Context;
use serde_json::Value;

use super::{
    super::{
        reach::{reach, target},
        way::checked,
    },
    known::PATH,
};
use crate::{
    args,
    config::settings::Settings,
    exit::Exit,
    output::{self, Progress, Unit},
};

const LOOK_PAUSE_FIRST: Duration = Duration::from_millis(50);
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(2);

/// Asks for it, and waits.
pub fn undo(settings: &Settings, args: &args::UndoImport) -> anyhow::Result<Exit> {
    reach(settings, &args.reach, "admin --name import", |reached| {
        let parameters = reached.workspace(&args.reach.workspace);
        let one = target(&format!("{PATH}/{}", args.id), &parameters);
        let undo = target(&format!("{PATH}/{}/undo", args.id), &parameters);
        let read = |body: &str| serde_json::from_str::<Value>(body).context("the server's answer is no import");
        let mut import = read(&checked(reached.client.post(&undo, b"", None))?.body)?;
        let progress = Progress::new(None, Unit::Steps);
        progress.note("taking it back; it goes on without this command");
        let mut pause = LOOK_PAUSE_FIRST;
        while import["state"] == "undoing" && !args.no_wait {
            progress.advance(1);
            thread::sleep(pause);
            pause = (pause * 2).min(LOOK_PAUSE_MAX);
            import = read(&checked(reached.client.get(&one))?.body)?;
        }
        progress.finish();
        if args.json {
            return output::json(&import);
        }
        output::data(&match import["takenBack"].as_u64() {
            Some(messages) => format!("import {}: {messages} messages were taken back\n", args.id),
            None => format!("import {} is being taken back\n", args.id),
        })
    })?;
    Ok(Exit::Success)
}
