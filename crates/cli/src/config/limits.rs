//! Bounds on messages, bodies and answers.

use muster_model::limits::{DEPTH_CEILING, MESSAGE_BYTES_CEILING};
use muster_server::ServerSettings;

use super::{origin::SettingsError, values::Values};

const BYTES_MAX: u64 = 1 << 36;

/// Puts the section into the server's settings.
pub fn read(values: &Values, settings: &mut ServerSettings) -> Result<(), SettingsError> {
    let requests = values.number("limits.requests_per_minute", 1..=u64::from(u32::MAX))?;
    settings.requests_per_minute = u32::try_from(requests).unwrap_or(u32::MAX);
    settings.compressed_bytes_max = values.size("limits.compressed_bytes_max", 1_024..=BYTES_MAX)?;
    settings.body_bytes_max = values.size("limits.body_bytes_max", 1_024..=BYTES_MAX)?;
    settings.in_flight_bytes_max = values.size("limits.in_flight_bytes_max", 2_048..=BYTES_MAX)?;
    settings.message.message_bytes_max = values.size("limits.message_bytes_max", 256..=MESSAGE_BYTES_CEILING as u64)?;
    settings.message.message_keys_max = values.size("limits.message_keys_max", 8..=1_000_000)?;
    settings.message.message_depth_max = values.size("limits.message_depth_max", 2..=DEPTH_CEILING as u64)?;
    settings.page_bytes_max = values.size("limits.page_bytes_max", 65_536..=1 << 30)?;
    settings.related_records_max = values.size("limits.related_records_max", 1..=10_000_000)?;
    Ok(())
}
