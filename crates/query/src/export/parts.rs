//! A workspace's messages as the files of a directory: by kind and month, each of bounded size, as of one moment.
//!
//! Names are those that readers of partitioned data know: `kind=track/month=2026-05/part-0001.parquet`. Months are counted first
//! and then read a few at a time, so that a bounded number of files is open; what files hold that are being written is
//! bounded as well. Each message is in one file.

use std::{collections::BTreeMap, sync::Arc};

use muster_model::{id::WorkspaceId, kind::Kind, time::Micros};
use muster_store::{
    rows::RowBatch,
    scan::{Moment, Scans},
};

use super::{ExportForm, Form, PIECE_BYTES, Selection, frame::Frame, hand_out};
use crate::{error::QueryError, output::Out, stop::Stop};

/// Months that are read together, and about how many messages of them; one month in any case.
const MONTHS_TOGETHER_MAX: usize = 12;
const MESSAGES_TOGETHER_MAX: u64 = 2_000_000;
/// Bytes that all files together hold back before the largest has to write.
const HELD_BYTES_MAX: usize = 64 << 20;

/// How an export is divided.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Bytes at which a file ends and the next one begins, before the directory compresses it.
    pub part_bytes: u64,
    /// When the moment is taken.
    pub as_of: Micros,
}

/// Hands out the messages that are wanted as frames of files; how many there were.
pub fn export_parts(
    store: &dyn Scans,
    workspace: WorkspaceId,
    selection: &Selection,
    form: ExportForm,
    parts: &Parts,
    stop: &Stop,
    out: &mut dyn Out,
) -> Result<u64, QueryError> {
    let moment = store.moment(workspace)?;
    let mut writing = Writing { form, parts, out, frames: Vec::new(), next: 0, files: BTreeMap::new() };
    let mut count = 0;
    let months = count_months(&moment, selection, stop)?;
    let columns = form.open()?.columns();
    for (first, last) in together(&months) {
        selection.each(&moment, &columns, (Some(first), Some(last)), |batch| {
            stop.check()?;
            count += batch.len() as u64;
            writing.rows(batch)
        })?;
        writing.end_all()?;
    }
    Frame::Whole { as_of: parts.as_of.to_micros_text(), messages: count }.write(&mut writing.frames);
    hand_out(&mut writing.frames, writing.out)?;
    Ok(count)
}

/// How many messages each month has, by its first instant and the first one after it.
fn count_months(
    moment: &Arc<dyn Moment>,
    selection: &Selection,
    stop: &Stop,
) -> Result<BTreeMap<(Micros, Micros), u64>, QueryError> {
    let (mut months, mut month) = (BTreeMap::new(), Month::default());
    selection.each(moment, &[], (None, None), |batch| {
        stop.check()?;
        for at in &batch.timestamps {
            *months.entry(month.of(*at)).or_default() += 1;
        }
        Ok(())
    })?;
    Ok(months)
}

/// The first and the last instant of months that are read together.
fn together(months: &BTreeMap<(Micros, Micros), u64>) -> Vec<(Micros, Micros)> {
    let mut groups: Vec<(Micros, Micros)> = Vec::new();
    let (mut of_group, mut messages) = (0, 0);
    for ((first, until), count) in months {
        let last = if *until == Micros::MAX { *until } else { until.plus_micros(-1) };
        messages += count;
        of_group += 1;
        match groups.last_mut() {
            Some(group) if of_group <= MONTHS_TOGETHER_MAX && messages <= MESSAGES_TOGETHER_MAX => group.1 = last,
            _ => {
                groups.push((*first, last));
                (of_group, messages) = (1, *count);
            }
        }
    }
    groups
}

/// What a file holds, and where it stands in the order of its directory.
type Place = (Kind, Micros);

/// Files being written.
struct Writing<'w> {
    form: ExportForm,
    parts: &'w Parts,
    out: &'w mut dyn Out,
    /// Frames that were not handed out yet.
    frames: Vec<u8>,
    /// The number of the next file.
    next: u32,
    /// Those that are open.
    files: BTreeMap<Place, File>,
}

/// A file being written.
struct File {
    form: Box<dyn Form>,
    messages: u64,
    sent: Sent,
}

/// What of a file became frames, and what is to become one.
struct Sent {
    number: u32,
    part: u32,
    name: String,
    bytes: Vec<u8>,
    written: u64,
}

