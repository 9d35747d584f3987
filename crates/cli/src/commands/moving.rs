//! `muster move`: everything that a data directory holds, into the cluster of the settings; or back, into a new directory.
//! Names no engine, and never says that something was moved before it is.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use muster_store::transfer::Handed;

use crate::{
    args,
    assemble::{self, NotMoved},
    config::settings::Settings,
    exit::{Exit, Failure},
    output,
};

/// Between two times that is said how far it has come.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Moves everything, and says what to do next.
pub fn run(settings: &Settings, args: &args::Move) -> anyhow::Result<Exit> {
    let Some(cluster) = &settings.cluster else {
        let says = "there is no cluster to move to or from: set cluster.state_url, cluster.journal_url and, for a bucket, \
                    cluster.history_url";
        return Err(Failure::error(Exit::Usage, says));
    };
    let told = Cell::new(Instant::now());
    let progress = |handed: &Handed| {
        if told.get().elapsed() >= TELL_EVERY {
            told.set(Instant::now());
            output::talk(&format!("{} so far", sentence(handed)));
        }
    };
    let whole =
        |directory: &PathBuf| std::path::absolute(directory).context("the directory's path cannot be made whole");
    let (moved, next) = match (&args.from, &args.into) {
        (Some(from), _) => {
            let from = whole(from)?;
            (assemble::move_from((cluster, settings), &from, &progress), next_on_cluster(&from))
        }
        (None, Some(into)) => {
            let into = whole(into)?;
            (assemble::move_into((cluster, settings), &into, &progress), next_in_directory(&into))
        }
        (None, None) => return Err(Failure::error(Exit::Usage, "give --from or --into")),
    };
    let handed = moved.map_err(|error| match error {
        NotMoved::InUse(says) => Failure::error(Exit::InUse, says),
        NotMoved::Failed(error) => error,
    })?;
    output::line(&format!("moved {}", sentence(&handed)))?;
    output::line(&next)?;
    Ok(Exit::Success)
}

fn sentence(handed: &Handed) -> String {
    let Handed { workspaces, records, messages } = handed;
    format!("{workspaces} workspaces, {records} records and {messages} messages")
}

fn next_on_cluster(from: &Path) -> String {
    let from = from.display();
    format!(
        "start servers with the settings of the cluster; {from} stays as it was, and no server starts on it any more"
    )
}

fn next_in_directory(into: &Path) -> String {
    let into = into.display();
    format!("start the server with --data-dir {into} and without [cluster]; no node of the cluster starts any more")
}
