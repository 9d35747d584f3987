//! Messages in the order of their receipt, however many there are.
//!
//! A record is as old as the first message that was received of it, so what was received first has to come first. Pieces
//! are sorted in memory a run at a time; runs lie in temporary files without a name, which go with the process, and are
//! merged while they are read. Pieces of one instant keep the order in which they were read.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    path::PathBuf,
};

use anyhow::Context;
use muster_model::time::Micros;
use serde::Deserialize;

use crate::commands::send::split::{Piece, Place};

/// Bytes of messages that are sorted at once.
const RUN_BYTES_MAX: usize = 64 << 20;
/// Runs that are merged at once; as many file handles.
const RUNS_MAX: usize = 128;
const BUFFER_BYTES: usize = 256 << 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    received_at: Cow<'a, str>,
    #[expect(dead_code, reason = "only whether it is there counts")]
    #[serde(alias = "call")]
    message: serde::de::IgnoredAny,
}

/// When a piece says that it was received, if it is what an export writes.
pub fn received_at(piece: &Piece) -> Option<Micros> {
    let text = std::str::from_utf8(&piece.text).ok().filter(|text| text.contains("\"receivedAt\""))?;
    Micros::parse(&serde_json::from_str::<Envelope<'_>>(text).ok()?.received_at)
}

/// Takes pieces in any order.
pub struct Sorter {
    dir: PathBuf,
    run_bytes_max: usize,
    held: Vec<(i64, Piece)>,
    held_bytes: usize,
    runs: Vec<File>,
    count: u64,
}

impl Sorter {
    /// With its files in the directory for temporary ones.
    pub fn new() -> Sorter {
        Sorter::with(std::env::temp_dir(), RUN_BYTES_MAX)
    }

    fn with(dir: PathBuf, run_bytes_max: usize) -> Sorter {
        Sorter { dir, run_bytes_max, held: Vec::new(), held_bytes: 0, runs: Vec::new(), count: 0 }
    }

    /// Takes a piece. One that does not say when it was received is received last; one that is broken is told first.
    pub fn push(&mut self, piece: Piece) -> anyhow::Result<()> {
        let key = match &piece.broken {
            Some(_) => i64::MIN,
            None => received_at(&piece).map_or(i64::MAX, |at| at.0),
        };
        let original = piece.original.as_ref().map_or(0, Vec::len);
        self.held_bytes += piece.text.len() + original + size_of::<(i64, Piece)>();
        self.held.push((key, piece));
        self.count += 1;
        if self.held_bytes > self.run_bytes_max { self.spill() } else { Ok(()) }
    }

    /// How many pieces there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The pieces in their order.
    pub fn finish(mut self) -> anyhow::Result<Merged> {
        self.spill()?;
        Merged::of(self.runs)
    }

    fn spill(&mut self) -> anyhow::Result<()> {
        self.held.sort_by_key(|(key, _)| *key);
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        self.write_run(held.into_iter().map(Ok))?;
        if self.runs.len() >= RUNS_MAX {
            let merged = Merged::of(std::mem::take(&mut self.runs))?;
            self.write_run(merged)?;
        }
        Ok(())
    }

    fn write_run(&mut self, pieces: impl Iterator<Item = anyhow::Result<(i64, Piece)>>) -> anyhow::Result<()> {
        let says =
            || format!("a temporary file in {} cannot be written; TMPDIR names another place", self.dir.display());
        let file = tempfile::tempfile_in(&self.dir).with_context(says)?;
        let mut writer = BufWriter::with_capacity(BUFFER_BYTES, file);
        for piece in pieces {
            let (key, piece) = piece?;
            write(&mut writer, key, &piece).with_context(says)?;
        }
        let mut file = writer.into_inner().map_err(io::IntoInnerError::into_error).with_context(says)?;
        file.rewind().with_context(says)?;
        self.runs.push(file);
        Ok(())
    }
}

/// Pieces of all runs, in order.
pub struct Merged {
    runs: Vec<BufReader<File>>,
    /// The next piece of each run that has one, by its key and the run's number.
    next: BinaryHeap<Reverse<(i64, usize)>>,
    pieces: Vec<Option<Piece>>,
}

impl Merged {
    fn of(runs: Vec<File>) -> anyhow::Result<Merged> {
        let runs: Vec<_> = runs.into_iter().map(|file| BufReader::with_capacity(BUFFER_BYTES, file)).collect();
        let mut merged = Merged { pieces: runs.iter().map(|_| None).collect(), runs, next: BinaryHeap::new() };
        for run in 0..merged.runs.len() {
            merged.advance(run)?;
        }
        Ok(merged)
    }

    fn advance(&mut self, run: usize) -> anyhow::Result<()> {
        if let Some((key, piece)) = read(&mut self.runs[run]).context("a temporary file cannot be read")? {
            self.pieces[run] = Some(piece);
            self.next.push(Reverse((key, run)));
        }
        Ok(())
    }
}

impl Iterator for Merged {
    type Item = anyhow::Result<(i64, Piece)>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((key, run)) = self.next.pop()?;
        let piece = self.pieces[run].take()?;
        Some(self.advance(run).map(|()| (key, piece)))
    }
}