impl Writing<'_> {
    /// Writes each row into its file.
    fn rows(&mut self, batch: &RowBatch) -> Result<(), QueryError> {
        let mut places: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
        let mut month = Month::default();
        for (row, (kind, at)) in batch.kinds.iter().zip(&batch.timestamps).enumerate() {
            places.entry((*kind, month.of(*at).0)).or_default().push(row);
        }
        for (place, rows) in places {
            self.write(place, batch, &rows)?;
        }
        while self.files.values().map(|file| file.form.held()).sum::<usize>() > HELD_BYTES_MAX {
            let Some(largest) = self.files.values_mut().max_by_key(|file| file.form.held()) else { break };
            largest.form.let_go(&mut largest.sent.bytes)?;
            self.gather()?;
        }
        self.gather()
    }

    fn write(&mut self, place: Place, batch: &RowBatch, rows: &[usize]) -> Result<(), QueryError> {
        if !self.files.contains_key(&place) {
            self.begin(place, 1)?;
        }
        let Some(file) = self.files.get_mut(&place) else { return Ok(()) };
        file.form.rows(batch, rows, &mut file.sent.bytes)?;
        file.messages += rows.len() as u64;
        let bytes = file.sent.written + (file.sent.bytes.len() + file.form.held()) as u64;
        if bytes < self.parts.part_bytes {
            return Ok(());
        }
        let part = file.sent.part;
        self.end(place)?;
        self.begin(place, part + 1)
    }

    fn begin(&mut self, place: Place, part: u32) -> Result<(), QueryError> {
        let name = name(place, part, self.form);
        let mut sent = Sent { number: self.next, part, name, bytes: Vec::new(), written: 0 };
        let mut form = self.form.open()?;
        form.begin(&mut sent.bytes);
        self.next += 1;
        self.files.insert(place, File { form, messages: 0, sent });
        Ok(())
    }

    /// Ends a file; one without a message never was.
    fn end(&mut self, place: Place) -> Result<(), QueryError> {
        let Some(File { form, messages, mut sent }) = self.files.remove(&place) else { return Ok(()) };
        if messages == 0 {
            return Ok(());
        }
        form.end(&mut sent.bytes)?;
        sent.put(&mut self.frames);
        Frame::End { file: sent.number, messages }.write(&mut self.frames);
        hand_out(&mut self.frames, self.out)
    }

    fn end_all(&mut self) -> Result<(), QueryError> {
        while let Some(place) = self.files.keys().next().copied() {
            self.end(place)?;
        }
        Ok(())
    }

    /// Makes frames of what has gathered, and hands them out.
    fn gather(&mut self) -> Result<(), QueryError> {
        for file in self.files.values_mut() {
            if file.messages > 0 && file.sent.bytes.len() >= PIECE_BYTES {
                file.sent.put(&mut self.frames);
            }
        }
        if self.frames.len() >= PIECE_BYTES {
            hand_out(&mut self.frames, self.out)?;
        }
        Ok(())
    }
}

impl Sent {
    /// Makes a frame of what has gathered; the first one is preceded by the name.
    fn put(&mut self, frames: &mut Vec<u8>) {
        if self.written == 0 {
            Frame::Begin { file: self.number, name: std::mem::take(&mut self.name) }.write(frames);
        }
        let bytes = std::mem::take(&mut self.bytes);
        self.written += bytes.len() as u64;
        Frame::Bytes { file: self.number, bytes }.write(frames);
    }
}

/// The month of one instant after the other; most lie in the month of the one before.
#[derive(Default)]
struct Month(Option<(Micros, Micros)>);

impl Month {
    fn of(&mut self, at: Micros) -> (Micros, Micros) {
        match self.0 {
            Some((first, until)) if first <= at && at < until => (first, until),
            _ => *self.0.insert(at.month()),
        }
    }
}

/// A file's name below the directory.
fn name((kind, month): Place, part: u32, form: ExportForm) -> String {
    let text = month.to_millis_text();
    let day = text.split('T').next().unwrap_or_default();
    let month = day.rsplit_once('-').map_or(day, |(month, _)| month);
    format!("kind={}/month={month}/part-{part:04}.{}", kind.as_str(), form.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_kind_and_month() {
        let at = Micros::parse("2024-02-29T23:59:59.999Z").unwrap();
        let name = |form| name((Kind::Track, at.month().0), 12, form);
        assert_eq!(name(ExportForm::Parquet), "kind=track/month=2024-02/part-0012.parquet");
        assert_eq!(name(ExportForm::Csv), "kind=track/month=2024-02/part-0012.csv");
    }

    #[test]
    fn months_are_read_together_within_bounds() {
        let month = |n: i64| (Micros(n * 100), Micros(n * 100 + 100));
        let few: BTreeMap<_, _> = (0..30).map(|n| (month(n), 1)).collect();
        let groups: Vec<(i64, i64)> = together(&few).iter().map(|(first, last)| (first.0, last.0)).collect();
        assert_eq!(groups, [(0, 1_199), (1_200, 2_399), (2_400, 2_999)]);
        let many: BTreeMap<_, _> = (0..3).map(|n| (month(n), MESSAGES_TOGETHER_MAX)).collect();
        assert_eq!(together(&many).len(), 3);
        assert_eq!(together(&BTreeMap::new()), []);
    }
}
