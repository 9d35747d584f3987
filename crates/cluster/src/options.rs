//! How the engine is set up: where its parts are, what this node does, and bounds.

use std::{path::PathBuf, time::Duration};

use muster_history::compact::Bounds as MergedFiles;

use crate::{
    archive::{address, filing::Bounds as FiledRows},
    sql::address::Address as StateAddress,
    stream::address::Address,
};

/// A URL that cannot be used, and why. Repeats no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {what} URL is not right: {says}")]
pub struct InvalidUrl {
    pub what: &'static str,
    pub says: String,
}

/// All of it. [`Options::new`] fills in what has a default.
#[derive(Clone)]
pub struct Options {
    /// Where PostgreSQL is.
    pub state: StateAddress,
    /// Where the stream is.
    pub journal: Address,
    /// Where the bucket is; without one the history stays in PostgreSQL.
    pub history: Option<address::Address>,
    /// Where this node keeps files while it writes them.
    pub directory: PathBuf,
    /// Whether this node takes messages: then it is ready as long as the stream takes them.
    pub takes: bool,
    /// Whether this node folds in what the stream holds.
    pub applies: bool,
    /// Whether this node answers others, who are to find what any other node has changed.
    pub serves: bool,
    /// Appends that may be on their way at once, and their bytes.
    pub queue_batches_max: usize,
    pub queue_bytes_max: usize,
    /// Batches and bytes of one transaction; a single larger batch is a group of its own.
    pub group_batches_max: usize,
    pub group_bytes_max: usize,
    /// Connections that answer reads, and reads that may wait for one.
    pub readers: usize,
    pub reads_waiting_max: usize,
    /// Moments that may be held at once; each has a connection of its own.
    pub moments_max: usize,
    /// How long a read waits for what was accepted before it.
    pub freshness_timeout: Duration,
    /// How long what is folded in stays in the stream, so that a replica of PostgreSQL that lags behind by less can take over.
    pub stream_retention: Duration,
    /// Messages of a workspace that lie in the table before they go into a file, how long they do at the most, and which files are
    /// merged.
    pub filed_rows: FiledRows,
    pub filed_after: Duration,
    pub merged_files: MergedFiles,
    /// Bytes of files of the bucket that are kept in memory, and of what files say of themselves.
    pub pieces_bytes_max: u64,
    pub footers_bytes_max: u64,
    /// Rows of files that a page of a timeline looks at before it ends early.
    pub scan_max: usize,
    /// How long the identity of a message is remembered, in whole days; for ever when `None`.
    pub identity_retention: Option<Duration>,
    /// Messages set aside that a workspace keeps; the oldest go first.
    pub refused_max: usize,
    /// How long a message set aside is kept, counted from the newest one of its workspace.
    pub refused_retention: Duration,
    /// Between two times that what is kept for a while is looked through for what goes.
    pub trim_interval: Duration,
    /// Dead letters that a follower keeps; the oldest go first.
    pub letters_max: usize,
    /// How long a dead letter is kept, counted from the newest one of its follower.
    pub letters_retention: Duration,
    /// Names of events that are told one by one.
    pub event_names_max: usize,
}

impl Options {
    /// Has the history go to a bucket. What its service needs besides may stand in the environment.
    pub fn with_history(
        self,
        url: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Options, InvalidUrl> {
        let address = address::Address::parse(url, environment);
        let history = address.map_err(|says| InvalidUrl { what: "history", says })?;
        Ok(Options { history: Some(history), ..self })
    }

    /// The options for an engine behind these two URLs.
    pub fn new(state_url: &str, journal_url: &str) -> Result<Options, InvalidUrl> {
        let journal = Address::parse(journal_url).map_err(|says| InvalidUrl { what: "journal", says })?;
        Ok(Options {
            state: state(state_url)?,
            journal,
            history: None,
            directory: std::env::temp_dir().join("muster-history-parts"),
            takes: true,
            applies: true,
            serves: false,
            queue_batches_max: 4_096,
            queue_bytes_max: 256 << 20,
            group_batches_max: 500,
            group_bytes_max: 2 << 20,
            readers: 8,
            reads_waiting_max: 1_024,
            moments_max: 16,
            freshness_timeout: Duration::from_secs(10),
            stream_retention: Duration::from_secs(600),
            filed_rows: FiledRows { rows_max: 50_000, bytes_max: 32 << 20 },
            filed_after: Duration::from_secs(3_600),
            merged_files: MergedFiles { files_min: 8, file_bytes_max: 96 << 20 },
            pieces_bytes_max: 256 << 20,
            footers_bytes_max: 64 << 20,
            scan_max: 20_000,
            identity_retention: None,
            refused_max: 100_000,
            refused_retention: Duration::from_secs(30 * 86_400),
            trim_interval: Duration::from_secs(30),
            letters_max: 100_000,
            letters_retention: Duration::from_secs(30 * 86_400),
            event_names_max: 1_000,
        })
    }
}

/// Reads a URL of PostgreSQL.
pub fn state(url: &str) -> Result<StateAddress, InvalidUrl> {
    StateAddress::parse(url).map_err(|says| InvalidUrl { what: "state", says })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked_and_secrets_not_repeated() {
        assert!(Options::new("postgres://u:p@h/d", "nats://h:4222").is_ok());
        let two = state("postgres://u@a:1,b:2/d?target_session_attrs=read-write").unwrap();
        assert_eq!((two.config().get_hosts().len(), two.config().get_ports()), (2, &[1, 2][..]));
        assert_eq!(two.config().get_target_session_attrs(), postgres::config::TargetSessionAttrs::ReadWrite);
        for (state, journal, what) in
            [("mysql://secret", "nats://h", "state"), ("postgres://h:secret/d", "nats://h", "state")]
        {
            let error = Options::new(state, journal).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(what) && !error.contains("secret"), "{error}");
        }
        assert_eq!(Options::new("postgres://h/d", "h").err().map(|error| error.what), Some("journal"));
    }
}
