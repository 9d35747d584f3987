//! When a call happened, by whose clock.
//!
//! A sender whose clock is wrong is wrong about `sentAt` by as much as about the timestamp, so the time between the two
//! is right, and is counted back from the receipt. A timestamp far from `sentAt` was set on purpose, to tell of the past,
//! and is left as it is.

use muster_model::{json::string_value, time::Micros};

use super::call::Call;

/// How far a timestamp may be from `sentAt` to be corrected with it.
const CORRECTED_MICROS_MAX: u64 = 60 * 60 * 1_000_000;
/// A number from here on is in milliseconds, below in seconds: 1973 in the one, 5138 in the other.
const MILLISECONDS_FROM: f64 = 1e11;

/// What stands as the timestamp of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placed<'t> {
    /// The call says nothing of it; its receipt counts.
    AtReceipt,
    /// The same, and it was received before.
    Earlier(Micros),
    /// As sent, in raw JSON.
    AsSent(&'t str),
    /// Corrected, or read from another form; what was sent is kept beside it.
    Instead { at: Micros, sent: &'t str },
}

/// Places a call in time.
pub(super) fn place<'t>(call: &Call<'t>, sent_at_header: Option<Micros>, received_at: Micros) -> Placed<'t> {
    let Some(sent) = call.timestamp.or(call.original_timestamp) else { return Placed::AtReceipt };
    // Text that is no instant is refused by the rules for all messages, in their words.
    let Some(at) = instant(sent) else { return Placed::AsSent(sent) };
    let sent_at = call.sent_at.and_then(instant).or(sent_at_header);
    match sent_at {
        Some(sent_at) if sent_at.0.abs_diff(at.0) <= CORRECTED_MICROS_MAX => {
            let corrected = received_at.plus_micros(at.0.saturating_sub(sent_at.0));
            if corrected == at { as_sent(sent, at) } else { Placed::Instead { at: corrected, sent } }
        }
        Some(_) | None => as_sent(sent, at),
    }
}

/// Places a call that somebody received before and whose timestamp, if it stands beside the original one, is corrected.
pub(super) fn place_past<'t>(call: &Call<'t>, received_at: Micros) -> Placed<'t> {
    match call.timestamp.filter(|_| call.original_timestamp.is_some()) {
        None => place(call, None, received_at),
        Some(sent) => instant(sent).map_or(Placed::AsSent(sent), |at| as_sent(sent, at)),
    }
}

/// Text stands as it is, a number becomes text.
fn as_sent(sent: &str, at: Micros) -> Placed<'_> {
    if sent.starts_with('"') { Placed::AsSent(sent) } else { Placed::Instead { at, sent } }
}

/// The instant that raw JSON means: text, or a number of seconds or milliseconds since 1970.
pub(super) fn instant(raw: &str) -> Option<Micros> {
    if let Some(text) = string_value(raw) {
        return Micros::parse(&text.ok()?);
    }
    let number: f64 = raw.parse().ok().filter(|number: &f64| number.is_finite())?;
    let per_unit = if number.abs() >= MILLISECONDS_FROM { 1_000.0 } else { 1_000_000.0 };
    let at = Micros((number * per_unit) as i64);
    // An instant that cannot be written cannot have been meant.
    (!at.to_millis_text().is_empty()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Micros {
        Micros::parse(text).unwrap()
    }

    fn check(timestamp: &str, sent_at: &str, expected: &str) {
        let received_at = at("2026-01-01T00:00:00Z");
        let call = Call { timestamp: Some(timestamp), sent_at: Some(sent_at), ..Call::default() };
        let shown = match place(&call, None, received_at) {
            Placed::AtReceipt => "receipt".to_owned(),
            Placed::AsSent(raw) => raw.to_owned(),
            Placed::Earlier(at) => at.to_millis_text(),
            Placed::Instead { at, sent } => {
                assert_eq!(sent, timestamp);
                at.to_millis_text()
            }
        };
        assert_eq!(shown, expected, "{timestamp} {sent_at}");
    }

    #[test]
    fn a_wrong_clock_is_corrected_and_history_is_not() {
        // Ten days ahead, sent two seconds after it happened.
        check(r#""2026-01-11T00:00:00Z""#, r#""2026-01-11T00:00:02Z""#, "2025-12-31T23:59:58.000Z");
        check(r#""2026-01-01T02:00:00+02:00""#, r#""2026-01-01T00:00:00.500Z""#, "2025-12-31T23:59:59.500Z");
        check(r#""2020-05-05T00:00:00Z""#, r#""2026-01-01T00:00:00Z""#, r#""2020-05-05T00:00:00Z""#);
        check(r#""2025-12-31T23:00:00Z""#, r#""2026-01-01T00:00:01Z""#, r#""2025-12-31T23:00:00Z""#);
        check(r#""2025-12-31T23:00:01Z""#, r#""2026-01-01T00:00:01Z""#, "2025-12-31T23:00:00.000Z");
        check(r#""2025-12-31T23:59:59Z""#, "null", r#""2025-12-31T23:59:59Z""#);
        check(r#""2025-12-31T23:59:59Z""#, r#""soon""#, r#""2025-12-31T23:59:59Z""#);
        check(r#""2025-12-31T23:59:59Z""#, r#""2026-01-01T00:00:00Z""#, r#""2025-12-31T23:59:59Z""#);
        check(r#""nonsense""#, r#""2026-01-01T00:00:00Z""#, r#""nonsense""#);
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds() {
        check("1767225600", "null", "2026-01-01T00:00:00.000Z");
        check("1767225600123", "null", "2026-01-01T00:00:00.123Z");
        check("1e300", "null", "1e300");
    }
}
