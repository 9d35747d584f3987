//! What the engine's own tests share: an engine in a temporary directory, and messages from JSON.

#![allow(dead_code, reason = "each test file uses its part of this")]

use std::{
    io::{self, ErrorKind},
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use muster_embedded::{Embedded, OpenError, Options, Recovery};
use muster_model::{
    draft::Draft,
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
    kinds::{Context, check_typed},
    limits::MessageLimits,
    time::Micros,
};
use muster_store::{
    batch::{Batch, BatchBuilder},
    credentials::{Credentials, NewKey, Scopes},
    history::{Event, EventsQuery, History},
    journal::Journal,
    receipt::{Outcome, Receipt},
    status::Status,
};
use parquet::file::reader::{FileReader, SerializedFileReader};

pub const WORKSPACE: &str = "default";
pub const NOW: Micros = Micros(1_700_000_000_000_000);

/// Settings under which checkpoints happen only when a test asks, and compaction as soon as there are two files.
pub fn options(dir: &Path) -> Options {
    Options {
        checkpoint_interval: Duration::from_secs(86_400),
        compaction_files_min: 2,
        state_cache_bytes: 4 << 20,
        // Every one, so that all that is remembered is tried.
        long_step: Duration::ZERO,
        bulk_places_min: 1,
        ..Options::new(dir)
    }
}

pub fn open(dir: &Path) -> (Embedded, Recovery) {
    Embedded::open(options(dir), NOW).expect("the engine opens")
}

/// Closes an engine, opens its directory again.
pub async fn reopen(engine: Embedded, dir: &Path) -> Embedded {
    engine.close().await.expect("a clean close");
    drop(engine);
    open(dir).0
}

/// How long an abandoned engine may take to let go of its directory: it finishes what it was writing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens a directory once nobody uses it any more.
pub async fn open_when_free(options: Options) -> Embedded {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match Embedded::open(options.clone(), NOW) {
            Ok((engine, _)) => return engine,
            Err(OpenError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the directory stayed in use");
}

/// Drops an engine without closing it, and opens its directory again once its threads have noticed.
pub async fn crash(engine: Embedded, dir: &Path) -> Embedded {
    drop(engine);
    open_when_free(options(dir)).await
}

/// An engine with the test's workspace, created if need be.
pub async fn engine(dir: &Path) -> (Embedded, WorkspaceId) {
    let (engine, _) = open(dir);
    let workspace = workspace(&engine, WORKSPACE).await;
    (engine, workspace)
}

pub async fn workspace(engine: &Embedded, name: &str) -> WorkspaceId {
    if let Some(found) = engine.workspaces().into_iter().find(|workspace| workspace.name == name) {
        return found.id;
    }
    let mut token_hash = [0; 32];
    token_hash[..name.len()].copy_from_slice(name.as_bytes());
    let new = NewKey {
        workspace_name: name.to_owned(),
        name: "test".to_owned(),
        scopes: Scopes::ALL,
        token_hash,
        created_at: NOW,
    };
    engine.create_key(new).await.expect("a key").workspace.id
}

pub fn batch(workspace: WorkspaceId, messages: &[&str]) -> Batch {
    batch_at(workspace, NOW, messages)
}

/// Messages that were received then.
pub fn batch_at(workspace: WorkspaceId, received_at: Micros, messages: &[&str]) -> Batch {
    let context = Context { ids: IdSpace::new(WORKSPACE), received_at, limits: MessageLimits::default() };
    let mut builder = BatchBuilder::new(workspace, 0);
    for text in messages {
        let draft = Draft::from_text(text, 64);
        builder.message(&check_typed(&draft, &context).unwrap_or_else(|fault| panic!("{text}: {fault:?}")));
    }
    builder.build()
}

pub async fn send(engine: &Embedded, workspace: WorkspaceId, messages: &[&str]) -> Vec<Outcome> {
    let receipt: Receipt = engine.append(batch(workspace, messages)).await.expect("an acknowledgement");
    receipt.outcomes
}

pub fn id(kind: RecordKind, external_id: &str) -> RecordId {
    IdSpace::new(WORKSPACE).record(kind, external_id)
}

pub async fn events(engine: &Embedded, workspace: WorkspaceId, kind: RecordKind, external_id: &str) -> Vec<Event> {
    let query = EventsQuery {
        subject: (kind, id(kind, external_id)),
        event: None,
        after: None,
        before: None,
        from: None,
        limit: 1_000,
    };
    engine.events(workspace, query).await.expect("a timeline").events
}

/// Looks at a directory whose files come and go.
const LOOKS_MAX: usize = 100;

/// Every file below a directory in which a text stands, Parquet files unpacked. The state store merges its tables on its own
/// time: when a file vanishes during a look, what it held may have gone to one that was looked at before, so it is looked again.
pub fn files_with(dir: &Path, text: &str) -> Vec<String> {
    for _ in 0..LOOKS_MAX {
        match look_for(dir, text) {
            Err(error) if error.kind() == ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(50)),
            found => return found.unwrap(),
        }
    }
    panic!("files vanished during each of {LOOKS_MAX} looks")
}

fn look_for(dir: &Path, text: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(look_for(&path, text)?);
            continue;
        }
        let bytes = std::fs::read(&path)?;
        let raw = memchr::memmem::find(&bytes, text.as_bytes()).is_some();
        let unpacked = path.extension().is_some_and(|ext| ext == "parquet") && {
            let file = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
            file.get_row_iter(None).unwrap().any(|row| row.unwrap().to_string().contains(text))
        };
        if raw || unpacked {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}
