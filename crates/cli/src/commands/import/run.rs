//! The command from its arguments to its exit code.

use std::time::{Duration, Instant};

use super::{
    super::reach::{Reached, reach, target},
    order::{Sorter, received_at},
    sources::{self, Sources},
};
use crate::{
    args,
    commands::send::{
        report::{Report, Summary},
        sending::{Read, SendingLine},
    },
    config::settings::Settings,
    exit::Exit,
    output::{self, Progress, Unit},
};

const PATH: &str = "/admin/v1/import";

/// Imports the files and says what became of them.
pub fn run(settings: &Settings, args: &args::Import) -> anyhow::Result<Exit> {
    let files = sources::find(&args.source)?;
    let started = Instant::now();
    let (report, failure) = reach(settings, &args.reach, "admin --name import", |reached| {
        let names = files.iter().map(|path| path.display().to_string()).collect();
        let report = Report::new(args.refused.as_deref())?.with_sources(names);
        let reading = Progress::new(sources::bytes(&files), Unit::Bytes);
        let mut pieces = Sources::new(files.clone()).peekable();
        let first = pieces.peek().and_then(|(piece, _)| piece.as_ref().ok());
        if first.is_none_or(|piece| received_at(piece).is_none()) {
            return Ok(send(reached, args, pieces, report, &reading));
        }
        reading.note("reading");
        let (sorter, unread) = sort(pieces, &reading)?;
        reading.finish();
        let storing = Progress::new(Some(sorter.count()), Unit::Messages);
        storing.note("messages");
        let in_order = sorter.finish()?.map(|piece| (piece.map(|(_, piece)| piece), 1));
        // What could be read is stored, and then it is said that there was more.
        let in_order = in_order.chain(unread.map(|error| (Err(error), 0)));
        Ok(send(reached, args, in_order, report, &storing))
    })?;
    let summary = report.finish(started.elapsed().as_secs_f64(), failure.is_none())?;
    if args.json {
        output::json(&summary)?;
    } else {
        output::data(&sentence(&summary, args.dry_run))?;
    }
    match failure {
        None => Ok(summary.exit()),
        Some(failure) => {
            output::talk(
                "what was stored is kept; the same files can be imported again without storing anything twice",
            );
            Err(failure)
        }
    }
}

fn sort(pieces: impl Iterator<Item = Read>, progress: &Progress) -> anyhow::Result<(Sorter, Option<anyhow::Error>)> {
    let mut sorter = Sorter::new();
    let mut unread = None;
    for (piece, read) in pieces {
        progress.advance(read);
        match piece {
            Ok(piece) => sorter.push(piece)?,
            Err(error) => unread = Some(error),
        }
    }
    Ok((sorter, unread))
}

fn send(
    reached: &Reached,
    args: &args::Import,
    pieces: impl Iterator<Item = Read>,
    report: Report,
    progress: &Progress,
) -> (Report, Option<anyhow::Error>) {
    let mut parameters = reached.workspace(&args.reach.workspace);
    parameters.push(("dryRun", if args.dry_run { "true".to_owned() } else { String::new() }));
    let path = target(PATH, &parameters);
    let line =
        SendingLine { client: &reached.client, path: &path, patience: Duration::from_secs(args.patience), progress };
    // One request after the other: their order is that of receipt.
    line.send(pieces, 1, report)
}

fn sentence(summary: &Summary, dry_run: bool) -> String {
    if !dry_run {
        return summary.sentence();
    }
    let Summary { messages, stored, refused, .. } = summary;
    format!("{messages} messages: {stored} would be taken, {refused} would be refused; nothing was stored\n")
}
