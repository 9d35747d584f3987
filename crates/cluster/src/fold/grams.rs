//! By what searches find records: every three bytes that follow each other in a record's name, address and id.
//!
//! A text holds another only if it holds all three-byte pieces of it, so an index of pieces answers with the records that may
//! hold it; whoever asks looks at the record, too. Each piece is kept as one number with the workspace and the kind of
//! record, so that an index of numbers alone keeps both apart. An extension for searching in texts is not needed, which would
//! depend on a database's locale and know letters of some languages only.

use muster_model::{find, id::WorkspaceId, kind::RecordKind, profile::Profile};

use super::write::number;

/// Bytes of a text of which the pieces are kept. A longer one, which no name is, is a candidate for every search.
const TEXT_BYTES_MAX: usize = 1_024;
/// Pieces of a needle that are asked for: more would hardly leave out another record.
const ASKED_MAX: usize = 32;
/// Stands for all pieces there could be; no text has these three bytes.
const ANY: i64 = 0xff_ffff;

/// What all pieces of a workspace's records of a kind begin with.
fn beginning(workspace: i32, kind: RecordKind) -> i64 {
    i64::from(workspace) << 32 | i64::from(number(kind)) << 24
}

fn pieces(text: &str) -> impl Iterator<Item = i64> {
    text.as_bytes().windows(3).map(|piece| piece.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte)))
}

/// The pieces of a record, sorted, each once. Anonymous ids are in no list.
pub fn of(workspace: i32, profile: &Profile) -> Vec<i64> {
    if profile.as_anonymous().is_some() {
        return Vec::new();
    }
    let (text, beginning) = (find::searchable(profile), beginning(workspace, profile.kind()));
    if text.len() > TEXT_BYTES_MAX {
        return vec![beginning | ANY];
    }
    let mut all: Vec<i64> = pieces(&text).map(|piece| beginning | piece).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The pieces that a record must have to hold a text, and those of records that are always looked at. Nothing for a text
/// that is too short to tell.
pub fn wanted(workspace: WorkspaceId, kind: RecordKind, needle: &str) -> Option<(Vec<i64>, Vec<i64>)> {
    let beginning = beginning(workspace.0 as i32, kind);
    let mut all: Vec<i64> = pieces(needle).map(|piece| beginning | piece).collect();
    all.sort_unstable();
    all.dedup();
    let step = all.len().div_ceil(ASKED_MAX).max(1);
    let asked: Vec<i64> = all.into_iter().step_by(step).collect();
    (!asked.is_empty()).then(|| (asked, vec![beginning | ANY]))
}

#[cfg(test)]
mod tests {
    use muster_model::{
        id::{Identity, RecordId},
        register::Stamp,
        time::Micros,
    };

    use super::*;

    fn finds(name: &str, needle: &str) -> bool {
        let mut profile = Profile::new(RecordKind::User, RecordId(1), "u-32", Micros(5));
        let json = format!("\"{name}\"");
        profile.traits.state(Stamp { at: Micros(1), by: Identity(1) }, "name", &json);
        let (asked, any) = wanted(WorkspaceId(7), RecordKind::User, &find::fold(needle)).unwrap();
        let all = of(7, &profile);
        let has = |wanted: &[i64]| wanted.iter().all(|piece| all.contains(piece));
        has(&asked) || has(&any)
    }

    #[test]
    fn what_a_text_holds_is_found_in_it() {
        assert!(
            finds("Lionel Messi", "NEL m") && finds("Straße", "rass") && finds("李小龙", "小") && finds("x", "u-3")
        );
        assert!(finds("a\\u0000bc", "a\0b"));
        assert!(!finds("Lionel Messi", "nelm"));
        assert!(finds(&"x".repeat(5_000), "whatever"), "a long text is always looked at");
        let long = "abcdefghijklmnopqrstuvwxyz".repeat(20);
        assert!(finds(&long, &long[5..400]));
    }

    #[test]
    fn pieces_of_others_are_others() {
        let of = |workspace, kind| wanted(WorkspaceId(workspace), kind, "abc");
        assert_ne!(of(1, RecordKind::User), of(2, RecordKind::User));
        assert_ne!(of(1, RecordKind::User), of(1, RecordKind::Account));
        assert_eq!(wanted(WorkspaceId(1), RecordKind::User, "ab"), None);
    }
}
