//! Settings: where they come from, what they may be, what they are.
//!
//! Four layers, the later one wins: the built-in `config.default.toml`, a settings file, the environment, flags. Every
//! value remembers its origin, an unknown name is an error that names the nearest known one, and a value out of range
//! is an error that says where it was set. The variables in
//! [`crate::config::environment`] that carry tokens are read by the commands that need them; neither they nor the secrets of
//! destinations are ever shown.

/// Where a value was set.
pub mod origin;

/// The built-in file: which settings there are, and which known name is nearest to a wrong one.
pub mod known;

/// The names of settings in the environment, and the variables that are no settings.
pub mod environment;

/// Laying the file, the environment and the flags over the built-in values.
pub mod layers;

/// All layers together, read one value at a time, in range or refused.
pub mod values;

/// Where the server listens and where its data lies.
pub mod place;

/// Where a cluster's parts are, and what this node does in it.
pub mod cluster;

/// What is logged and in which form.
pub mod log;

/// Bounds on messages, bodies and answers.
pub mod limits;

/// Whether and with what the server speaks TLS.
pub mod tls;

/// Connections: how many, how long they may take, how much they may hold.
pub mod http;

/// Queries in SQL: what one may cost, and how many run at one time.
pub mod query;

/// Who may make destinations, and how those that fail are tried again.
pub mod forward;

/// Destinations of the settings file.
pub mod destinations;

/// Which traits feed the fields of records that come from traits.
pub mod trait_names;

/// The store: its queue, checkpoints, compaction, memory and retention.
pub mod engine;

/// How much memory this process may use.
mod memory;

/// Every setting, typed and checked.
pub mod settings;

/// The table of settings in `docs/configuration.md`, compared with the built-in file.
#[cfg(test)]
mod reference;
