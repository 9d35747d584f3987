//! How destinations that fail are tried again.

use muster_server::ServerSettings;

use super::{origin::SettingsError, values::Values};

/// Puts the section into the server's settings.
pub fn read(values: &Values, settings: &mut ServerSettings) -> Result<(), SettingsError> {
    settings.retries.longest = values.seconds("forward.retry_seconds_max", 1..=86_400)?;
    Ok(())
}
