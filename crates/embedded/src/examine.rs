//! Looking at a data directory that no server uses, and saying what is wrong with it.
//!
//! Reads everything there is to read: the journal's frames, every block of every history file, every value of the state
//! store. Changes nothing: the state store is opened [apart](crate::apart).

use std::path::Path;

use fjall::Keyspace;
use muster_history::{disk, verified::VerifiedFile};
use rustc_hash::FxHashSet;

use crate::{
    apart::Apart,
    credentials::Registry,
    erase,
    error::{OpenError, reading},
    follow,
    history::manifest,
    journal::replay,
    lists,
    recovery::{self, Layout},
    saved::Shelf,
    state::State,
    tally::{self, Tally},
    team::Teams,
};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Works, but wants attention.
    Warning,
    /// Something promised cannot be kept.
    Fault,
}

/// One thing that was found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub what: String,
    pub advice: String,
}

impl Finding {
    fn new(severity: Severity, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Finding { severity, what: what.into(), advice: advice.into() }
    }
}

/// The state store's cache while it is looked through.
const CACHE_BYTES: u64 = 32 << 20;

const RESTORE: &str = "restore the data directory from a backup";

/// Examines a data directory. `progress` is told what is looked at next.
pub fn examine(data_dir: &Path, progress: &mut dyn FnMut(&str)) -> Result<Vec<Finding>, OpenError> {
    let layout = Layout::new(data_dir);
    let apart = match Apart::of(&layout) {
        Ok(apart) => apart,
        Err(OpenError::NoData { .. }) => {
            let what = format!("{} holds no data", data_dir.display());
            return Ok(vec![Finding::new(Severity::Warning, what, "check the path, or start a server to create it")]);
        }
        Err(OpenError::Damaged { what }) => return Ok(vec![Finding::new(Severity::Fault, what, RESTORE)]),
        Err(error) => return Err(error),
    };
    let mut findings = Vec::new();
    if let Err(error @ OpenError::Moved { .. }) = layout.check_not_left() {
        findings.push(Finding::new(
            Severity::Warning,
            error.to_string(),
            "remove the directory once nobody wants it back",
        ));
    }
    progress("state");
    let state = match State::open(&apart.layout().state, CACHE_BYTES) {
        Ok(state) => state,
        Err(error) => {
            findings.push(Finding::new(Severity::Fault, error.to_string(), RESTORE));
            return Ok(findings);
        }
    };
    progress("journal");
    let mut waiting = None;
    stage("the state store or the journal", &mut findings, |findings| {
        waiting = examine_journal(&layout, &state, findings);
    });
    progress("records");
    stage("the state store", &mut findings, |findings| examine_state(&state, waiting.unwrap_or(0), findings));
    progress("what is kept for destinations");
    stage("what is kept for destinations", &mut findings, |findings| examine_kept(&layout, findings));
    progress("history");
    stage("the state store or the history", &mut findings, |findings| {
        examine_history(&layout, &state, waiting, findings)
    });
    progress("deletions");
    stage("what was deleted", &mut findings, |findings| examine_deletions(&layout, &state, findings));
    Ok(findings)
}

/// Of the receipts that somebody kept, those that a data directory that no server uses does not have, word for word.
///
/// # Errors
/// [`OpenError::InUse`], and whatever keeps the state from being read.
pub fn receipts_missing<'k>(data_dir: &Path, kept: &[&'k str]) -> Result<Vec<&'k str>, OpenError> {
    let apart = Apart::of(&Layout::new(data_dir))?;
    let state = State::open(&apart.layout().state, CACHE_BYTES)?;
    let mut missing: FxHashSet<&str> = kept.iter().copied().collect();
    reading("the receipts", || Ok(erase::examine::take_known(&state, &mut missing)?))?;
    Ok(kept.iter().copied().filter(|line| missing.contains(line)).collect())
}

/// One part of the examination; what cannot even be looked through is a finding too.
fn stage(what: &str, findings: &mut Vec<Finding>, look: impl FnOnce(&mut Vec<Finding>)) {
    let looked = reading(what, || {
        look(findings);
        Ok(())
    });
    if let Err(error) = looked {
        findings.push(Finding::new(Severity::Fault, error.to_string(), RESTORE));
    }
}

