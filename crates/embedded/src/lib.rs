//! The engine that keeps everything in one directory.
//!
//! One journal, one history, one state: a message is made durable in the journal, kept for ever in Parquet files, and
//! folded into the state. `ARCHITECTURE.md` draws the way of one message; `docs/durability.md` argues why nothing that
//! was acknowledged is lost or applied twice. Nothing here knows HTTP or JSON.

/// What an operator may set.
pub mod options;

/// What can go wrong.
pub mod error;

/// The engine as a whole.
pub mod engine;

/// The log of what was accepted since the last checkpoint.
pub mod journal;

/// The one thread that owns all change.
pub mod writer;

/// What has been applied since the last checkpoint.
pub mod overlay;

/// The profiles that changed since the last checkpoint, each with a number.
pub mod slots;

/// Looking at memory before it is needed.
pub mod touch;

/// How many records there are.
pub mod tally;

/// What readers and the writer share.
pub mod views;

/// Records as attribution, deletions and corrections ask for them.
pub mod records;

/// Reading.
pub mod reader;

/// Lists of records.
pub mod lists;

/// A workspace at one instant, and reading much of it.
pub mod moment;

/// Bringing a frozen overlay into its final place.
pub mod checkpoint;

/// The one commit of a checkpoint to the state store.
pub mod commit;

/// Every message for ever, in Parquet files.
pub mod history;

/// Following what is accepted, from a place that outlives the process.
pub mod follow;

/// Imports: how far each has come.
pub mod imports;

/// Deleting: at once for every reader, on disk soon after, proven by a receipt.
pub mod erase;

/// The state store and its keyspaces.
pub mod state;

/// The state store's own log, begun anew on purpose.
pub mod state_log;

/// When the tables of what the duplicate check remembers are merged.
pub mod identities;

/// The state store's lists of its tables, compared with their checksums before the database reads them.
pub mod state_versions;

/// Keys in the state store.
pub mod keys;

/// Workspaces and keys.
pub mod credentials;

/// Team members.
pub mod team;

/// Views and queries that workspaces keep.
pub mod saved;

/// Reading what a page or a search would wait for before anybody asks.
pub mod read_ahead;

/// From a directory as some stop left it to an engine that can go on.
pub mod recovery;

/// A data directory opened without changing it.
pub mod apart;

/// A copy of the whole data directory, taken while the engine works.
pub mod backup;

/// Moving everything to another store, and from another one.
pub mod transfer;

/// Looking at a data directory that no server uses.
pub mod examine;

/// Waiting until there is nothing left to do in the background.
pub mod idle;

/// Whether writes are taken.
pub mod health;

/// Whether the disk has room.
pub mod room;

/// What the engine counts about itself.
pub mod counters;

pub use apart::Apart;
pub use engine::Embedded;
pub use error::OpenError;
pub use examine::{Finding, Severity, examine, receipts_missing};
pub use options::Options;
pub use recovery::{Layout, Recovery};
