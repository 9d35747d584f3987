//! Who may make destinations, and how those that fail are tried again.

use muster_server::ServerSettings;

use super::{origin::SettingsError, values::Values};

/// Puts the section into the server's settings.
pub fn read(values: &Values, settings: &mut ServerSettings) -> Result<(), SettingsError> {
    settings.retries.longest = values.seconds("forward.retry_seconds_max", 1..=86_400)?;
    settings.destinations_by_keys = match values.text("forward.managed_by") {
        "admin" => true,
        "operator" => false,
        _ => return Err(values.refuse("forward.managed_by", "must be admin or operator")),
    };
    Ok(())
}