fn examine_state(state: &State, waiting: u64, findings: &mut Vec<Finding>) {
    let read = [Registry::load(state).err(), Teams::load(state).err(), Shelf::load(state).err()];
    for error in read.into_iter().flatten() {
        findings.push(Finding::new(Severity::Fault, error.to_string(), RESTORE));
    }
    examine_records(state, waiting, findings);
    let others = [
        ("identities", &state.identities),
        ("statements", &state.statements),
        ("children", &state.children),
        ("the catalogue of traits", &state.stated),
        ("messages set aside", &state.refused),
        ("destinations", &state.followers),
    ];
    for (name, keyspace) in others {
        if let Err(what) = each_value(keyspace, |_| true) {
            findings.push(Finding::new(Severity::Fault, format!("{name}: {what}"), RESTORE));
        }
    }
}

/// Places of records that groups in the journal change may be on their way.
fn examine_records(state: &State, waiting: u64, findings: &mut Vec<Finding>) {
    let compared = match lists::examine::compare(state) {
        Ok(compared) => compared,
        Err(what) => {
            findings.push(Finding::new(Severity::Fault, format!("records and their places in lists: {what}"), RESTORE));
            return;
        }
    };
    let what = format!("{} profiles read, with {} places in lists", compared.records, compared.places);
    findings.push(Finding::new(Severity::Note, what, ""));
    examine_tally(state, &compared.tally, findings);
    if compared.missing > 0 && waiting > 0 {
        let what = format!("{} places in lists are not there yet, or missing", compared.missing);
        let advice = "a stop in the middle of a checkpoint leaves it so, and the next start brings them into place: start \
                      the server, stop it, and examine again";
        findings.push(Finding::new(Severity::Note, what, advice));
    } else if compared.missing > 0 {
        let what = format!("{} places in lists are missing: lists leave records out", compared.missing);
        findings.push(Finding::new(Severity::Fault, what, RESTORE));
    }
    if compared.left_over > 0 {
        let what = format!("{} places in lists belong to no record any more", compared.left_over);
        let advice = "nothing to do: a stop in the middle of a checkpoint leaves some, and lists pass over them";
        findings.push(Finding::new(Severity::Note, what, advice));
    }
}

/// Whether there are as many records as the store says at its pages.
fn examine_tally(state: &State, found: &Tally, findings: &mut Vec<Finding>) {
    match tally::read(state) {
        Ok(Some(kept)) => {
            let differing = kept.differing(found);
            if differing > 0 {
                let what =
                    format!("the numbers of records kept of {differing} workspaces are not those of their records");
                let advice =
                    "what shows how many there are shows a wrong number; nothing else asks for it. Report this";
                findings.push(Finding::new(Severity::Warning, what, advice));
            }
        }
        Ok(None) => {
            let what = "how many records there are is not kept yet";
            findings.push(Finding::new(Severity::Note, what, "nothing to do: a start counts them"));
        }
        Err(fault) => findings.push(Finding::new(Severity::Fault, fault.to_string(), RESTORE)),
    }
}

fn each_value(keyspace: &Keyspace, mut fits: impl FnMut(&[u8]) -> bool) -> Result<(), String> {
    for entry in keyspace.iter() {
        let value = entry.value().map_err(|error| error.to_string())?;
        if !fits(&value) {
            return Err("a value does not follow its layout".to_owned());
        }
    }
    Ok(())
}

/// Examines the journal; how many groups wait in it, if it goes on where the state ends.
fn examine_journal(layout: &Layout, state: &State, findings: &mut Vec<Finding>) -> Option<u64> {
    let replayed = state.position().and_then(|committed| replay::replay(&layout.journal, committed, false, |_| Ok(())));
    match replayed {
        Ok(replayed) => {
            let what = format!("{} groups in the journal wait for a checkpoint", replayed.frames);
            findings.push(Finding::new(Severity::Note, what, ""));
            if let Some((file, at, bytes)) = replayed.cut {
                let what = format!("journal file {file} ends with {bytes} bytes of an incomplete group at byte {at}");
                let advice = "nothing to do: it was never acknowledged, and the next start cuts it";
                findings.push(Finding::new(Severity::Warning, what, advice));
            }
            Some(replayed.frames)
        }
        Err(error) => {
            findings.push(Finding::new(Severity::Fault, error.to_string(), RESTORE));
            None
        }
    }
}

