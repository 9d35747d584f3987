//! The one place that chooses a store: the embedded engine, or a cluster where one is set.
//!
//! Everything else speaks to [`muster_store::Store`]. Guarantees that an error says what to do; never prints.

/// Moving everything from one engine to the other.
pub mod moving;

use std::{ffi::OsString, path::Path, sync::Arc};

use muster_cluster::{Cluster, FiledRows, InvalidUrl, MergedFiles, Standing};
use muster_embedded::{Apart, Embedded, Layout, OpenError, Options, Recovery, Severity};
use muster_store::{
    Store,
    clock::{Clock, SystemClock},
    error::ReadError,
};

use crate::{
    config::{
        cluster::{self, Roles},
        engine::Engine,
        settings::Settings,
    },
    exit::{Exit, Failure},
    local::LocalServer,
};

/// A store and what its opening found.
pub struct Opened {
    pub store: Arc<dyn Store>,
    /// What was found, in a sentence for the log.
    pub recovery: String,
    /// Whether something was dropped that an earlier stop left unfinished.
    pub dropped: bool,
    /// The same store, where it is a node of a cluster.
    node: Option<Arc<Cluster>>,
    /// The same store, where it is a directory's.
    engine: Option<Arc<Embedded>>,
    /// What was opened, where that is not the data directory itself. Goes last.
    _apart: Option<Apart>,
}

impl Opened {
    fn new(store: Embedded, recovery: &Recovery, apart: Option<Apart>) -> Opened {
        let dropped = recovery.cut.is_some() || !recovery.removed_files.is_empty();
        let engine = Arc::new(store);
        let store = Arc::clone(&engine) as Arc<dyn Store>;
        Opened { store, recovery: recovery.to_string(), dropped, node: None, engine: Some(engine), _apart: apart }
    }
}

/// Why a store could not be opened.
pub enum NotOpened {
    /// Another process has it; that one can be asked instead.
    InUse,
    Failed(anyhow::Error),
}

impl From<OpenError> for NotOpened {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::InUse { .. } => NotOpened::InUse,
            other => NotOpened::Failed(anyhow::Error::new(other)),
        }
    }
}

impl NotOpened {
    /// The error for a command that has to have the store to itself.
    pub fn into_error(self, data_dir: &Path) -> anyhow::Error {
        match self {
            NotOpened::InUse => {
                let local = LocalServer::read(data_dir).ok().flatten();
                let which = local.map_or_else(String::new, |local| format!(" ({}, process {})", local.url, local.pid));
                let says = format!(
                    "another process{which} uses the data directory {}; stop it, or give another one with --data-dir",
                    data_dir.display()
                );
                Failure::error(Exit::InUse, says)
            }
            NotOpened::Failed(error) => error,
        }
    }
}

/// Intervals of checkpoints that anything waits for a file of the bucket at the most: merging small ones there costs more.
const FILED_INTERVALS: u32 = 60;

/// Where a node keeps files while it writes them, before they go to the bucket.
const PARTS_DIR: &str = "history-parts";

/// What a command does that only looks at a cluster.
const LOOKS: Roles = Roles { intake: false, apply: false, console: true };

/// Opens the store of the settings, creating it if there is none; blocks until what an earlier stop left is replayed.
/// On a cluster this is one more node, which folds in what no other does.
pub fn open(settings: &Settings) -> Result<Opened, NotOpened> {
    if let Some(cluster) = &settings.cluster {
        return clustered(cluster, settings, Roles::ALL, false);
    }
    embedded(options(&settings.engine, &settings.place.data_dir))
}

/// The same for a server, which makes itself ready for what many will ask.
pub fn open_to_serve(settings: &Settings) -> Result<Opened, NotOpened> {
    if let Some(cluster) = &settings.cluster {
        return clustered(cluster, settings, settings.roles, true);
    }
    embedded(Options { reads_ahead: true, ..options(&settings.engine, &settings.place.data_dir) })
}

