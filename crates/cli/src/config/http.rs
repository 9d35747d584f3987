//! Connections: how many, how long they may take, how much they may hold.

use muster_server::ServerSettings;

use super::{origin::SettingsError, values::Values};

/// An hour; a wait that is meant to be longer is meant to be none.
const SECONDS_MAX: u64 = 3_600;

/// Puts the section into the server's settings.
pub fn read(values: &Values, settings: &mut ServerSettings) -> Result<(), SettingsError> {
    settings.connections_max = values.size("http.connections_max", 1..=1_000_000)?;
    settings.head_bytes_max = values.size("http.head_bytes_max", 8_192..=1 << 20)?;
    settings.head_timeout = values.seconds("http.head_seconds", 1..=SECONDS_MAX)?;
    settings.idle_timeout = values.seconds("http.idle_seconds", 1..=SECONDS_MAX)?;
    settings.body_timeout = values.seconds("http.body_seconds", 1..=SECONDS_MAX)?;
    settings.body_gap_timeout = values.seconds("http.body_gap_seconds", 1..=SECONDS_MAX)?;
    settings.write_timeout = values.seconds("http.write_seconds", 1..=SECONDS_MAX)?;
    settings.store_timeout = values.seconds("http.store_seconds", 1..=SECONDS_MAX)?;
    match values.size("http.heavy_jobs_max", 0..=1_024)? {
        // The server's own default is one per processor.
        0 => {}
        jobs => settings.heavy_jobs_max = jobs,
    }
    settings.shutdown_timeout = values.seconds("shutdown.drain_seconds", 0..=SECONDS_MAX)?;
    Ok(())
}
