//! The command from its arguments to its exit code.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use muster_store::clock::{Clock, SystemClock};

use super::{
    super::reach::{Reached, reach, target},
    bookmark::{Bookmarks, Page, Prefix, go_past},
    course::Course,
    forms::{Form, Terms, Translated, groups::Groups, mapping::Mapping},
    infer,
    known::{self, Known, SignOfLife, TAKES_PATH, Wanted},
    list,
    order::{Sorter, received_at},
    sources::{self, Source, Sources},
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
/// For how long what was fetched of another server is gone on with: what has changed since on the pages before is missed
/// until it is fetched again.
const FETCHED_SECONDS_MAX: i64 = 86_400;

/// Records that are looked at before files are imported, for what is to be said of all of them.
const LOOKED_AT: usize = 1_000;

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
    let (started, groups) = (Instant::now(), Groups::default());
    let (report, failure) = match &args.from_vitally {
        Some(url) => fetch(settings, args, url)?,
        None => read(settings, args, &groups)?,
    };
    let mut summary = report.finish(started.elapsed().as_secs_f64(), failure.is_none())?;
    summary.without_account = groups.unclear();
    if args.json {
        output::json(&summary)?;
    } else {
        output::data(&sentence(&summary, args.dry_run))?;
    }
    match failure {
        None => Ok(summary.exit()),
        Some(failure) => {
            output::talk("what was stored is kept; the same, imported again, goes on from where this ended");
            Err(failure)
        }
    }
}

type Imported = (Report, Option<anyhow::Error>);

/// Imports files.
fn read(settings: &Settings, args: &args::Import, groups: &Groups) -> anyhow::Result<Imported> {
    let files = sources::find(&args.source)?;
    // Whatever is wrong with the order is said before anything is opened.
    let form = form(args)?;
    let are_files = known::are_files(&files)?;
    if are_files {
        warn_of_groups(&files, args);
    }
    reach(settings, &args.reach, "admin --name import", |reached| {
        let bytes = sources::bytes(&files);
        let pieces = Sources::new(files.clone(), form.as_ref().is_some_and(Form::is_of_rows));
        let headings = pieces.headings();
        let mut pieces = Translated::new(pieces, form, terms(&files, args, groups.clone()));
        // What cannot be read twice is known by how it begins.
        let head = if are_files { Vec::new() } else { known::head(&mut pieces) };
        if !head.is_empty() {
            groups.warning().iter().for_each(|says| output::talk(says));
        }
        let wanted = Wanted::files(&files, &head, args, bytes)?;
        let known = if args.dry_run { None } else { Some(wanted.begin(reached, args, args.again)?) };
        let run = Run::new(reached, args, known);
        let names = files.iter().map(|file| file.name.clone()).collect();
        let reading = Progress::telling(bytes, Unit::Bytes);
        let report = run.report()?.with_sources(names).with_headings(headings);
        run.pass_on(head.into_iter().chain(pieces), report, &reading)
    })
}

fn terms(files: &[Source], args: &args::Import, groups: Groups) -> Terms {
    let files = files.iter().map(|file| file.file_name().to_owned()).collect();
    Terms { group: args.account_group.clone(), groups, files }
}

/// Says that it is not known which groups are accounts, as far as the first records tell, before any of them is imported.
fn warn_of_groups(files: &[Source], args: &args::Import) {
    let Some(form) = Form::of(args.format).filter(|form| form.has_groups() && args.account_group.is_none()) else {
        return;
    };
    let groups = Groups::default();
    let pieces = Translated::new(Sources::new(files.to_vec(), false), Some(form), terms(files, args, groups.clone()));
    // What is wrong with them is said when they are imported.
    pieces.take(LOOKED_AT).for_each(drop);
    groups.warning().iter().for_each(|says| output::talk(says));
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
        let (known, page) = match args.dry_run {
            true => (None, None),
            false => begin_fetching(reached, args, &Wanted::server(url, host(url).to_owned()))?,
        };
        let run = Run::new(reached, args, known);
        let reading = Progress::telling(None, Unit::Messages);
        let pieces = Fetched::new(client, Duration::from_secs(args.patience), &reading);
        let pieces = match page {
            Some(page) => pieces.going_on(page, run.position()),
            None => pieces,
        };
        let bookmarks = Bookmarks::Pages(pieces.next_page(), None);
        let report = run.report()?.with_sources(vitally::names(url));
        // Parents come first, so what states a record comes before all that names it, and the record is as old as it says.
        Ok(run.send(pieces, bookmarks, report, (&reading, None), 0))
    })
}