/// The same to be read only: nothing in the data directory changes, which need not be writable. What a cluster accepted is
/// folded in before it is read, here as by any of its nodes.
pub fn open_to_read(settings: &Settings) -> Result<Opened, NotOpened> {
    if let Some(cluster) = &settings.cluster {
        return clustered(cluster, settings, Roles::ALL, false);
    }
    let options = options(&settings.engine, &settings.place.data_dir);
    let (store, recovery, apart) = Apart::open(options, SystemClock.now())?;
    Ok(Opened::new(store, &recovery, Some(apart)))
}

/// Opens the cluster of the settings as a node that only looks.
pub fn open_to_look(settings: &Settings) -> Result<Opened, NotOpened> {
    match &settings.cluster {
        Some(cluster) => clustered(cluster, settings, LOOKS, false),
        None => open_to_read(settings),
    }
}

fn embedded(options: Options) -> Result<Opened, NotOpened> {
    let (store, recovery) = Embedded::open(options, SystemClock.now())?;
    Ok(Opened::new(store, &recovery, None))
}

/// Opens a node of a cluster, which others ask or which ends with a command.
fn clustered(cluster: &cluster::Cluster, settings: &Settings, roles: Roles, serves: bool) -> Result<Opened, NotOpened> {
    let failed = |error: anyhow::Error| NotOpened::Failed(error);
    let options = cluster_options(cluster, settings, roles).map_err(|error| failed(misconfigured(error)))?;
    let options = muster_cluster::Options { serves, ..options };
    let node = Arc::new(Cluster::open(options).map_err(|error| failed(anyhow::Error::new(error)))?);
    let (store, recovery) = (Arc::clone(&node) as Arc<dyn Store>, "joined the cluster".to_owned());
    Ok(Opened { store, recovery, dropped: false, node: Some(node), engine: None, _apart: None })
}

/// Makes the tables of a cluster or brings them to the version of this program; what that came to.
pub fn migrate(cluster: &cluster::Cluster) -> anyhow::Result<String> {
    let migrated = muster_cluster::migrate(&cluster.state_url)?;
    Ok(match migrated.from {
        Standing::Empty => format!("made the tables, at version {}", migrated.to),
        Standing::At(version) if version == migrated.to => format!("the tables are at version {version} already"),
        Standing::At(version) => format!("migrated the tables from version {version} to {}", migrated.to),
    })
}

fn misconfigured(error: InvalidUrl) -> anyhow::Error {
    Failure::error(Exit::Settings, format!("{error}; see [cluster] in the settings"))
}

/// Written out as those of the embedded engine are.
fn cluster_options(
    cluster: &cluster::Cluster,
    settings: &Settings,
    roles: Roles,
) -> Result<muster_cluster::Options, InvalidUrl> {
    let engine = &settings.engine;
    let mut options = muster_cluster::Options::new(&cluster.state_url, &cluster.journal_url)?;
    if !cluster.history_url.is_empty() {
        // What the bucket's service needs besides is where its own tools look for it.
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let environment = std::env::vars_os().filter_map(text).chain(cluster.environment.clone());
        options = options.with_history(&cluster.history_url, environment)?;
    }
    Ok(muster_cluster::Options {
        takes: roles.intake,
        applies: roles.apply,
        directory: settings.place.data_dir.join(PARTS_DIR),
        footers_bytes_max: engine.history_cache_bytes,
        pieces_bytes_max: engine.history_cache_bytes,
        scan_max: engine.scan_max,
        filed_rows: FiledRows {
            rows_max: engine.checkpoint_rows_max.min(options.filed_rows.rows_max),
            ..options.filed_rows
        },
        filed_after: engine.checkpoint_interval * FILED_INTERVALS,
        merged_files: MergedFiles {
            files_min: engine.compaction_files_min,
            file_bytes_max: engine.compaction_file_bytes_max,
        },
        queue_batches_max: engine.queue_batches_max,
        queue_bytes_max: engine.queue_bytes_max,
        identity_retention: engine.identity_retention,
        refused_max: engine.refused_max,
        refused_retention: engine.refused_retention,
        letters_max: engine.letters_max,
        letters_retention: engine.letters_retention,
        event_names_max: engine.event_names_max,
        ..options
    })
}

/// Whether a directory is one that a server has kept data in.
pub fn holds_data(data_dir: &Path) -> bool {
    Layout::new(data_dir).holds_data()
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    Note,
    Warning,
    Fault,
}

