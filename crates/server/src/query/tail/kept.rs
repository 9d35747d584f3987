//! What a tail is, and finding it.
//!
//! Kept with its follower as JSON of this file's own, which no destination's form is.

use std::time::Duration;

use muster_store::{
    Store,
    credentials::Workspace,
    follow::{Follower, PLACE_BYTES_MAX},
};
use rand::{TryRngCore, rngs::OsRng};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// The version of the form in which tails are kept.
const VERSION: u8 = 1;

/// A tail as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u8,
    tail_kept_seconds: u64,
}

/// The form in which a tail is kept that is removed when it was not asked for so long.
pub(super) fn settings(kept_for: Duration) -> Vec<u8> {
    let kept = Kept { version: VERSION, tail_kept_seconds: kept_for.as_secs() };
    serde_json::to_vec(&kept).expect("numbers can be written")
}

/// How long a tail is kept that nobody asks for; `None` of a follower that is no tail.
pub(super) fn kept_for(settings: &[u8]) -> Option<Duration> {
    let kept: Kept = serde_json::from_slice(settings).ok().filter(|kept: &Kept| kept.version == VERSION)?;
    Some(Duration::from_secs(kept.tail_kept_seconds))
}

/// Whether what is kept with a follower says that it is a tail.
pub(crate) fn is_tail(settings: &[u8]) -> bool {
    kept_for(settings).is_some()
}

/// A new tail's name, which nobody guesses.
pub(super) fn name() -> String {
    let mut source = OsRng.unwrap_err();
    format!("tail-{:016x}", rand::RngCore::next_u64(&mut source))
}

/// The tail of this name.
pub(in crate::query) fn find(store: &dyn Store, workspace: &Workspace, name: &str) -> Result<Follower, ApiError> {
    let is_it = |follower: &Follower| {
        follower.workspace == workspace.id && follower.name == name && is_tail(&follower.settings)
    };
    store.followers().into_iter().find(is_it).ok_or(ApiError::NoSuchTail)
}

/// The line that says what place everything before it leads to.
pub(in crate::query) fn position_line(place: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"position\":\"");
    out.extend(place.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| b"0123456789abcdef"[digit as usize]));
    out.extend_from_slice(b"\"}\n");
}

/// The place of a position's text.
pub(super) fn parse_position(text: &str) -> Option<Vec<u8>> {
    if text.len() > 2 * PLACE_BYTES_MAX || !text.len().is_multiple_of(2) || text.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_no_destination_and_no_destination_is_a_tail() {
        let kept = settings(Duration::from_secs(90));
        assert_eq!(kept_for(&kept), Some(Duration::from_secs(90)));
        assert!(crate::forward::Destination::read(&kept).is_none());
        for other in ["", "{}", r#"{"version":2,"tail_kept_seconds":1}"#, r#"{"version":1,"kind":"webhook"}"#] {
            assert!(!is_tail(other.as_bytes()), "{other}");
        }
        assert!(muster_store::credentials::check_workspace_name(&name()).is_ok());
    }

    #[test]
    fn positions_read_back() {
        for place in [&[0][..], &[1, 0xab, 0xff], &[7; PLACE_BYTES_MAX]] {
            let mut line = Vec::new();
            position_line(place, &mut line);
            let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(parse_position(line["position"].as_str().unwrap()).as_deref(), Some(place));
        }
        for wrong in ["", "0", "0x", "+1", "é", &"00".repeat(PLACE_BYTES_MAX + 1)] {
            assert_eq!(parse_position(wrong), None, "{wrong}");
        }
    }
}
