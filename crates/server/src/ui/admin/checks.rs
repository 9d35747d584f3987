//! What an operator looks at first: one line for each thing that can go wrong, and whether it does.
//!
//! It reads what is in memory, the workspace's imports, which are few, and one page of its deletions; nothing is asked of
//! anybody else. Of other workspaces it names nothing; what is counted for the server is counted for all of them together.

use muster_store::{
    deletion::Stage,
    status::{Figures, Health},
};

use super::{
    super::{
        answer::PageError,
        session::Session,
        shown::{self, count, many},
    },
    samples::Sample,
};
use crate::{error::ApiError, forward::control::Phase, state::AppState};

/// How far back what went wrong counts.
const LATELY_MICROS: i64 = 60 * 60 * 1_000_000;
/// Deletions that are looked at.
const DELETIONS_MAX: usize = 50;
/// A sync that takes longer than this on the average makes senders wait.
const SYNC_MICROS_MAX: u64 = 100_000;

/// One thing, and how it is with it.
pub(super) struct Check {
    pub what: &'static str,
    pub class: &'static str,
    pub word: &'static str,
    pub says: String,
    /// Where more is told of it; nowhere if empty.
    pub href: &'static str,
}

fn good(what: &'static str, says: impl Into<String>, href: &'static str) -> Check {
    Check { what, class: "good", word: "fine", says: says.into(), href }
}

fn look(what: &'static str, says: impl Into<String>, href: &'static str) -> Check {
    Check { what, class: "warn", word: "look", says: says.into(), href }
}

fn wrong(what: &'static str, says: impl Into<String>, href: &'static str) -> Check {
    Check { what, class: "bad", word: "wrong", says: says.into(), href }
}

/// Every check, in the order in which they matter.
pub(super) async fn all(
    state: &AppState,
    session: &Session,
    samples: &[Sample],
    now: &Sample,
) -> Result<Vec<Check>, PageError> {
    let since = Since::of(samples, now);
    Ok(vec![
        writes(&state.store.health()),
        requests(&since, now),
        syncs(&since, &now.figures),
        refused(&since, &now.figures),
        destinations(state, session),
        imports(state, session, now).await?,
        deletions(state, session).await?,
    ])
}

/// What the figures of now are compared with.
struct Since {
    sample: Sample,
    /// How long ago that was, as it ends a sentence.
    when: String,
}

impl Since {
    /// The sample of an hour ago; of the start, where that was later.
    fn of(samples: &[Sample], now: &Sample) -> Since {
        let lately = |sample: &&Sample| sample.at.plus_micros(LATELY_MICROS) >= now.at;
        let start = samples.first().map_or(now.at, |first| first.at);
        if start.plus_micros(LATELY_MICROS) >= now.at {
            let minutes = u64::try_from(now.at.0 - start.0).unwrap_or(0) / 60_000_000;
            let when = match minutes {
                0 => "since the start, less than a minute ago".to_owned(),
                _ => format!("since the start, {} ago", many(minutes, "minute")),
            };
            return Since { sample: Sample { at: start, ..Sample::default() }, when };
        }
        let sample = samples.iter().find(lately).copied().unwrap_or(*now);
        Since { sample, when: "in the last hour".to_owned() }
    }
}

fn writes(health: &Health) -> Check {
    const WHAT: &str = "Taking messages";
    match health {
        Health::Ready => good(WHAT, "Every message is stored as it comes.", ""),
        Health::Hindered { reason } => {
            wrong(WHAT, format!("None are taken for now: {reason}. It goes on by itself once that is over."), "")
        }
        Health::Stopped { reason } => wrong(WHAT, format!("None are taken until a restart: {reason}."), ""),
    }
}

fn requests(Since { sample: since, when }: &Since, now: &Sample) -> Check {
    const WHAT: &str = "Requests";
    let (failed, all) = (now.failures - since.failures, now.requests - since.requests);
    match failed {
        0 => good(WHAT, format!("{} {when}: none failed.", many(all, "request")), ""),
        _ => wrong(WHAT, format!("{} of {} failed {when}; the log says why.", count(failed), count(all)), ""),
    }
}

fn syncs(Since { sample: Sample { figures: since, .. }, when }: &Since, now: &Figures) -> Check {
    const WHAT: &str = "Disk";
    let free = now.free_bytes.map(|free| format!(" {} are free.", shown::bytes(free))).unwrap_or_default();
    match (now.sync_micros - since.sync_micros).checked_div(now.groups - since.groups) {
        None => good(WHAT, format!("Nothing was written {when}.{free}"), ""),
        Some(mean) => {
            let took = format!("{}.{} ms", mean / 1_000, mean % 1_000 / 100);
            let says = format!("A sync took {took} on average {when}");
            match mean > SYNC_MICROS_MAX {
                true => look(WHAT, format!("{says}; the disk is slow or busy, and senders wait for it.{free}"), ""),
                false => good(WHAT, format!("{says}.{free}"), ""),
            }
        }
    }
}

