//! The command from its arguments to its exit code.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use muster_model::limits::BATCH_MESSAGES_MAX;

use super::{
    report::{Report, Summary},
    sending::SendingLine,
    split::Splitter,
};
use crate::{
    args,
    client::{Client, Trust},
    config::{environment, settings::Settings},
    exit::{Exit, Failure},
    local::LocalServer,
    output::{self, Progress, Unit},
};

const BATCH_PATH: &str = "/analytics/v1/batch";
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Without `--url`, and without a server over the data directory.
const USUAL_URL: &str = "http://127.0.0.1:8080";

/// Sends the file and says what became of it.
pub fn run(settings: &Settings, args: &args::Send) -> anyhow::Result<Exit> {
    let client = client(settings, args)?;
    let (reader, bytes) = open(&args.file)?;
    if args.refused.as_ref().is_some_and(|refused| is_same_file(refused, &args.file)) {
        return Err(Failure::error(Exit::Usage, "--refused names the file that is being sent; give another name"));
    }
    let line = SendingLine {
        client: &client,
        path: BATCH_PATH,
        messages_max: BATCH_MESSAGES_MAX,
        patience: Duration::from_secs(args.patience),
        progress: &Progress::new(bytes, Unit::Bytes),
    };
    let started = Instant::now();
    let mut pieces = Splitter::new(reader);
    let mut told = 0;
    let pieces = std::iter::from_fn(|| {
        let piece = pieces.next()?.map_err(|error| anyhow!(error).context("the file could not be read to its end"));
        let read = pieces.bytes().saturating_sub(told);
        told = told.max(pieces.bytes());
        Some((piece, read))
    });
    let (report, failure) = line.send(pieces, args.connections, Report::new(args.refused.as_deref())?);
    let summary = report.finish(started.elapsed().as_secs_f64(), failure.is_none())?;
    show(&summary, args.json)?;
    match failure {
        None => Ok(summary.exit()),
        Some(failure) => {
            output::talk("what was stored is kept; the same file can be sent again without storing anything twice");
            Err(failure)
        }
    }
}

fn show(summary: &Summary, json: bool) -> anyhow::Result<()> {
    if json { output::json(summary) } else { output::data(&summary.sentence()) }
}

/// Where to send and with which token. The operator token of a local server only manages keys, so it is not used here.
fn client(settings: &Settings, args: &args::Send) -> anyhow::Result<Client> {
    let local = LocalServer::read(&settings.place.data_dir).ok().flatten();
    let url = args.url.clone().or_else(|| environment::given(environment::URL));
    let authorities = args.ca.clone().or_else(|| environment::given(environment::CA).map(PathBuf::from));
    let trust = match (&authorities, &url) {
        (Some(path), _) => Trust::Authorities(path),
        (None, None) if local.is_some() => Trust::Local,
        (None, _) => Trust::Public,
    };
    let url = url.or(local.map(|local| local.url));
    let token = args.token.clone().or_else(|| environment::given(environment::TOKEN)).ok_or_else(|| {
        let says = "no token: give one with --token or in MUSTER_TOKEN; `muster keys create --scope write --name send` \
                    makes one";
        Failure::error(Exit::Usage, says)
    })?;
    Client::trusting(trust, url.as_deref().unwrap_or(USUAL_URL), Some(&token), REQUEST_TIMEOUT)
}

/// The stream and, of a regular file, its size.
fn open(path: &Path) -> anyhow::Result<(Box<dyn Read>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let about = file.metadata().with_context(|| format!("{} cannot be read", path.display()))?;
    if about.is_dir() {
        return Err(anyhow!("{} is a directory; give a file of messages, or - for standard input", path.display()));
    }
    Ok((Box::new(file), about.is_file().then_some(about.len())))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
