//! The import as the server knows it: begun, or gone on with.
//!
//! What is imported has a fingerprint: the names, the sizes and all bytes of the files, and how they are read; of standard
//! input and other streams how they are read and how they begin; of another server its address. The server
//! finds an import of the same fingerprint that was cut short, and says from where it goes on. That everything before that
//! place is the same is made sure of when it is read again ([`bookmark`]).
//!
//! [`bookmark`]: crate::commands::import::bookmark

use std::{
    io::Read as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use muster_model::{limits::IMPORT_MESSAGES_MAX, time::Micros};
use serde_json::{Value, json};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::{
    super::reach::{Reached, target},
    bookmark::Prefix,
    sources::Source,
};
use crate::{
    args,
    client::{Answer, CallError},
    commands::send::{
        deliver::{self, Line, NOTHING},
        pack::{BODY_BYTES_MAX, Span},
        sending::Read,
    },
    output::Progress,
};

/// Where imports are begun and listed.
pub const PATH: &str = "/admin/v1/imports";
/// Where messages with times of receipt are sent.
pub const TAKES_PATH: &str = "/admin/v1/import";
/// Bytes of the names of files that are told.
const NAME_BYTES_MAX: usize = 500;
const BUFFER_BYTES: usize = 1 << 20;
/// Between two signs of life while nothing is sent.
const SIGN_PAUSE: Duration = Duration::from_secs(15);

/// What is imported, as the server is told.
pub struct Wanted {
    pub name: String,
    pub form: &'static str,
    pub bytes: Option<u64>,
    pub fingerprint: Option<u128>,
}

/// An import that the server knows.
#[derive(Clone, Debug)]
pub struct Known {
    pub id: u64,
    /// When it was begun first.
    pub started_at: Option<Micros>,
    /// Everything before this place is done with.
    pub position: u64,
    /// Bytes of the file of refused messages up to there.
    pub refused_bytes: u64,
    /// Nothing of it has arrived yet, so nobody has written anything of that file.
    pub is_untouched: bool,
    /// What was told of that place.
    pub bookmark: Option<String>,
}

impl Wanted {
    /// What is in files, or comes as a stream that begins with `head`.
    pub fn files(sources: &[Source], head: &[Read], args: &args::Import, bytes: Option<u64>) -> anyhow::Result<Wanted> {
        let form = if args.map.is_some() { "rows" } else { args.format.as_str() };
        let fingerprint = match head {
            [] => of_files(sources, args)?,
            head => Some(of_stream(head, args)?),
        };
        Ok(Wanted { name: names(sources), form, bytes, fingerprint })
    }

    /// What another server has, at an address that is called `name`.
    pub fn server(url: &str, name: String) -> Wanted {
        let fingerprint = xxh3_128(url.trim().trim_end_matches('/').as_bytes());
        Wanted { name, form: "vitally", bytes: None, fingerprint: Some(fingerprint) }
    }

    /// Begins it, or goes on with it where it was cut short, unless it is to begin `again`.
    pub fn begin(&self, reached: &Reached, args: &args::Import, again: bool) -> anyhow::Result<Known> {
        let fingerprint = self.fingerprint.map(|fingerprint| format!("{fingerprint:032x}"));
        let body = json!({
            "name": self.name, "format": self.form, "bytes": self.bytes, "fingerprint": fingerprint, "again": again
        });
        let path = target(PATH, &reached.workspace(&args.reach.workspace));
        let line = Beginning { reached, path: &path };
        let patience = Duration::from_secs(args.patience);
        let answer = deliver::persist(&line, body.to_string().as_bytes(), Span::default(), patience, &mut 0)?;
        if answer.status != 200 {
            return Err(deliver::explain_answer(&answer));
        }
        let said: Value = serde_json::from_str(&answer.body).context("the server's answer is no import")?;
        let number = |name: &str| said[name].as_u64().with_context(|| format!("the server's answer has no {name}"));
        Ok(Known {
            id: number("id")?,
            started_at: said["startedAt"].as_str().and_then(Micros::parse),
            position: number("position")?,
            refused_bytes: number("refusedBytes")?,
            is_untouched: number("read")? == 0,
            bookmark: said["bookmark"].as_str().map(str::to_owned),
        })
    }
}

/// The request that begins an import.
struct Beginning<'r> {
    reached: &'r Reached,
    path: &'r str,
}