fn write(out: &mut impl Write, key: i64, piece: &Piece) -> io::Result<()> {
    let broken = piece.broken.as_deref().unwrap_or_default();
    out.write_all(&key.to_le_bytes())?;
    out.write_all(&piece.place.line.to_le_bytes())?;
    out.write_all(&piece.place.index.to_le_bytes())?;
    out.write_all(&piece.place.source.to_le_bytes())?;
    let original = piece.original.as_deref().unwrap_or_default();
    out.write_all(&[u8::from(piece.cut), u8::from(piece.broken.is_some()), u8::from(piece.original.is_some())])?;
    for part in [broken.as_bytes(), &piece.text, original] {
        out.write_all(&(part.len() as u32).to_le_bytes())?;
        out.write_all(part)?;
    }
    Ok(())
}

fn read(input: &mut BufReader<File>) -> io::Result<Option<(i64, Piece)>> {
    let mut key = [0; 8];
    match input.read_exact(&mut key) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let line = u64::from_le_bytes(take(input)?);
    let index = u64::from_le_bytes(take(input)?);
    let source = u32::from_le_bytes(take(input)?);
    let [cut, is_broken, has_original] = take(input)?;
    let mut part = || {
        let mut bytes = vec![0; u32::from_le_bytes(take(input)?) as usize];
        input.read_exact(&mut bytes).map(|()| bytes)
    };
    let (broken, text, original) = (part()?, part()?, part()?);
    let broken = (is_broken == 1).then(|| String::from_utf8_lossy(&broken).into_owned());
    let original = (has_original == 1).then_some(original);
    let piece = Piece { place: Place { line, index, source }, text, cut: cut == 1, broken, original };
    Ok(Some((i64::from_le_bytes(key), piece)))
}

fn take<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(index: u64, text: &str) -> Piece {
        let place = Place { line: index + 1, index, source: 3 };
        Piece { place, text: text.as_bytes().to_vec(), cut: false, broken: None, original: None }
    }

    /// Many runs, merged in several goes, give the same as sorting in memory.
    #[test]
    fn pieces_come_out_by_receipt_and_nothing_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::with(dir.path().to_owned(), 400);
        let mut expected = Vec::new();
        for index in 0..1_000u64 {
            let second = index * 7_919 % 60;
            let text = format!(r#"{{"receivedAt":"2025-01-01T00:00:{second:02}Z","message":{{"n":{index}}}}}"#);
            expected.push((second, index));
            sorter.push(piece(index, &text)).unwrap();
        }
        sorter.push(piece(1_000, r#"{"type":"track"}"#)).unwrap();
        let broken = Piece { broken: Some("no JSON".to_owned()), cut: true, ..piece(1_001, "{") };
        sorter.push(Piece { broken: broken.broken.clone(), ..piece(1_001, "{") }).unwrap();
        assert_eq!(sorter.count(), 1_002);
        let merged: Vec<Piece> = sorter.finish().unwrap().map(|piece| piece.unwrap().1).collect();
        expected.sort();
        let found: Vec<u64> = merged.iter().map(|piece| piece.place.index).collect();
        let expected: Vec<u64> =
            [1_001].into_iter().chain(expected.iter().map(|(_, index)| *index)).chain([1_000]).collect();
        assert_eq!(found, expected);
        assert_eq!(merged[0].broken, broken.broken);
        assert_eq!(merged[1].place.source, 3);
    }

    #[test]
    fn only_what_an_export_writes_says_when_it_was_received() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(received_at(&piece(0, text)), expected.and_then(Micros::parse), "{text}");
        };
        check(r#"{"receivedAt":"2025-01-01T00:00:00.000001Z","message":{}}"#, Some("2025-01-01T00:00:00.000001Z"));
        check(r#"{"message":{"x":1},"receivedAt":"2025-01-01"}"#, Some("2025-01-01"));
        check(r#"{"receivedAt":"2025-01-01"}"#, None);
        check(r#"{"receivedAt":7,"message":{}}"#, None);
        check(r#"{"type":"track"}"#, None);
    }
}
