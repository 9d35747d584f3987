//! Queries in SQL: what one may cost, and how many run at one time.

use muster_server::ServerSettings;

use super::{origin::SettingsError, values::Values};

/// SQLite counts bytes in 31 bits.
const BYTES_MAX: u64 = 1 << 30;

/// Puts the section into the server's settings.
pub fn read(values: &Values, settings: &mut ServerSettings) -> Result<(), SettingsError> {
    let limits = &mut settings.query_limits;
    limits.time_max = values.seconds("query.seconds_max", 1..=3_600)?;
    limits.memory_bytes_max = values.size("query.memory_bytes_max", 4 << 20..=1 << 40)?;
    limits.spill_bytes_max = values.number("query.temporary_bytes_max", 0..=1 << 40)?;
    limits.rows_max = values.number("query.answer_rows_max", 1..=1 << 40)?;
    limits.answer_bytes_max = values.size("query.answer_bytes_max", 65_536..=1 << 40)?;
    limits.sql_bytes_max = values.size("query.sql_bytes_max", 1_024..=BYTES_MAX)?;
    settings.queries_max = values.size("query.concurrent_max", 1..=1_024)?;
    Ok(())
}