/// What an examination found.
pub struct Found {
    pub gravity: Gravity,
    pub what: String,
    pub advice: String,
}

/// Examines a data directory that nobody uses, changing nothing. `progress` hears what is being looked at.
pub fn examine(data_dir: &Path, progress: &mut dyn FnMut(&str)) -> Result<Vec<Found>, NotOpened> {
    let findings = muster_embedded::examine(data_dir, progress)?;
    let found = |finding: muster_embedded::Finding| Found {
        gravity: match finding.severity {
            Severity::Note => Gravity::Note,
            Severity::Warning => Gravity::Warning,
            Severity::Fault => Gravity::Fault,
        },
        what: finding.what,
        advice: finding.advice,
    };
    Ok(findings.into_iter().map(found).collect())
}

/// Reads every file that a cluster has in its bucket. What that came to; nothing where it has none.
pub fn examine_bucket(opened: &Opened) -> Result<Vec<Found>, ReadError> {
    let examined = opened.node.as_ref().map(|node| node.examine_history()).transpose()?.flatten();
    let Some(examined) = examined else { return Ok(Vec::new()) };
    let wrong = |what: String| Found {
        gravity: Gravity::Fault,
        what,
        advice: "look whether the bucket can be reached and keeps what is put there; restore the file from a copy"
            .to_owned(),
    };
    let whole = examined.files - examined.wrong.len() as u64;
    let what = format!("{whole} files of the history are whole, of {} messages in all", examined.messages);
    let note = Found { gravity: Gravity::Note, what, advice: String::new() };
    Ok(examined.wrong.into_iter().map(wrong).chain([note]).collect())
}

/// Of the receipts that somebody kept, those that a data directory that nobody uses does not have.
pub fn receipts_missing<'k>(data_dir: &Path, kept: &[&'k str]) -> Result<Vec<&'k str>, NotOpened> {
    Ok(muster_embedded::receipts_missing(data_dir, kept)?)
}

/// Written out, so that a new option is a compile error here until it has a setting.
fn options(engine: &Engine, data_dir: &Path) -> Options {
    Options {
        data_dir: data_dir.to_owned(),
        free_bytes_min: engine.free_bytes_min,
        queue_batches_max: engine.queue_batches_max,
        queue_bytes_max: engine.queue_bytes_max,
        group_messages_max: engine.group_messages_max,
        group_bytes_max: engine.group_bytes_max,
        checkpoint_rows_max: engine.checkpoint_rows_max,
        checkpoint_bytes_max: engine.checkpoint_bytes_max,
        checkpoint_interval: engine.checkpoint_interval,
        compaction_files_min: engine.compaction_files_min,
        compaction_files_max: engine.compaction_files_max,
        compaction_file_bytes_max: engine.compaction_file_bytes_max,
        state_cache_bytes: engine.state_cache_bytes,
        state_files_max: engine.state_files_max,
        identity_retention: engine.identity_retention,
        identity_filter_bytes: engine.identity_filter_bytes,
        refused_max: engine.refused_max,
        refused_retention: engine.refused_retention,
        scan_max: engine.scan_max,
        forward_bytes_max: engine.forward_bytes_max,
        letters_max: engine.letters_max,
        letters_retention: engine.letters_retention,
        event_names_max: engine.event_names_max,
        history_cache_bytes: engine.history_cache_bytes,
        search_bytes: engine.search_bytes,
        // They follow from how the engine works, and operators have no reason to set them.
        long_step: Options::LONG_STEP,
        bulk_places_min: Options::BULK_PLACES_MIN,
        reads_ahead: false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::layers::{Flags, Sources};

    #[test]
    fn the_built_in_file_says_what_the_engine_does_by_itself() {
        let sources = Sources { flags: Flags::default(), environment: vec![], directory: PathBuf::from("/nowhere") };
        let settings = Settings::load(sources).unwrap();
        let data_dir = &settings.place.data_dir;
        // But for what follows the machine.
        let by_itself =
            Options { checkpoint_bytes_max: settings.engine.checkpoint_bytes_max, ..Options::new(data_dir) };
        assert_eq!(format!("{:?}", options(&settings.engine, data_dir)), format!("{by_itself:?}"));
    }
}
