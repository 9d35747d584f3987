//! `muster move`: everything that a data directory holds, into the cluster of the settings; or back, into a new directory.
//! Names no engine, and never says that something was moved before it is.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Context;
use muster_server::moves::Wished;
use muster_store::transfer::Handed;
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};
use serde_json::Value;

use super::way;
use crate::{
    args,
    assemble::moving::{self, NotMoved},
    client::{CallError, Client, Trust},
    config::{cluster::Cluster, settings::Settings},
    exit::{Exit, Failure},
    output,
};

const PATH: &str = "/admin/v1/move";
/// Between two times that is said how far it has come.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How a server is asked that moves its directory, and how long it may say nothing: it serves nobody while the rest goes over.
const TIMEOUT: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_millis(300);
const SILENT_MAX: Duration = Duration::from_secs(300);
/// What variables begin with that services of buckets read.
const OF_BUCKETS: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

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
    let place = (cluster, settings);
    let (moved, next) = match (&args.from, &args.into) {
        (Some(from), _) => {
            let from = whole(from)?;
            match moving::move_from(place, &from, &progress) {
                Err(NotMoved::Served) => (Ok(ask(&from, cluster, &progress)?), next_on_server(&from)),
                moved => (moved, next_on_cluster(&from)),
            }
        }
        (None, Some(into)) => {
            let into = whole(into)?;
            (moving::move_into(place, &into, &progress), next_in_directory(&into))
        }
        (None, None) => return Err(Failure::error(Exit::Usage, "give --from or --into")),
    };
    let handed = moved.map_err(NotMoved::into_error)?;
    output::line(&format!("moved {}", sentence(&handed)))?;
    output::line(&next)?;
    Ok(Exit::Success)
}

/// Has the server move a directory that uses it, and waits until it goes on with the cluster.
fn ask(from: &Path, cluster: &Cluster, progress: &dyn Fn(&Handed)) -> anyhow::Result<Handed> {
    let server = way::server_over(from)?;
    let client = Client::trusting(Trust::Local, &server.url, Some(&server.token), TIMEOUT)?;
    let of_buckets = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.into_string().ok()?;
        let is_one = OF_BUCKETS.iter().any(|begin| name.starts_with(begin));
        is_one.then_some((name, value.into_string().ok()?))
    };
    let Cluster { state_url, journal_url, history_url, .. } = cluster.clone();
    let environment = std::env::vars_os().filter_map(of_buckets).collect();
    let wished = serde_json::to_vec(&Wished { state_url, journal_url, history_url, environment })?;
    let begun = client.post(PATH, &wished, None);
    if begun.as_ref().is_ok_and(|answer| answer.status == 409) {
        output::talk("a move is under way already; this waits for its end");
    } else {
        way::checked(begun)?;
        output::talk("the server moves everything, and goes on meanwhile");
    }
    let mut heard = Instant::now();
    loop {
        sleep(ASK_EVERY);
        let standing = match client.get(PATH) {
            Err(CallError::Unreachable(says)) if heard.elapsed() >= SILENT_MAX || is_gone(server.pid) => {
                let says = format!("the server does not answer any more ({says}); see its log, and move again");
                return Err(Failure::error(Exit::Unreachable, says));
            }
            Err(CallError::Unreachable(_)) => continue,
            answer => way::checked(answer)?,
        };
        heard = Instant::now();
        let standing: Value = serde_json::from_str(&standing.body).context("the server's answer is no move")?;
        let number = |name: &str| standing[name].as_u64().unwrap_or_default();
        let (workspaces, records) = (number("workspaces"), number("records"));
        let handed = Handed { workspaces, records, messages: number("messages") };
        match standing["stage"].as_str() {
            Some("moved") => return Ok(handed),
            Some("failed" | "none") => {
                let says = standing["error"].as_str().unwrap_or("the server has started anew; move again");
                let exit = if standing["mayPass"] == true { Exit::InUse } else { Exit::Failure };
                return Err(Failure::error(exit, says));
            }
            _ => progress(&handed),
        }
    }
}

/// Whether there is no process of a number any more.
fn is_gone(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

fn sentence(handed: &Handed) -> String {
    let Handed { workspaces, records, messages } = handed;
    format!("{workspaces} workspaces, {records} records and {messages} messages")
}

fn next_on_server(from: &Path) -> String {
    let from = from.display();
    format!(
        "the server goes on with the cluster; put [cluster] into its settings before it starts again, as no server starts on {from} any \
         more"
    )
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
