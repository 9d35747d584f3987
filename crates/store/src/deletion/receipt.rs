//! The receipt as text, and the chain that the receipts of a workspace form.
//!
//! A receipt is a JSON object on one line, its members in a fixed order. Its hash is the SHA-256 of that line without
//! its last member, which is the hash itself; `previous` is the hash of the receipt with the number before. Whoever kept
//! the latest hash can tell whether any receipt up to it was changed, added or left out. Records stand in it as their
//! UUIDs: whoever knows an external id can show that it was deleted, and nobody can read one out of it.

use std::fmt::Write;

use muster_model::{
    deletion::{Part, Subject},
    time::Micros,
};
use sha2::{Digest, Sha256};

use super::progress::{Deletion, Removed, Stage};

/// What is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A receipt's text does not have the hash that it says.
    #[error("receipt {number} was changed: its hash does not match its text")]
    Changed { number: u64 },
    /// The receipt before is another one, or is not there.
    #[error("receipt {number} does not follow the receipt before it: one was changed, added or left out")]
    Unlinked { number: u64 },
}

/// The receipt: one line, with the hash once there is one.
#[must_use]
pub fn text(deletion: &Deletion) -> String {
    with_hash(deletion, body(deletion, true))
}

/// The receipt without the list of records, for a page of many.
#[must_use]
pub fn summary(deletion: &Deletion) -> String {
    with_hash(deletion, body(deletion, false))
}

fn with_hash(deletion: &Deletion, mut line: String) -> String {
    line.pop();
    let _ = write!(line, ",\"hash\":{}}}", quoted(deletion.seal().map(|seal| hex(&seal.hash))));
    line
}

/// The hash of a receipt's text.
pub(super) fn hash(deletion: &Deletion) -> [u8; 32] {
    Sha256::digest(body(deletion, true).as_bytes()).into()
}

/// Why the text of a receipt proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// It has no hash: what it is of was not finished, or it is no receipt.
    #[error("it has no hash")]
    Unsealed,
    /// Its hash is another text's.
    #[error("its hash does not match its text")]
    Changed,
}

/// Checks that a line is a receipt with the hash of its own text. Where it stands in a chain is not looked at.
pub fn prove(line: &str) -> Result<(), Unproven> {
    let (text, said) = line.trim().rsplit_once(",\"hash\":").ok_or(Unproven::Unsealed)?;
    if said == "null}" {
        return Err(Unproven::Unsealed);
    }
    let hash = Sha256::new().chain_update(text).chain_update("}").finalize();
    if said == format!("\"{}\"}}", hex(&hash.into())) { Ok(()) } else { Err(Unproven::Changed) }
}

/// Checks receipts that were sealed, which are given in the order of their numbers.
pub fn verify<'d>(sealed: impl IntoIterator<Item = &'d Deletion>) -> Result<(), Broken> {
    let (mut last, mut previous) = (0, [0; 32]);
    for deletion in sealed {
        let Some(seal) = deletion.seal() else { continue };
        if seal.number != last + 1 || seal.previous != previous {
            return Err(Broken::Unlinked { number: seal.number });
        }
        if hash(deletion) != seal.hash {
            return Err(Broken::Changed { number: seal.number });
        }
        (last, previous) = (seal.number, seal.hash);
    }
    Ok(())
}

/// Where the next receipt is linked to: the last number, and its hash.
#[must_use]
pub fn chain_end<'d>(deletions: impl IntoIterator<Item = &'d Deletion>) -> (u64, [u8; 32]) {
    let seals = deletions.into_iter().filter_map(Deletion::seal);
    seals.max_by_key(|seal| seal.number).map_or((0, [0; 32]), |seal| (seal.number, seal.hash))
}

fn body(deletion: &Deletion, with_records: bool) -> String {
    let erasure = deletion.erasure();
    let seal = deletion.seal();
    let status = match deletion.stage {
        Stage::Scheduled => "scheduled",
        Stage::Cancelled { .. } => "cancelled",
        Stage::Erasing(_) => "erasing",
        Stage::Finished(..) => "finished",
    };
    let cancelled = if let Stage::Cancelled { at, by } = deletion.stage { Some((at, by)) } else { None };
    let instant = |at: Option<Micros>| quoted(at.map(Micros::to_micros_text));
    let mut line = format!("{{\"id\":\"{}\",\"status\":\"{status}\",\"record\":", deletion.id);
    put_record(&mut line, deletion.root);
    let _ = write!(line, ",\"requestedAt\":{}", instant(Some(deletion.requested_at)));
    let _ = write!(line, ",\"requestedBy\":{},\"deleteOn\":{}", deletion.key_id, instant(deletion.due));
    let _ = write!(line, ",\"cancelledAt\":{}", instant(cancelled.map(|(at, _)| at)));
    // No receipt that a hash is of has it: what was called off is never sealed.
    if let Some(by) = cancelled.and_then(|(_, by)| by) {
        let _ = write!(line, ",\"cancelledBy\":{by}");
    }
    let _ = write!(line, ",\"appliedAt\":{}", instant(erasure.map(|erasure| erasure.at)));
    let _ = write!(line, ",\"finishedAt\":{}", instant(seal.map(|seal| seal.finished_at)));
    put_removed(&mut line, &erasure.map(|erasure| erasure.removed).unwrap_or_default());
    if with_records {
        line.push_str(",\"records\":[");
        for (nth, subject) in erasure.iter().flat_map(|erasure| &erasure.subjects).enumerate() {
            line.push_str(if nth > 0 { "," } else { "" });
            put_record(&mut line, *subject);
        }
        line.push(']');
        put_parts(&mut line, erasure.map_or(&[], |erasure| &erasure.parts));
    }
    let number = seal.map_or_else(|| "null".to_owned(), |seal| seal.number.to_string());
    let _ = write!(line, ",\"number\":{number},\"previous\":{}}}", quoted(seal.map(|seal| hex(&seal.previous))));
    line
}

