//! Receipts that somebody kept: whether they are as they were printed, and still those of the data directory.
//!
//! Changes nothing, and asks no server: beside a running one the file alone is looked at.

use std::{fs, path::Path};

use muster_store::deletion::receipt::{self, Unproven};

use super::run::Finding;
use crate::assemble::NotOpened;

/// How many of receipts whose hashes are right are not where they are looked for.
type Missing<'a> = &'a dyn Fn(&[&str]) -> Result<usize, NotOpened>;

const ELSEWHERE: &str = "if it was restored from a backup, send the receipts to POST /resources/deletions; \
                         otherwise somebody changed what it tells of its deletions";
const COMPARE: &str = "stop it, or examine a backup of it, to have them compared with those it has";

/// Examines a file of receipts, one a line, as `muster receipts` prints them; `place` is where they should be.
pub fn examine(file: &Path, place: &str, missing: Missing<'_>) -> Vec<Finding> {
    let name = file.display();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            return vec![Finding::fault(
                format!("{name} cannot be read: {error}"),
                "give a file of receipts, one a line",
            )];
        }
    };
    let (mut findings, mut proven) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
        match receipt::prove(line) {
            Ok(()) => proven.push(line),
            Err(Unproven::Unsealed) => {
                let what =
                    format!("line {} of {name} has no hash: it is no receipt, or not of what was finished", at + 1);
                findings.push(Finding::warning(what, "have it printed again"));
            }
            Err(unproven @ Unproven::Changed) => {
                let what = format!("line {} of {name} is not as it was printed: {unproven}", at + 1);
                findings.push(Finding::fault(what, "find the original"));
            }
        }
    }
    findings.extend(compare(&proven, &name.to_string(), place, missing));
    findings
}

fn compare(proven: &[&str], name: &str, place: &str, missing: Missing<'_>) -> Vec<Finding> {
    let all = format!("{} receipts of {name} have the hashes of their texts", proven.len());
    match missing(proven) {
        Ok(0) => vec![Finding::note(format!("{all}, and {place} has each of them"))],
        Ok(missing) => {
            let what = format!("{missing} of the {} receipts of {name} are not in {place}", proven.len());
            vec![Finding::fault(what, ELSEWHERE)]
        }
        Err(NotOpened::InUse) => {
            vec![Finding::warning(format!("{all}; a server runs over the data directory"), COMPARE)]
        }
        Err(NotOpened::Failed(error)) => {
            vec![Finding::warning(format!("{all}; those of {place} could not be read: {error:#}"), COMPARE)]
        }
    }
}