fn refused(Since { sample: Sample { figures: since, .. }, when }: &Since, now: &Figures) -> Check {
    const WHAT: &str = "Refused messages";
    let many_refused = now.refused + now.conflicts - since.refused - since.conflicts;
    match many_refused {
        0 => good(WHAT, format!("None was refused {when}."), "/refused"),
        some => look(WHAT, format!("{} refused {when}, on the whole server.", count(some)), "/refused"),
    }
}

fn destinations(state: &AppState, session: &Session) -> Check {
    const WHAT: &str = "Destinations";
    const HREF: &str = "/admin/destinations";
    let all = state.office.all();
    let own: Vec<_> = all.iter().filter(|one| one.follower.workspace == session.workspace().id).collect();
    let named = |phase: Phase| {
        let names = own.iter().filter(|one| one.said.phase == phase).map(|one| one.follower.name.as_str());
        names.collect::<Vec<&str>>().join(", ")
    };
    let (blocked, retrying) = (named(Phase::Blocked), named(Phase::Retrying));
    let letters: u64 = own.iter().map(|one| one.letters).sum();
    match (own.len(), blocked.is_empty(), retrying.is_empty(), letters) {
        (0, ..) => good(WHAT, "There are none; messages stay here.", HREF),
        (_, false, ..) => wrong(WHAT, format!("{blocked} takes nothing, and messages wait."), HREF),
        (_, _, false, _) => look(WHAT, format!("{retrying} is tried again and again."), HREF),
        (.., 1..) => look(WHAT, format!("{} refused there.", shown::many(letters, "dead letter")), HREF),
        (some, ..) => good(WHAT, format!("{} and nothing refused.", many(some as u64, "destination")), HREF),
    }
}

async fn imports(state: &AppState, session: &Session, now: &Sample) -> Result<Check, PageError> {
    const WHAT: &str = "Imports";
    const HREF: &str = "/admin/imports";
    let imports = state.store.imports(session.workspace().id).await.map_err(ApiError::Read)?;
    let cut_short = imports.iter().filter(|import| import.is_interrupted(now.at)).count();
    Ok(match cut_short {
        0 => good(WHAT, "None was cut short.", HREF),
        some => {
            look(WHAT, format!("{} cut short; the same command goes on with it.", many(some as u64, "import")), HREF)
        }
    })
}

async fn deletions(state: &AppState, session: &Session) -> Result<Check, PageError> {
    const WHAT: &str = "Deletions";
    const HREF: &str = "/admin/deletions";
    let page = state.store.deletions(session.workspace().id, None, DELETIONS_MAX).await.map_err(ApiError::Read)?;
    let erasing = page.deletions.iter().filter(|one| matches!(one.stage, Stage::Erasing(_))).count();
    Ok(match erasing {
        0 => good(WHAT, "None is under way.", HREF),
        some => good(WHAT, format!("{} being removed from disk.", many(some as u64, "deletion")), HREF),
    })
}

#[cfg(test)]
mod tests {
    use muster_model::time::Micros;

    use super::*;

    fn sample(minute: i64, failures: u64) -> Sample {
        Sample { at: Micros(minute * 60_000_000), requests: 100 + failures, failures, ..Sample::default() }
    }

    #[test]
    fn what_went_wrong_counts_for_an_hour() {
        let samples: Vec<Sample> = (0..=120).map(|minute| sample(minute, u64::from(minute >= 30))).collect();
        let now = samples[120];
        let since = |samples: &[Sample], now: &Sample| Since::of(samples, now);
        assert_eq!(since(&samples, &now).sample.at, Micros(60 * 60_000_000));
        assert_eq!(requests(&since(&samples, &now), &now).says, "0 requests in the last hour: none failed.");
        let now = samples[80];
        assert_eq!(requests(&since(&samples[..80], &now), &now).word, "wrong");
        // Shortly after a start all of it counts, and nothing is said of the time before.
        let now = sample(18, 2);
        let told = requests(&since(&[sample(4, 2), sample(5, 2)], &now), &now);
        assert_eq!(told.says, "2 of 102 failed since the start, 14 minutes ago; the log says why.");
        let told = refused(&since(&[], &now), &now.figures);
        assert_eq!(told.says, "None was refused since the start, less than a minute ago.");
    }

    #[test]
    fn a_slow_disk_is_told() {
        let of = |sync_micros| Figures { groups: 10, sync_micros, ..Figures::default() };
        let since = |figures| Since { sample: Sample { figures, ..Sample::default() }, when: "lately".to_owned() };
        let start = since(Figures::default());
        assert_eq!(syncs(&start, &of(50_000)).says, "A sync took 5.0 ms on average lately.");
        assert_eq!(syncs(&start, &of(5_000_000)).word, "look");
        let free = Figures { free_bytes: Some(7 << 30), ..of(7) };
        assert_eq!(syncs(&since(of(7)), &free).says, "Nothing was written lately. 7.0 GiB are free.");
    }
}