fn examine_kept(layout: &Layout, findings: &mut Vec<Finding>) {
    let (mut files, mut batches) = (0u64, 0u64);
    let looked = follow::frames::each(&layout.forward, &mut || files += 1, &mut |_| batches += 1);
    match looked {
        Ok(()) if files == 0 => {}
        Ok(()) => {
            let what = format!("{batches} batches in {files} files wait for destinations that have not had them");
            findings.push(Finding::new(Severity::Note, what, ""));
        }
        Err(what) => {
            let advice = "remove the file: the destinations that need it get what they miss from the history";
            findings.push(Finding::new(Severity::Fault, what.to_string(), advice));
        }
    }
}

fn examine_deletions(layout: &Layout, state: &State, findings: &mut Vec<Finding>) {
    let report = manifest::load(state, &layout.history)
        .and_then(|manifest| Ok(erase::examine::examine(state, &manifest, layout)?));
    let report = match report {
        Ok(report) => report,
        Err(error) => return findings.push(Finding::new(Severity::Fault, format!("deletions: {error}"), RESTORE)),
    };
    let advice = "start a server on this directory: it removes what is left; report this if it comes back";
    findings.extend(report.faults.iter().map(|fault| Finding::new(Severity::Fault, fault.as_str(), advice)));
    if report.erasing > 0 {
        let what = format!("the bytes of {} deletions are not removed yet", report.erasing);
        findings.push(Finding::new(Severity::Warning, what, "start a server on this directory: it removes them"));
    }
    if report.finished + report.scheduled > 0 {
        let (finished, scheduled) = (report.finished, report.scheduled);
        let what = format!("{finished} deletions finished, {scheduled} scheduled; nothing is left of those finished");
        if report.faults.is_empty() {
            findings.push(Finding::new(Severity::Note, what, ""));
        }
    }
}

fn examine_history(layout: &Layout, state: &State, waiting: Option<u64>, findings: &mut Vec<Finding>) {
    let manifest = match manifest::load(state, &layout.history) {
        Ok(manifest) => manifest,
        Err(error) => return findings.push(Finding::new(Severity::Fault, error.to_string(), RESTORE)),
    };
    let (mut files, mut rows) = (0u64, 0u64);
    for segment in manifest.all() {
        files += 1;
        rows += segment.rows;
        if let Err(error) = VerifiedFile::new(segment.clone()).check_all() {
            let what = format!("history file {}: {error}", segment.relative_path);
            findings.push(Finding::new(Severity::Fault, what, "restore this file from a backup"));
        }
    }
    findings.push(Finding::new(Severity::Note, format!("{rows} messages in {files} history files"), ""));
    examine_unnamed(layout, state, (files, waiting), findings);
}

/// Files in the history's directory that the state does not name. They are left-overs if state and journal belong together.
fn examine_unnamed(layout: &Layout, state: &State, (named, waiting): (u64, Option<u64>), findings: &mut Vec<Finding>) {
    let on_disk = disk::files_below(&layout.history).map_or(0, |found| found.len() as u64);
    if on_disk <= named {
        return;
    }
    let unnamed = on_disk - named;
    let together = |frames| recovery::check_not_foreign(&layout.history, state.position()?, frames);
    let foreign: Option<Result<(), OpenError>> = waiting.map(together);
    findings.push(match foreign {
        Some(Ok(())) => {
            let what = format!("{unnamed} left-over files in the history directory");
            Finding::new(Severity::Note, what, "nothing to do: the next start removes them")
        }
        Some(Err(error)) => Finding::new(Severity::Fault, error.to_string(), RESTORE),
        None => {
            let what = format!("{unnamed} files in the history directory are not of this state, or left over");
            let advice = "leave them where they are: no start removes them before state and journal belong together";
            Finding::new(Severity::Warning, what, advice)
        }
    });
}