/// Begins fetching, or goes on with the page up to which an import had come that was cut short not long ago.
fn begin_fetching(
    reached: &Reached,
    args: &args::Import,
    wanted: &Wanted,
) -> anyhow::Result<(Option<Known>, Option<Page>)> {
    let known = wanted.begin(reached, args, args.again)?;
    if known.position == 0 {
        return Ok((Some(known), None));
    }
    let page = known.bookmark.as_deref().and_then(Page::parse).filter(vitally::has);
    let since = SystemClock.now().0.saturating_sub(known.started_at.map_or(i64::MIN, |at| at.0));
    if page.is_some() && since < FETCHED_SECONDS_MAX * 1_000_000 {
        return Ok((Some(known), page));
    }
    Ok((Some(wanted.begin(reached, args, true)?), None))
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
    /// Says which import it is.
    fn new(reached: &'r Reached, args: &'r args::Import, known: Option<Known>) -> Run<'r> {
        if let Some(Known { id, position, .. }) = &known {
            let from = if *position > 0 { format!(", going on after {position} messages") } else { String::new() };
            output::talk(&format!("import {id}{from}"));
        }
        Run { reached, args, known }
    }

    /// Where it goes on.
    fn position(&self) -> u64 {
        self.known.as_ref().map_or(0, |known| known.position)
    }

    fn report(&self) -> anyhow::Result<Report> {
        let refused = self.args.refused.as_deref();
        match &self.known {
            None => Report::new(refused),
            Some(known) => {
                let report = match known.is_untouched {
                    true => Report::new(refused)?,
                    false => Report::going_on(refused, known.refused_bytes)?,
                };
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
            return self.go_on(pieces, report, (reading, None));
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
        self.go_on(in_order, report, (&storing, total))
    }

    /// Sends what comes after the place up to which everything was acknowledged.
    fn go_on(
        &self,
        mut pieces: impl Iterator<Item = Read>,
        report: Report,
        (progress, total): (&Progress, Option<u64>),
    ) -> anyhow::Result<Imported> {
        let (mut prefix, mut bytes) = (Prefix::default(), 0);
        if let Some(known) = self.known.as_ref().filter(|known| known.position > 0) {
            let mut sign = SignOfLife::new(self.reached, self.args, Some(known));
            let gone = go_past(&mut pieces, known, |read| {
                bytes += read;
                progress.advance(read);
                sign.read(read);
            });
            prefix = gone.inspect_err(|_| progress.finish())?;
            progress.begin_anew();
        }
        Ok(self.send(pieces, Bookmarks::Digests(prefix), report, (progress, total), bytes))
    }

    fn sort(
        &self,
        pieces: impl Iterator<Item = Read>,
        progress: &Progress,
    ) -> anyhow::Result<(Sorter, Option<anyhow::Error>)> {
        let mut sorter = Sorter::new();
        let mut sign = SignOfLife::new(self.reached, self.args, self.known.as_ref());
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
        bookmarks: Bookmarks,
        report: Report,
        (progress, total): (&Progress, Option<u64>),
        bytes: u64,
    ) -> Imported {
        let mut parameters = self.reached.workspace(&self.args.reach.workspace);
        parameters.push(("dryRun", if self.args.dry_run { "true".to_owned() } else { String::new() }));
        let path = target(TAKES_PATH, &parameters);
        let course = Course {
            client: &self.reached.client,
            path: &path,
            patience: Duration::from_secs(self.args.patience),
            progress,
            known: self.known.as_ref(),
            bytes,
            total,
        };
        course.run(pieces, bookmarks, report)
    }
}

fn sentence(summary: &Summary, dry_run: bool) -> String {
    let Summary { messages, stored, refused, without_account, .. } = summary;
    let done = match dry_run {
        false => summary.sentence(),
        true => {
            format!("{messages} messages: {stored} would be taken, {refused} would be refused; nothing was stored\n")
        }
    };
    match without_account {
        0 => done,
        many => format!(
            "{done}without an account, because they name groups of several types: {many} events; --account-group says which type it is\n"
        ),
    }
}