fn put_record(line: &mut String, (kind, id): Subject) {
    let _ = write!(line, "{{\"kind\":\"{}\",\"id\":\"{id}\"}}", kind.as_str());
}

/// Stretches of anonymous ids; nothing where there are none, as in receipts from before there were any.
fn put_parts(line: &mut String, parts: &[Part]) {
    for (nth, part) in parts.iter().enumerate() {
        line.push_str(if nth > 0 { "," } else { ",\"parts\":[" });
        let edge = |at: Micros| {
            quoted(Some(at).filter(|at| !matches!(*at, Micros::MIN | Micros::MAX)).map(Micros::to_micros_text))
        };
        let (from, until) = (edge(part.stretch.first), edge(part.stretch.last));
        let _ = write!(line, "{{\"id\":\"{}\",\"from\":{from},\"until\":{until}}}", part.anonymous);
    }
    line.push_str(if parts.is_empty() { "" } else { "]" });
}

fn put_removed(line: &mut String, removed: &Removed) {
    let counts = [
        ("organizations", removed.organizations),
        ("accounts", removed.accounts),
        ("users", removed.users),
        ("customObjects", removed.custom_objects),
        ("customObjectInstances", removed.instances),
        ("npsResponses", removed.responses),
        ("messages", removed.messages),
        ("redactedMessages", removed.redacted),
        ("refusedMessages", removed.refused),
        ("identities", removed.identities),
        ("historyFiles", removed.files),
    ];
    // Receipts from before there were any do not have it.
    let anonymous = [("anonymousIds", removed.anonymous)].into_iter().filter(|(_, count)| *count > 0);
    let members: Vec<String> =
        counts.into_iter().chain(anonymous).map(|(name, count)| format!("\"{name}\":{count}")).collect();
    let _ = write!(line, ",\"removed\":{{{}}}", members.join(","));
}

fn quoted(text: Option<String>) -> String {
    text.map_or_else(|| "null".to_owned(), |text| format!("\"{text}\""))
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use muster_model::{deletion::DeletionId, id::RecordId, kind::RecordKind};

    use super::*;
    use crate::deletion::progress::Erasure;

    fn sealed(number: u64, end: (u64, [u8; 32])) -> Deletion {
        let root = (RecordKind::User, RecordId(u128::from(number)));
        let at = Micros(1_700_000_000_000_000);
        let stage =
            Stage::Erasing(Erasure { at, subjects: vec![root], parts: Vec::new(), removed: Removed::default() });
        let id = DeletionId::of(root, at);
        let mut deletion = Deletion { id, root, requested_at: at, key_id: 1, due: None, stage };
        deletion.finish(end, at);
        deletion
    }

    #[test]
    fn a_chain_holds_and_shows_every_change() {
        let mut chain: Vec<Deletion> = Vec::new();
        for number in 1..=3 {
            chain.push(sealed(number, chain_end(&chain)));
        }
        assert_eq!(verify(&chain), Ok(()));
        assert_eq!(verify(&chain[1..]), Err(Broken::Unlinked { number: 2 }));
        assert_eq!(verify([&chain[0], &chain[2]]), Err(Broken::Unlinked { number: 3 }));
        let mut changed = chain.clone();
        changed[1].key_id = 9;
        assert_eq!(verify(&changed), Err(Broken::Changed { number: 2 }));
        let added = [chain[0].clone(), sealed(2, chain_end(&chain[..1])), sealed(9, chain_end(&chain[..1]))];
        assert!(verify(&added).is_err());
    }

    #[test]
    fn the_hash_is_that_of_the_text_before_it() {
        let deletion = sealed(1, (0, [0; 32]));
        let line = text(&deletion);
        let (before, hash) = line.split_once(",\"hash\":\"").expect("a sealed receipt has a hash");
        assert_eq!(hash, format!("{}\"}}", hex(&Sha256::digest(format!("{before}}}").as_bytes()).into())));
        assert!(summary(&deletion).contains("\"status\":\"finished\""), "{line}");
    }

    #[test]
    fn a_line_is_proven_by_its_own_hash_wherever_its_chain_begins() {
        let line = text(&sealed(2, chain_end(&[sealed(1, (0, [0; 32]))])));
        assert_eq!(prove(&line), Ok(()));
        assert_eq!(prove(&format!(" {line}\r")), Ok(()));
        let (text, _) = line.split_once(",\"hash\":").expect("a sealed receipt has a hash");
        for changed in [line.replace("\"requestedBy\":1", "\"requestedBy\":2"), format!("{text},\"hash\":\"00\"}}")] {
            assert_eq!(prove(&changed), Err(Unproven::Changed), "{changed}");
        }
        for unsealed in [format!("{text},\"hash\":null}}"), format!("{text}}}"), "{}".to_owned()] {
            assert_eq!(prove(&unsealed), Err(Unproven::Unsealed), "{unsealed}");
        }
    }
}
