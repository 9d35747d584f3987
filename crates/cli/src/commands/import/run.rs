//! The command from its arguments to its exit code.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    super::reach::{Reached, reach, target},
    course::Course,
    forms::{Form, Terms, Translated, mapping::Mapping},
    infer,
    known::{Known, SignOfLife, TAKES_PATH, Wanted},
    list,
    order::{Sorter, received_at},
    sources::{self, Sources},
    undo,
    vitally::{self, Fetched},
};
use crate::{
    args,
    client::{Client, Trust},
    commands::send::{
        report::{Report, Summary},
        sending::Read,
    },
    config::{environment, settings::Settings},
    exit::{Exit, Failure},
    output::{self, Progress, Unit},
};

/// Bounds one page of another server.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Imports what is named and says what became of it.
pub fn run(settings: &Settings, args: &args::Import) -> anyhow::Result<Exit> {
    match &args.other {
        Some(args::Imports::List(args)) => return list::list(settings, args),
        Some(args::Imports::Undo(args)) => return undo::undo(settings, args),
        None => {}
    }
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
            output::talk("what was stored is kept; the same files, imported again, go on from where this ended");
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
        let bytes = sources::bytes(&files);
        let wanted = Wanted::files(&files, args, bytes)?;
        let run = Run::begin(reached, args, &wanted)?;
        let names = files.iter().map(|file| file.name.clone()).collect();
        let reading = Progress::telling(bytes, Unit::Bytes);
        let pieces = Sources::new(files.clone(), form.as_ref().is_some_and(Form::is_of_rows));
        let report = run.report()?.with_sources(names).with_headings(pieces.headings());
        let pieces = Translated::new(pieces, form, Terms { group: args.account_group.clone() });
        run.pass_on(pieces, report, &reading)
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
        // What is there changes from one fetching to the next, so none goes on where another ended.
        let wanted = Wanted { name: host(url).to_owned(), form: "vitally", bytes: None, fingerprint: None };
        let run = Run::begin(reached, args, &wanted)?;
        let reading = Progress::telling(None, Unit::Messages);
        let pieces = Fetched::new(client, Duration::from_secs(args.patience), &reading);
        let report = run.report()?.with_sources(vitally::names(url));
        run.pass_on(pieces, report, &reading)
    })
}

/// The host of an address, without what may be secret in it.
fn host(url: &str) -> &str {
    crate::client::host_of(url).unwrap_or("another server")
}

fn form(args: &args::Import) -> anyhow::Result<Option<Form>> {
    match &args.map {
        Some(path) => Ok(Some(Form::Rows(Mapping::of_file(path)?))),
        None => Ok(Form::of(args.format)),
    }
}

/// An import that was begun, or is only tried out.
struct Run<'r> {
    reached: &'r Reached,
    args: &'r args::Import,
    known: Option<Known>,
}

impl<'r> Run<'r> {
    fn begin(reached: &'r Reached, args: &'r args::Import, wanted: &Wanted) -> anyhow::Result<Run<'r>> {
        let known = if args.dry_run { None } else { Some(wanted.begin(reached, args)?) };
        if let Some(Known { id, position, .. }) = known {
            let from = if position > 0 { format!(", going on after {position} messages") } else { String::new() };
            output::talk(&format!("import {id}{from}"));
        }
        Ok(Run { reached, args, known })
    }

    fn report(&self) -> anyhow::Result<Report> {
        let refused = self.args.refused.as_deref();
        match self.known {
            None => Report::new(refused),
            Some(known) => {
                let report = Report::going_on(refused, known.refused_bytes)?;
                Ok(report.with_import(known.id, known.position))
            }
        }
    }

    /// Sends pieces on; those that say when they were received in that order.
    fn pass_on(
        &self,
        pieces: impl Iterator<Item = Read>,
        report: Report,
        reading: &Progress,
    ) -> anyhow::Result<Imported> {
        let mut pieces = pieces.peekable();
        let first = pieces.peek().and_then(|(piece, _)| piece.as_ref().ok());
        if first.is_none_or(|piece| received_at(piece).is_none()) {
            return Ok(self.send(pieces, report, reading, None));
        }
        reading.note("reading");
        let (sorter, unread) = self.sort(pieces, reading)?;
        reading.finish();
        let total = sorter.count();
        let storing = Progress::telling(Some(total), Unit::Messages);
        let in_order = sorter.finish()?.map(|piece| (piece.map(|(_, piece)| piece), 1));
        // What could be read is stored, and then it is said that there was more.
        let total = Some(total).filter(|_| unread.is_none());
        let in_order = in_order.chain(unread.map(|error| (Err(error), 0)));
        Ok(self.send(in_order, report, &storing, total))
    }

    fn sort(
        &self,
        pieces: impl Iterator<Item = Read>,
        progress: &Progress,
    ) -> anyhow::Result<(Sorter, Option<anyhow::Error>)> {
        let mut sorter = Sorter::new();
        let mut sign = SignOfLife::new(self.reached, self.args, self.known);
        let mut unread = None;
        for (piece, read) in pieces {
            progress.advance(read);
            sign.read(read);
            match piece {
                Ok(piece) => sorter.push(piece)?,
                Err(error) => unread = Some(error),
            }
        }
        Ok((sorter, unread))
    }

    fn send(
        &self,
        pieces: impl Iterator<Item = Read>,
        report: Report,
        progress: &Progress,
        total: Option<u64>,
    ) -> Imported {
        let mut parameters = self.reached.workspace(&self.args.reach.workspace);
        parameters.push(("dryRun", if self.args.dry_run { "true".to_owned() } else { String::new() }));
        let path = target(TAKES_PATH, &parameters);
        let course = Course {
            client: &self.reached.client,
            path: &path,
            patience: Duration::from_secs(self.args.patience),
            progress,
            known: self.known,
            total,
        };
        course.run(pieces, report)
    }
}

fn sentence(summary: &Summary, dry_run: bool) -> String {
    if !dry_run {
        return summary.sentence();
    }
    let Summary { messages, stored, refused, .. } = summary;
    format!("{messages} messages: {stored} would be taken, {refused} would be refused; nothing was stored\n")
}
