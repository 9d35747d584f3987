//! What became of every message, for people and programs.
//!
//! Refused messages are told as they happen, with the line they came from, and written to a file of their own when one
//! is asked for, so that nothing has to be held until the end.

use std::{io::Write, path::Path, sync::PoisonError};

use anyhow::Context;
use serde::Serialize;

use super::{
    deliver::{Delivery, Refusal},
    heading::{Heading, Headings},
    refused_file::RefusedFile,
    split::Place,
};
use crate::{exit::Exit, output::Progress};

/// Refusals that `--json` lists; their number is always complete.
const LISTED_MAX: usize = 1_000;

/// Counts, and where refused messages go.
pub struct Report {
    summary: Summary,
    refused_file: Option<RefusedFile>,
    /// Names of the files that messages come from; one that needs no telling has none.
    sources: Vec<String>,
    /// How refused rows of tables are written, by the number of their file, and what was written last.
    headings: Headings,
    heading: Option<Heading>,
    /// Refusals are told as they happen.
    tells: bool,
}

/// The data that `send` prints.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Messages found in the file.
    pub messages: u64,
    pub stored: u64,
    /// Stored before, by this sending or an earlier one.
    pub duplicates: u64,
    pub refused: u64,
    /// Refused messages that are not in the file of refused ones, because they are too long to be held as a whole.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_kept: u64,
    /// Events that are without an account because they name groups of several types, none of which is said to be it.
    #[serde(skip_serializing_if = "is_zero")]
    pub without_account: u64,
    /// Requests that were sent again because the server was busy or away.
    pub retries: u64,
    pub seconds: f64,
    /// Whether the whole file was read and delivered.
    pub complete: bool,
    /// The number of the import that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<u64>,
    /// Messages that this import had dealt with before it was cut short; they are not counted above.
    #[serde(skip_serializing_if = "is_zero")]
    pub resumed_at: u64,
    /// The first refusals.
    pub refusals: Vec<Listed>,
}

/// A refusal as `--json` shows it.
#[derive(Debug, PartialEq, Serialize)]
pub struct Listed {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(flatten)]
    pub place: Place,
    pub code: String,
    pub pointer: String,
    pub message: String,
}

impl Report {
    /// A report that also writes refused messages to `path`, one a line as they were, if one is given.
    pub fn new(path: Option<&Path>) -> anyhow::Result<Report> {
        Ok(Report::of(path.map(RefusedFile::new).transpose()?))
    }

    /// The same where the file holds so many bytes of an earlier run that count; what it holds beyond them does not.
    pub fn going_on(path: Option<&Path>, bytes: u64) -> anyhow::Result<Report> {
        Ok(Report::of(path.map(|path| RefusedFile::going_on(path, bytes)).transpose()?))
    }

    fn of(refused_file: Option<RefusedFile>) -> Report {
        Report {
            summary: Summary::default(),
            refused_file,
            sources: Vec::new(),
            headings: Headings::default(),
            heading: None,
            tells: true,
        }
    }

    /// The same for messages of several files.
    pub fn with_sources(self, sources: Vec<String>) -> Report {
        Report { sources, ..self }
    }

    /// The same for files of which some are tables.
    pub fn with_headings(self, headings: Headings) -> Report {
        Report { headings, ..self }
    }

    /// The same where refusals are expected: they are counted and not told.
    pub fn without_telling(self) -> Report {
        Report { tells: false, ..self }
    }

    /// A message that was not even sent. One without a text was too long to be held: it is told where it stands, and never
    /// written in part.
    pub fn broken(
        &mut self,
        place: Place,
        mut reason: String,
        text: Option<Vec<u8>>,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        self.summary.messages += 1;
        let (code, is_kept) = ("not_json".to_owned(), text.is_some());
        if !is_kept && self.refused_file.is_some() {
            self.summary.not_kept += 1;
            reason.push_str("; it is not in the file of refused messages, take it from where it came");
        }
        let text = text.unwrap_or_default();
        self.refusal(Refusal { place, code, pointer: String::new(), reason, text }, is_kept, progress)
    }

    /// A request that was delivered.
    pub fn delivered(&mut self, delivery: Delivery, progress: &Progress) -> anyhow::Result<()> {
        self.summary.messages += delivery.stored + delivery.duplicates + delivery.refused.len() as u64;
        self.summary.stored += delivery.stored;
        self.summary.duplicates += delivery.duplicates;
        self.summary.retries += delivery.retries;
        delivery.refused.into_iter().try_for_each(|refusal| self.refusal(refusal, true, progress))
    }

    fn refusal(&mut self, refusal: Refusal, is_kept: bool, progress: &Progress) -> anyhow::Result<()> {
        let within = if refusal.pointer.is_empty() { String::new() } else { format!(" at {}", refusal.pointer) };
        let source = self.sources.get(refusal.place.source as usize).cloned();
        let of = source.as_ref().map_or_else(String::new, |name| format!("{name}: "));
        if self.tells {
            progress.talk(&format!("{of}{}: {}{within}: {}", refusal.place, refusal.code, refusal.reason));
        }
        if is_kept {
            self.keep(&refusal).context("the file of refused messages cannot be written")?;
        }
        self.summary.refused += 1;
        if self.summary.refusals.len() < LISTED_MAX {
            let Refusal { place, code, pointer, reason, .. } = refusal;
            self.summary.refusals.push(Listed { source, place, code, pointer, message: reason });
        }
        Ok(())
    }

