//! The command: which way, and what is printed.

use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::{super::way, shown::ShownBackup};
use crate::{
    args,
    assemble::moving::{self, NotMoved},
    config::settings::Settings,
    exit::Exit,
    output,
};

const PATH: &str = "/admin/v1/backups";
/// A large directory on another disk takes its time.
const TIMEOUT: Duration = Duration::from_secs(24 * 3_600);

/// Takes a backup and says what it holds.
pub fn run(settings: &Settings, args: &args::Backup) -> anyhow::Result<Exit> {
    way::require_directory(settings)?;
    let into = std::path::absolute(&args.directory).context("the directory's path cannot be made whole")?;
    if let Some(cluster) = &settings.cluster {
        let copied = moving::copy((cluster, settings), &into);
        return show(&ShownBackup::of(&copied.map_err(NotMoved::into_error)?), args.json);
    }
    let body = json!({"directory": into}).to_string();
    let shown = way::carry_out_within(
        TIMEOUT,
        settings,
        async |store| Ok(ShownBackup::of(&store.backup(into).await?)),
        |client| {
            let answer = way::checked(client.post(PATH, body.as_bytes(), None))?;
            serde_json::from_str(&answer.body).context("the server's answer is no backup")
        },
    )?;
    show(&shown, args.json)
}

fn show(shown: &ShownBackup, as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        output::json(shown)?
    } else {
        output::data(&shown.sentence())?
    }
    Ok(Exit::Success)
}
