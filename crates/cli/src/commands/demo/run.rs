//! The command from its arguments to its exit code.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use muster_model::{day::Day, limits::IMPORT_MESSAGES_MAX};
use muster_store::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use super::{
    cast::KEEPERS,
    stream::{Order, Stream},
    tally::{Tally, sights},
};
use crate::{
    args,
    client::Answer,
    commands::{
        import,
        reach::{Reached, reach, target, unanswered},
        send::{
            report::{Report, Summary},
            sending::SendingLine,
            split::{Piece, Place},
        },
        way::sentence,
    },
    config::settings::Settings,
    exit::{Exit, Failure},
    output::{self, Progress, Unit},
};

const QUERY_PATH: &str = "/query?format=json";
const TEAM_PATH: &str = "/admin/v1/team";
/// Seconds to keep trying while the server is busy or away.
const PATIENCE: Duration = Duration::from_secs(300);
/// What a server answers when the team has a member with this address already.
const THERE_ALREADY: u16 = 409;

/// Tells the story into a workspace and says what there is to see.
pub fn run(settings: &Settings, args: &args::Demo) -> anyhow::Result<Exit> {
    let order = order(args)?;
    let started = Instant::now();
    let (made, sights, failure) = reach(settings, &args.reach, "read,admin --name demo", |reached| {
        require_empty(reached, args)?;
        let stream = Stream::new(order);
        let sights = sights(stream.cast());
        let ends = [stream.year().date(0), stream.year().last().to_text()];
        let mut tally = Tally::default();
        let (report, failure) = tell(reached, args, stream, &mut tally)?;
        if failure.is_none() {
            add_team(reached, args)?;
        }
        let summary = report.finish(started.elapsed().as_secs_f64(), failure.is_none())?;
        let failure = failure.or_else(|| astray(&summary, tally.faults()));
        Ok((tally.made(order.seed, ends, &summary), sights, failure))
    })?;
    if args.json {
        output::json(&made)?;
    } else {
        output::data(&made.table())?;
    }
    if let Some(failure) = failure {
        output::talk("what was stored is kept; the same command with --force goes on without storing anything twice");
        return Err(failure);
    }
    if !args.json {
        output::talk(&format!("\n{sights}"));
    }
    Ok(Exit::Success)
}

/// What is refused without being meant to be is a failure.
fn astray(summary: &Summary, faults: u64) -> Option<anyhow::Error> {
    if summary.refused == faults {
        return None;
    }
    let says = format!(
        "{} messages were refused and {faults} were meant to be; /resources/refused tells why",
        summary.refused
    );
    Some(Failure::error(Exit::Refused, says))
}

fn order(args: &args::Demo) -> anyhow::Result<Order> {
    let now = SystemClock.now();
    let last = match &args.until {
        None => Day::of(now),
        Some(text) => day(text, Day::of(now))?,
    };
    Ok(Order { seed: args.seed, accounts: args.accounts as usize, last, until: last.end().min(now) })
}

/// A day that is not in the future, nor so far back that the year would begin before time was counted.
fn day(text: &str, today: Day) -> anyhow::Result<Day> {
    let usage = |says: String| Failure::error(Exit::Usage, says);
    let is_date = text.len() == "2018-05-15".len();
    let day = Day::parse(text)
        .filter(|_| is_date)
        .ok_or_else(|| usage(format!("{text:?} is no day; write it as 2018-05-15")))?;
    if day > today {
        return Err(usage(format!("{text} is in the future; what was received was received by now")));
    }
    if day < Day::parse(EARLIEST).context("the earliest day is one")? {
        return Err(usage(format!("{text} is too long ago; {EARLIEST} is the earliest")));
    }
    Ok(day)
}

const EARLIEST: &str = "1980-01-01";

/// A workspace in which something is already would be hard to tell apart from the story afterwards.
fn require_empty(reached: &Reached, args: &args::Demo) -> anyhow::Result<()> {
    if args.force {
        return Ok(());
    }
    let path = target(QUERY_PATH, &reached.workspace(&args.reach.workspace));
    let sql = json!({"sql": "select exists(select 1 from messages)"}).to_string();
    let answer = agreed(reached.client.post(&path, sql.as_bytes(), None).map_err(unanswered)?)?;
    let answer: Value = serde_json::from_str(&answer.body).context("the server's answer is not JSON")?;
    if answer["rows"][0][0] == json!(0) {
        return Ok(());
    }
    let says =
        "there are messages in the workspace already; give another one with --workspace, or --force to add to it";
    Err(Failure::error(Exit::Usage, says))
}

fn tell(
    reached: &Reached,
    args: &args::Demo,
    stream: Stream,
    tally: &mut Tally,
) -> anyhow::Result<(Report, Option<anyhow::Error>)> {
    let progress = Progress::new(None, Unit::Messages);
    let path = target(import::known::TAKES_PATH, &reached.workspace(&args.reach.workspace));
    let line = SendingLine {
        client: &reached.client,
        path: &path,
        messages_max: IMPORT_MESSAGES_MAX,
        patience: PATIENCE,
        progress: &progress,
    };
    let pieces = stream.enumerate().map(|(index, message)| {
        tally.count(message.about);
        let place = Place { line: index as u64 + 1, index: index as u64, source: 0 };
        let piece = Piece { place, text: message.text.into_bytes(), cut: false, broken: None, original: None };
        (Ok(piece), 1)
    });
    // One request after the other: their order is that of receipt.
    Ok(line.send(pieces, 1, Report::new(None)?.without_telling()))
}

/// Whoever looks after accounts is in the team.
fn add_team(reached: &Reached, args: &args::Demo) -> anyhow::Result<()> {
    let path = target(TEAM_PATH, &reached.workspace(&args.reach.workspace));
    for keeper in &KEEPERS {
        let body = json!({"email": keeper.email, "name": keeper.name}).to_string();
        let answer = reached.client.post(&path, body.as_bytes(), None).map_err(unanswered)?;
        if answer.status != THERE_ALREADY {
            agreed(answer)?;
        }
    }
    Ok(())
}

fn agreed(answer: Answer) -> anyhow::Result<Answer> {
    match answer.status {
        200..300 => Ok(answer),
        401 | 403 => Err(anyhow!(
            "the server does not take the token ({}); `muster keys create --scope read,admin --name demo` makes one",
            answer.status
        )),
        status => Err(anyhow!("the server refused ({status}): {}", sentence(&answer.body))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_is_a_day_that_was() {
        let today = Day::parse("2026-11-25").unwrap();
        assert_eq!(day("2026-11-25", today).unwrap(), today);
        for (text, says) in [
            ("2026-11-26", "future"),
            ("1979-12-31", "earliest"),
            ("2026-11-25T10:00:00Z", "2018-05-15"),
            ("25.11.2026", "2018-05-15"),
            ("", "2018-05-15"),
        ] {
            let error = day(text, today).unwrap_err();
            assert!(error.to_string().contains(says), "{text}: {error}");
            assert_eq!(crate::exit::of(&error), Exit::Usage);
        }
    }
}
