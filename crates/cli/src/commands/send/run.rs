//! The command from its arguments to its exit code.
//!
//! One thread reads and packs, others deliver; between them wait as many requests as there are connections. The first
//! failure that no retry can mend stops all of them, and the summary still says what was stored.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};

use super::{
    deliver::{self, Line},
    pack::{Packer, Request},
    report::{Report, Summary},
    split::Splitter,
};
use crate::{
    args,
    client::{Answer, CallError, Client, Trust},
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
    let progress = Progress::new(bytes, Unit::Bytes);
    let sending = Sending {
        client,
        patience: Duration::from_secs(args.patience),
        progress,
        report: Mutex::new(Report::new(args.refused.as_deref())?),
        failure: Mutex::new(None),
        stop: AtomicBool::new(false),
    };
    let started = Instant::now();
    sending.all(Splitter::new(reader), args.connections);
    sending.progress.finish();
    let failure = sending.failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    let report = sending.report.into_inner().unwrap_or_else(PoisonError::into_inner);
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

struct Sending {
    client: Client,
    patience: Duration,
    progress: Progress,
    report: Mutex<Report>,
    failure: Mutex<Option<anyhow::Error>>,
    stop: AtomicBool,
}

impl Sending {
    fn all(&self, pieces: Splitter<impl Read>, connections: u16) {
        let (sender, receiver) = mpsc::sync_channel(usize::from(connections));
        let receiver = Arc::new(Mutex::new(receiver));
        thread::scope(|scope| {
            for _ in 0..connections {
                let receiver = Arc::clone(&receiver);
                scope.spawn(move || self.deliver_all(&receiver));
            }
            // From here on the receiver ends with the last deliverer, and the reader with it.
            drop(receiver);
            if let Err(error) = self.read_all(pieces, sender) {
                self.note(error);
            }
        });
    }

    /// Reads to the end of the file, or until the others have stopped.
    fn read_all(&self, mut pieces: Splitter<impl Read>, sender: SyncSender<Request>) -> anyhow::Result<()> {
        let mut packer = Packer::default();
        let mut told = 0;
        let mut ending = None;
        while let Some(piece) = pieces.next() {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.progress.advance(pieces.bytes().saturating_sub(told));
            told = told.max(pieces.bytes());
            match piece {
                Ok(piece) => match piece.broken {
                    Some(reason) => self.report().broken(piece.place, reason, piece.text, &self.progress)?,
                    None => self.pass(packer.push(piece.place, &piece.text), &sender),
                },
                // What came before the fault is delivered all the same.
                Err(error) => ending = Some(error),
            }
        }
        self.pass(packer.finish(), &sender);
        ending.map_or(Ok(()), |error| Err(anyhow!(error).context("the file could not be read to its end")))
    }

    /// When nobody receives any more, the failure that ended them is noted already.
    fn pass(&self, request: Option<Request>, sender: &SyncSender<Request>) {
        if let Some(request) = request {
            let _ = sender.send(request);
        }
    }

    fn deliver_all(&self, receiver: &Mutex<Receiver<Request>>) {
        loop {
            let request = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(request) = request else { return };
            if self.stop.load(Ordering::Relaxed) {
                // Taken and dropped, so that the reader is never left waiting for a place.
                continue;
            }
            let delivered = deliver::deliver(self, request, self.patience);
            if let Err(error) = delivered.and_then(|delivery| self.report().delivered(delivery, &self.progress)) {
                self.fail(error);
            }
        }
    }

    /// Nothing more is read or sent.
    fn fail(&self, error: anyhow::Error) {
        self.stop.store(true, Ordering::Relaxed);
        self.note(error);
    }

    /// The first failure is the one that is told.
    fn note(&self, error: anyhow::Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn report(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line for Sending {
    fn post(&self, body: &[u8]) -> Result<Answer, CallError> {
        self.client.post(BATCH_PATH, body, Some("return=representation"))
    }

    fn wait(&self, pause: Duration, why: &str) {
        self.progress.talk(&format!("{why}; trying again in {:.1} s", pause.as_secs_f64()));
        thread::sleep(pause);
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// Where to send and with which token. The operator token of a local server only manages keys, so it is not used here.
fn client(settings: &Settings, args: &args::Send) -> anyhow::Result<Client> {
    let local = LocalServer::read(&settings.place.data_dir).ok().flatten();
    let url = args.url.clone().or_else(|| variable(environment::URL));
    let authorities = args.ca.clone().or_else(|| variable(environment::CA).map(PathBuf::from));
    let trust = match (&authorities, &url) {
        (Some(path), _) => Trust::Authorities(path),
        (None, None) if local.is_some() => Trust::Local,
        (None, _) => Trust::Public,
    };
    let url = url.or(local.map(|local| local.url));
    let token = args.token.clone().or_else(|| variable(environment::TOKEN)).ok_or_else(|| {
        let says = "no token: give one with --token or in MUSTER_TOKEN; `muster keys create --scope write --name send` \
                    makes one";
        Failure::error(Exit::Usage, says)
    })?;
    Client::trusting(trust, url.as_deref().unwrap_or(USUAL_URL), Some(&token), REQUEST_TIMEOUT)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
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
