//! The command, and the form of its findings.

use anyhow::anyhow;
use serde::Serialize;

use super::{beside, cluster, machine, receipts};
use crate::{
    args,
    assemble::{self, Found, Gravity, NotOpened},
    config::settings::Settings,
    exit::Exit,
    output::{self, Progress, Unit},
};

/// One thing that was looked at, how bad it is, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub gravity: Gravity,
    pub what: String,
    pub advice: String,
}

impl Finding {
    pub fn note(what: impl Into<String>) -> Finding {
        Finding { gravity: Gravity::Note, what: what.into(), advice: String::new() }
    }

    pub fn warning(what: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { gravity: Gravity::Warning, what: what.into(), advice: advice.into() }
    }

    pub fn fault(what: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { gravity: Gravity::Fault, what: what.into(), advice: advice.into() }
    }
}

impl From<Found> for Finding {
    fn from(found: Found) -> Finding {
        Finding { gravity: found.gravity, what: found.what, advice: found.advice }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    worst: Gravity,
    data_dir: String,
    findings: &'a [Finding],
}

/// Looks and reports.
pub fn run(settings: &Settings, args: &args::Doctor) -> anyhow::Result<Exit> {
    let findings = match settings.cluster {
        None => examine(settings, args)?,
        Some(_) => examine_cluster(settings, args)?,
    };
    let worst = findings.iter().map(|finding| finding.gravity).max().unwrap_or(Gravity::Note);
    let data_dir = settings.place.data_dir.display().to_string();
    if args.json {
        output::json(&Report { worst, data_dir, findings: &findings })?;
    } else {
        output::data(&text(&findings))?;
    }
    Ok(exit_for(worst))
}

fn examine(settings: &Settings, args: &args::Doctor) -> anyhow::Result<Vec<Finding>> {
    let data_dir = &settings.place.data_dir;
    let progress = Progress::new(None, Unit::Steps);
    let examined = assemble::examine(data_dir, &mut |what| progress.note(what));
    progress.finish();
    let (mut findings, pid) = match examined {
        Ok(found) => (found.into_iter().map(Finding::from).collect(), None),
        Err(NotOpened::InUse) => {
            let server = beside::find(data_dir)?;
            (beside::examine(server.as_ref()), server.map(|server| server.pid))
        }
        Err(NotOpened::Failed(error)) => {
            let advice = "mend what the sentence names, or restore the data directory from a backup";
            (vec![Finding::fault(format!("{error:#}"), advice)], None)
        }
    };
    findings.extend(machine::examine(data_dir, pid, settings.server.connections_max, settings.engine.free_bytes_min));
    if let Some(kept) = &args.receipts {
        findings.extend(receipts::examine(kept, "the data directory", &|proven| {
            assemble::receipts_missing(data_dir, proven).map(|missing| missing.len())
        }));
    }
    Ok(findings)
}

/// In the data directory nothing is looked for but a node that runs on this machine: nothing else is kept there.
fn examine_cluster(settings: &Settings, args: &args::Doctor) -> anyhow::Result<Vec<Finding>> {
    let cluster::Examined { mut findings, receipts } = cluster::examine(settings)?;
    let server = beside::find(&settings.place.data_dir)?.filter(|server| machine::is_running(server.pid));
    if server.is_some() {
        findings.extend(beside::examine(server.as_ref()));
    }
    findings.extend(machine::examine_node(settings.server.connections_max));
    if let Some(kept) = &args.receipts {
        findings.extend(receipts::examine(kept, "the cluster", &|proven| {
            let known = receipts.as_ref().ok_or_else(|| NotOpened::Failed(anyhow!("see above")))?;
            Ok(proven.iter().filter(|line| !known.contains(**line)).count())
        }));
    }
    Ok(findings)
}

fn exit_for(worst: Gravity) -> Exit {
    match worst {
        Gravity::Note => Exit::Success,
        Gravity::Warning => Exit::Warnings,
        Gravity::Fault => Exit::Faults,
    }
}

fn text(findings: &[Finding]) -> String {
    let row = |finding: &Finding| {
        let gravity = match finding.gravity {
            Gravity::Note => "ok",
            Gravity::Warning => "WARNING",
            Gravity::Fault => "FAULT",
        };
        let advice = if finding.advice.is_empty() { String::new() } else { format!("; {}", finding.advice) };
        vec![gravity.to_owned(), format!("{}{advice}", finding.what)]
    };
    output::table(&findings.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides_and_advice_is_shown() {
        let findings = [Finding::note("fine"), Finding::warning("odd", "look"), Finding::fault("broken", "mend")];
        assert_eq!(text(&findings), "ok       fine\nWARNING  odd; look\nFAULT    broken; mend\n");
        assert_eq!(findings.iter().map(|finding| exit_for(finding.gravity)).max(), Some(Exit::Faults));
        assert_eq!(exit_for(Gravity::Note), Exit::Success);
    }
}
