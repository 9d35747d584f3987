//! Reading a body within its bounds of size and time.
//!
//! A body that arrives in one piece is not copied. One that arrives in several is gathered in a buffer for which bytes
//! were reserved beforehand; the reservation grows with what has arrived, not with what was announced, so that a slow
//! sender of a large body holds little.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::budget::Reservation;
use crate::{error::ApiError, settings::ServerSettings, state::AppState};

/// What is reserved for a body before its first byte is read, unless it is known to be shorter.
const FIRST_BYTES: usize = 16 * 1024;

/// Reads a body to its end.
pub(super) async fn read(
    state: &AppState,
    body: &mut Body,
    bytes_max: usize,
    compressed: bool,
) -> Result<(Bytes, Reservation), ApiError> {
    let too_large = || ApiError::BodyTooLarge { bytes_max, compressed };
    let announced = body.size_hint();
    if announced.lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let exact = announced.exact().and_then(|bytes| usize::try_from(bytes).ok());
    let first_bytes = exact.map_or(FIRST_BYTES, |bytes| bytes.min(FIRST_BYTES));
    let mut reservation = state.budget.reserve(first_bytes).ok_or(ApiError::NoRoom)?;
    let patience = Patience::new(&state.settings);
    let Some(first) = patience.next(body).await? else { return Ok((Bytes::new(), reservation)) };
    if body.is_end_stream() {
        let fits = first.len() <= bytes_max;
        return match fits && reservation.cover(first.len()) {
            true => Ok((first, reservation)),
            false => Err(if fits { ApiError::NoRoom } else { too_large() }),
        };
    }
    let mut buffer = Vec::with_capacity((first.len() * 2).min(reservation.bytes()));
    let mut piece = Some(first);
    while let Some(bytes) = piece {
        let length = buffer.len() + bytes.len();
        if length > bytes_max {
            return Err(too_large());
        }
        if length > buffer.capacity() {
            let capacity = length.max(buffer.capacity() * 2).min(exact.unwrap_or(bytes_max).max(length));
            if !reservation.cover(capacity) {
                return Err(ApiError::NoRoom);
            }
            buffer.reserve_exact(capacity - buffer.len());
        }
        buffer.extend_from_slice(&bytes);
        piece = patience.next(body).await?;
    }
    Ok((Bytes::from(buffer), reservation))
}

/// How long a body may take as a whole, and between two pieces.
struct Patience {
    until: Instant,
    gap: Duration,
}

impl Patience {
    fn new(settings: &ServerSettings) -> Patience {
        Patience { until: Instant::now() + settings.body_timeout, gap: settings.body_gap_timeout }
    }

    async fn next(&self, body: &mut Body) -> Result<Option<Bytes>, ApiError> {
        let until = self.until.min(Instant::now() + self.gap);
        loop {
            let frame = timeout_at(until, body.frame()).await.map_err(|_| ApiError::BodyTimeout)?;
            match frame.transpose().map_err(|_| ApiError::BodyCutShort)? {
                None => return Ok(None),
                // Trailers say nothing that matters here, and empty pieces say nothing at all.
                Some(frame) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => return Ok(Some(bytes)),
                    _ => {}
                },
            }
        }
    }
}