impl Line for Beginning<'_> {
    fn post(&self, body: &[u8], _: Span) -> Result<Answer, CallError> {
        self.reached.client.post(self.path, body, None)
    }

    fn wait(&self, pause: Duration, why: &str) {
        crate::output::talk(&format!("{why}; trying again in {:.1} s", pause.as_secs_f64()));
        std::thread::sleep(pause);
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// Tells the server now and then that an import is still read, while nothing of it is sent.
pub struct SignOfLife<'r> {
    reached: &'r Reached,
    parameters: Vec<(&'static str, String)>,
    told: Instant,
    bytes: u64,
}

impl<'r> SignOfLife<'r> {
    /// Of an import; of none when nothing is stored.
    pub fn new(reached: &'r Reached, args: &args::Import, known: Option<&Known>) -> SignOfLife<'r> {
        let mut parameters = Vec::new();
        if let Some(known) = known {
            let place = known.position.to_string();
            parameters.extend(reached.workspace(&args.reach.workspace));
            parameters.extend([("import", known.id.to_string()), ("from", place.clone()), ("to", place)]);
        }
        SignOfLife { reached, parameters, told: Instant::now(), bytes: 0 }
    }

    /// So many bytes more were read. A sign that does not arrive is not missed: the next one may.
    pub fn read(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.parameters.is_empty() || self.told.elapsed() < SIGN_PAUSE {
            return;
        }
        let mut parameters = self.parameters.clone();
        parameters.push(("bytes", self.bytes.to_string()));
        let _ = self.reached.client.post(&target(TAKES_PATH, &parameters), NOTHING, None);
        self.told = Instant::now();
    }
}

/// The names of files without their directories, as many as there is room for.
fn names(sources: &[Source]) -> String {
    let mut all = String::new();
    let mut told = 0;
    for source in sources {
        let name = source.file_name();
        if all.len() + name.len() > NAME_BYTES_MAX - 32 {
            break;
        }
        if told > 0 {
            all.push_str(", ");
        }
        all.push_str(name);
        told += 1;
    }
    match sources.len() - told {
        0 => all,
        left => format!("{all} and {left} more"),
    }
}

/// The way in which sources are read.
fn way(args: &args::Import) -> anyhow::Result<Xxh3> {
    let mut digest = Xxh3::new();
    add(&mut digest, args.format.as_str().as_bytes());
    add(&mut digest, args.account_group.as_deref().unwrap_or_default().as_bytes());
    match &args.map {
        Some(map) => {
            let map = std::fs::read(map).with_context(|| format!("{} cannot be read", map.display()))?;
            add(&mut digest, &map);
        }
        None => add(&mut digest, b""),
    }
    Ok(digest)
}

fn add(digest: &mut Xxh3, text: &[u8]) {
    digest.update(&(text.len() as u64).to_le_bytes());
    digest.update(text);
}

/// Whether the sources are files and nothing else, which can be read before anything is sent.
pub fn are_files(sources: &[Source]) -> anyhow::Result<bool> {
    sources.iter().try_fold(true, |all, source| Ok(all && is_file(source.path())?))
}

fn is_file(path: &Path) -> anyhow::Result<bool> {
    let says = || format!("{} cannot be read", path.display());
    Ok(path != Path::new("-") && std::fs::metadata(path).with_context(says)?.is_file())
}

/// The first pieces of a stream, by which it is known: as many as a request has.
pub fn head(pieces: &mut impl Iterator<Item = Read>) -> Vec<Read> {
    let (mut head, mut bytes) = (Vec::new(), 0);
    while head.len() < IMPORT_MESSAGES_MAX && bytes < BODY_BYTES_MAX {
        let Some((piece, read)) = pieces.next() else { break };
        bytes += piece.as_ref().map_or(0, |piece| piece.text.len());
        head.push((piece, read));
    }
    head
}

/// The same for streams that begin the same, read in the same way.
fn of_stream(head: &[Read], args: &args::Import) -> anyhow::Result<u128> {
    let mut prefix = Prefix::default();
    head.iter().filter_map(|(piece, _)| piece.as_ref().ok()).for_each(|piece| prefix.take(piece));
    let mut digest = way(args)?;
    add(&mut digest, &prefix.number().to_le_bytes());
    Ok(digest.digest128())
}

/// The same for the same files, read in the same way; nothing for what cannot be read twice.
fn of_files(sources: &[Source], args: &args::Import) -> anyhow::Result<Option<u128>> {
    let mut digest = way(args)?;
    let mut last: Option<&Path> = None;
    for source in sources {
        add(&mut digest, source.name.as_bytes());
        // An archive holds several.
        if last == Some(source.path()) {
            continue;
        }
        last = Some(source.path());
        let Some(of_file) = of_file(source.path())? else { return Ok(None) };
        add(&mut digest, &of_file.to_le_bytes());
    }
    Ok(Some(digest.digest128()))
}

/// A digest of all bytes of a file.
fn of_file(path: &Path) -> anyhow::Result<Option<u128>> {
    let says = || format!("{} cannot be read", path.display());
    if !is_file(path)? {
        return Ok(None);
    }
    let mut file = std::fs::File::open(path).with_context(says)?;
    let (mut digest, mut buffer) = (Xxh3::new(), vec![0; BUFFER_BYTES]);
    loop {
        let count = file.read(&mut buffer).with_context(says)?;
        if count == 0 {
            return Ok(Some(digest.digest128()));
        }
        digest.update(&buffer[..count]);
    }
}

/// What a bar says beside its progress.
pub fn note(progress: &Progress, stored: u64, duplicates: u64, refused: u64) {
    progress.note(format!("{stored} stored, {duplicates} there already, {refused} refused"));
}
