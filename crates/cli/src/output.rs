//! The only place that prints.
//!
//! Data goes to standard output, talk to standard error. A reader that closes our standard output has seen enough:
//! that is [`crate::output::StdoutClosed`], which ends the program successfully. Talk that nobody can hear is no failure either.
//! Never logs; what a running server says goes through `tracing` (see [`crate::telemetry`]).

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// Standard output was closed by its reader.
#[derive(Debug)]
pub struct StdoutClosed;

impl fmt::Display for StdoutClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for StdoutClosed {}

/// Prints data as it stands.
pub fn data(text: &str) -> anyhow::Result<()> {
    write_data(&mut io::stdout().lock(), text.as_bytes())
}

/// Prints data as a line of its own.
pub fn line(text: &str) -> anyhow::Result<()> {
    data(&format!("{text}\n"))
}

/// Prints bytes as they stand.
pub fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    write_data(&mut io::stdout().lock(), bytes)
}

/// Prints data as one indented JSON document.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    data(&text)
}

/// Says something to the person at the terminal.
pub fn talk(text: &str) {
    // Nobody is told when standard error itself fails: there is no place left to say it.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn write_data(out: &mut impl Write, bytes: &[u8]) -> anyhow::Result<()> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(StdoutClosed.into()),
        Err(error) => Err(anyhow::Error::new(error).context("standard output cannot be written")),
    }
}

/// Lays rows out in columns: the first row is the heading. Cells are cut nowhere; the last column is not padded.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let padding = width - cell.chars().count();
            line.push_str(cell);
            line.push_str(&" ".repeat(padding + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// How far something long has come; shows itself on a terminal and is silent elsewhere, or says a line now and then.
pub struct Progress {
    bar: ProgressBar,
    unit: Unit,
    /// When the last line was said; nothing where none is.
    told: Option<Mutex<Instant>>,
}

/// Between two lines where there is no terminal.
const LINE_PAUSE: Duration = Duration::from_secs(30);

impl Progress {
    /// `total` in the unit of [`Progress::advance`], when it is known.
    pub fn new(total: Option<u64>, unit: Unit) -> Progress {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        if io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let template = match (total.is_some(), unit) {
            (true, Unit::Bytes) => "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {msg}  {eta} left",
            (false, Unit::Bytes) => "{spinner} {bytes}  {msg}",
            (true, Unit::Messages) => "{bar:30} {human_pos}/{human_len}  {msg}  {per_sec}  {eta} left",
            (false, Unit::Messages) => "{spinner} {human_pos}  {msg}  {per_sec}",
            (_, Unit::Steps) => "{spinner} {msg}",
        };
        bar.set_style(ProgressStyle::with_template(template).expect("the templates above are well-formed"));
        Progress { bar, unit, told: None }
    }

    /// The same, which without a terminal says a line now and then.
    pub fn telling(total: Option<u64>, unit: Unit) -> Progress {
        let told = (!io::stderr().is_terminal()).then(|| Mutex::new(Instant::now()));
        Progress { told, ..Progress::new(total, unit) }
    }

    /// What was done so far was done before; only what comes says how fast it goes.
    pub fn begin_anew(&self) {
        self.bar.reset_elapsed();
        self.bar.reset_eta();
    }

    fn tell(&self) {
        let Some(told) = &self.told else { return };
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() >= LINE_PAUSE {
            *told = Instant::now();
            talk(&self.line());
        }
    }

    /// Where it stands, as a line.
    fn line(&self) -> String {
        let bar = &self.bar;
        let amount = |count: u64| match self.unit {
            Unit::Bytes => indicatif::HumanBytes(count).to_string(),
            Unit::Messages | Unit::Steps => indicatif::HumanCount(count).to_string(),
        };
        let mut line = amount(bar.position());
        if let Some(total) = bar.length() {
            line.push_str(&format!(" of {}", amount(total)));
        }
        line.push_str(&format!(": {}; {} a second", bar.message(), amount(bar.per_sec() as u64)));
        if bar.length().is_some() {
            line.push_str(&format!(", {} left", indicatif::HumanDuration(bar.eta())));
        }
        line
    }

    /// So much more is done.
    pub fn advance(&self, by: u64) {
        self.bar.inc(by);
        self.tell();
    }

    /// What is being done now.
    pub fn note(&self, text: impl Into<String>) {
        self.bar.set_message(text.into());
    }

    /// Says something without tearing the bar.
    pub fn talk(&self, text: &str) {
        self.bar.suspend(|| talk(text));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// What a [`Progress`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Messages,
    /// Nothing; only what is being done is shown.
    Steps,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_reader_is_no_failure_and_a_full_disk_is() {
        let closed = write_data(&mut Broken(io::ErrorKind::BrokenPipe), b"x").unwrap_err();
        assert!(closed.is::<StdoutClosed>());
        let full = write_data(&mut Broken(io::ErrorKind::StorageFull), b"x").unwrap_err();
        assert!(!full.is::<StdoutClosed>());
        let mut written = Vec::new();
        write_data(&mut written, b"x\n").unwrap();
        assert_eq!(written, b"x\n");
    }

    #[test]
    fn a_line_says_how_far_it_has_come() {
        let progress = Progress::new(Some(1_500_000), Unit::Messages);
        progress.advance(500_000);
        progress.note("7 stored");
        let line = progress.line();
        assert!(line.starts_with("500,000 of 1,500,000: 7 stored; ") && line.ends_with(" left"), "{line}");
    }

    #[test]
    fn tables_line_up() {
        let rows = [["id", "name"], ["1", "Zoë"], ["100", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "id   name\n1    Zoë\n100\n");
        assert_eq!(table(&[]), "");
    }
}
