//! The command from its arguments to its exit code.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use muster_model::limits::IMPORT_MESSAGES_MAX;

use super::{
    super::reach::{Reached, reach, target},
    forms::{Form, Terms, Translated, mapping::Mapping},
    infer,
    order::{Sorter, received_at},
    sources::{self, Sources},
    vitally::{self, Fetched},
};
use crate::{
    args,
    client::{Client, Trust},
    commands::send::{
        report::{Report, Summary},
        sending::{Read, SendingLine},
    },
    config::{environment, settings::Settings},
    exit::{Exit, Failure},
    output::{self, Progress, Unit},
};

/// Where messages with times of receipt are sent.
pub const PATH: &str = "/admin/v1/import";
/// Bounds one page of another server.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Imports what is named and says what became of it.
pub fn run(settings: &Settings, args: &args::Import) -> anyhow::Result<Exit> {
    if args.infer {
        infer::run(sources::find(&args.source)?)?;
        return Ok(Exit::Success);
    }
    let started = Instant::now();
    let (report, failure) = match &args.from_vitally {
        Some(url) => fetch(settings, args, url)?,
        None => read(settings, args)?,
    };
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

type Imported = (Report, Option<anyhow::Error>);

/// Imports files.
fn read(settings: &Settings, args: &args::Import) -> anyhow::Result<Imported> {
    let files = sources::find(&args.source)?;
    // Whatever is wrong with the order is said before anything is opened.
    let form = form(args)?;
    reach(settings, &args.reach, "admin --name import", |reached| {
        let names = files.iter().map(|file| file.name.clone()).collect();
        let reading = Progress::new(sources::bytes(&files), Unit::Bytes);
        let pieces = Sources::new(files.clone(), form.as_ref().is_some_and(Form::is_of_rows));
        let report = Report::new(args.refused.as_deref())?.with_sources(names).with_headings(pieces.headings());
        let pieces = Translated::new(pieces, form, Terms { group: args.account_group.clone() });
        pass_on(reached, args, pieces, report, &reading)
    })
}

/// Imports what another server has.
fn fetch(settings: &Settings, args: &args::Import, url: &str) -> anyhow::Result<Imported> {
    let token = args.from_token.clone().or_else(|| environment::given(environment::FROM_TOKEN)).ok_or_else(|| {
        let says = "no token of that server: give one with --from-token or in MUSTER_FROM_TOKEN";
        Failure::error(Exit::Usage, says)
    })?;
    let authorities = environment::given(environment::CA).map(PathBuf::from);
    let trust = authorities.as_deref().map_or(Trust::Public, Trust::Authorities);
    let client = Client::trusting(trust, url, Some(&token), PAGE_TIMEOUT)?;
    reach(settings, &args.reach, "admin --name import", |reached| {
        let reading = Progress::new(None, Unit::Messages);
        let pieces = Fetched::new(client, Duration::from_secs(args.patience), &reading);
        let report = Report::new(args.refused.as_deref())?.with_sources(vitally::names(url));
        pass_on(reached, args, pieces, report, &reading)
    })
}

fn form(args: &args::Import) -> anyhow::Result<Option<Form>> {
    match &args.map {
        Some(path) => Ok(Some(Form::Rows(Mapping::of_file(path)?))),
        None => Ok(Form::of(args.format)),
    }
}

/// Sends pieces on; those that say when they were received in that order.
fn pass_on(
    reached: &Reached,
    args: &args::Import,
    pieces: impl Iterator<Item = Read>,
    report: Report,
    reading: &Progress,
) -> anyhow::Result<Imported> {
    let mut pieces = pieces.peekable();
    let first = pieces.peek().and_then(|(piece, _)| piece.as_ref().ok());
    if first.is_none_or(|piece| received_at(piece).is_none()) {
        return Ok(send(reached, args, pieces, report, reading));
    }
    reading.note("reading");
    let (sorter, unread) = sort(pieces, reading)?;
    reading.finish();
    let storing = Progress::new(Some(sorter.count()), Unit::Messages);
    storing.note("messages");
    let in_order = sorter.finish()?.map(|piece| (piece.map(|(_, piece)| piece), 1));
    // What could be read is stored, and then it is said that there was more.
    let in_order = in_order.chain(unread.map(|error| (Err(error), 0)));
    Ok(send(reached, args, in_order, report, &storing))
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
) -> Imported {
    let mut parameters = reached.workspace(&args.reach.workspace);
    parameters.push(("dryRun", if args.dry_run { "true".to_owned() } else { String::new() }));
    let path = target(PATH, &parameters);
    let line = SendingLine {
        client: &reached.client,
        path: &path,
        messages_max: IMPORT_MESSAGES_MAX,
        patience: Duration::from_secs(args.patience),
        progress,
    };
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