    /// Writes a message as it was; a row of a table below its heading, with the reason in a column of its own.
    fn keep(&mut self, refusal: &Refusal) -> std::io::Result<()> {
        let Some(file) = &mut self.refused_file else { return Ok(()) };
        file.written = true;
        let headings = self.headings.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(heading) = headings.get(&refusal.place.source) else {
            return file.writer.write_all(&one_line(&refusal.text));
        };
        if self.heading.is_none() {
            self.heading = file.last_heading(&headings)?;
        }
        if self.heading.as_ref() != Some(heading) {
            file.writer.write_all(&[heading.text(), b"\n"].concat())?;
            self.heading = Some(heading.clone());
        }
        file.writer.write_all(&[&heading.row(&refusal.text, &refusal.reason), &b"\n"[..]].concat())
    }

    /// Writes out what was refused so far; how many bytes that is.
    pub fn flush(&mut self) -> anyhow::Result<u64> {
        self.refused_file.as_mut().map_or(Ok(0), RefusedFile::flush)
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Summary {
        &self.summary
    }

    /// Says which import it is, and how much of it was done before.
    pub fn with_import(mut self, number: u64, resumed_at: u64) -> Report {
        self.summary.import = Some(number);
        self.summary.resumed_at = resumed_at;
        self
    }

    /// The end of it all.
    pub fn finish(mut self, seconds: f64, complete: bool) -> anyhow::Result<Summary> {
        match self.refused_file.take() {
            Some(file) if complete => file.finish()?,
            // Whoever goes on may be told of a later place than is known here.
            Some(mut file) => drop(file.flush()?),
            None => {}
        }
        Ok(Summary { seconds, complete, ..self.summary })
    }
}

impl Summary {
    /// The same as a sentence.
    pub fn sentence(&self) -> String {
        let Summary { messages, stored, duplicates, refused, not_kept, seconds, .. } = self;
        let early = if self.complete { "" } else { "; ended early, the others were not delivered" };
        let without = match not_kept {
            0 => String::new(),
            many => format!(" ({many} of them too long for the file of refused messages)"),
        };
        format!(
            "{messages} messages: {stored} stored, {duplicates} there already, {refused} refused{without}, in {seconds:.1} s{early}\n"
        )
    }

    /// How the program ends when nothing else went wrong.
    pub fn exit(&self) -> Exit {
        if self.refused > 0 { Exit::Refused } else { Exit::Success }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A message on one line. In valid JSON line ends only stand between tokens, where a space means the same.
fn one_line(text: &[u8]) -> Vec<u8> {
    let mut line: Vec<u8> = text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Unit;

    #[test]
    fn refused_messages_are_counted_listed_and_kept_for_another_try() {
        let path = std::env::temp_dir().join(format!("muster-refused-{}.ndjson", std::process::id()));
        let progress = Progress::new(None, Unit::Bytes);
        let mut report = Report::new(Some(&path)).unwrap();
        let refusal = Refusal {
            place: Place { line: 3, index: 2, source: 0 },
            code: "user_needs_parent".to_owned(),
            pointer: "/accountId".to_owned(),
            reason: "send it".to_owned(),
            text: b"{\n\"a\":1}".to_vec(),
        };
        let delivery = Delivery { stored: 4, duplicates: 2, refused: vec![refusal], retries: 1 };
        report.delivered(delivery, &progress).unwrap();
        let at = |line| Place { line, index: line - 2, source: 0 };
        report.broken(at(9), "it is not valid JSON".to_owned(), Some(b"{".to_vec()), &progress).unwrap();
        let summary = report.finish(1.0, true).unwrap();
        assert_eq!((summary.messages, summary.stored, summary.duplicates, summary.refused), (8, 4, 2, 2));
        assert_eq!(summary.exit(), Exit::Refused);
        assert_eq!(summary.sentence(), "8 messages: 4 stored, 2 there already, 2 refused, in 1.0 s\n");
        assert_eq!(summary.refusals[0].place.line, 3);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{ \"a\":1}\n{\n");
        let mut report = Report::new(Some(&path)).unwrap();
        report.broken(at(4), "it has 5000000 bytes".to_owned(), None, &progress).unwrap();
        let summary = report.finish(1.0, true).unwrap();
        assert_eq!((summary.messages, summary.refused, summary.not_kept), (1, 1, 1));
        assert!(summary.sentence().contains("1 refused (1 of them too long for the file"), "{}", summary.sentence());
        assert!(summary.refusals[0].message.contains("not in the file of refused messages"), "{summary:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "", "nothing is written in part");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(Summary::default().exit(), Exit::Success);
    }

    /// Whoever goes on with what was not complete may be told of a place behind what is counted here.
    #[test]
    fn what_an_earlier_run_wrote_is_cut_off_only_at_the_end_of_everything() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("faults.ndjson");
        std::fs::write(&path, "1\n2\n3\n").unwrap();
        for (complete, left) in [(false, "1\n2\n3\n"), (true, "1\n")] {
            Report::going_on(Some(&path), 2).unwrap().finish(1.0, complete).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), left);
        }
    }
}
