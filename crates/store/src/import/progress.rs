//! How far an import has come.
//!
//! A fold over what the journal was told of it ([`Note`]). Parts may be done in any order, and told again after a failure:
//! each is counted once. Bounded whatever is told.

use muster_model::{id::ImportId, time::Micros};

use super::note::{Note, Part, Source};

/// Stretches that are done beyond the place up to which everything was acknowledged. Whoever imports has fewer requests
/// on their way; beyond that the first ones count as everything before them.
pub const AHEAD_MAX: usize = 64;
/// An import that was not heard of for so long is interrupted.
pub const SILENCE_SECONDS_MAX: i64 = 60;

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Under way, or cut short.
    Running,
    /// Read to its end.
    Complete { at: Micros },
    /// It is being taken back. What it brought lies in the files with numbers below this one, once that is known.
    Undoing { at: Micros, below: Option<u64> },
    /// So many messages were taken back.
    Undone { at: Micros, messages: u64 },
}

/// What became of what was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// What was read, message by message.
    pub read: u64,
    pub stored: u64,
    /// Stored before.
    pub duplicates: u64,
    /// Refused, conflicts included.
    pub refused: u64,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub id: ImportId,
    pub source: Source,
    /// The key that began it; 0 for the local operator.
    pub key_id: u64,
    /// The key that had it taken back, if it was and that is known.
    pub undone_by: Option<u64>,
    pub started_at: Micros,
    /// When it was heard of last.
    pub heard_at: Micros,
    pub stage: Stage,
    pub counts: Counts,
    /// Bytes of its sources read so far.
    pub bytes: u64,
    /// How much there is to read in all, once that is known.
    pub total: Option<u64>,
    /// Everything before this place was acknowledged; it goes on from here.
    pub position: u64,
    /// How many bytes whoever imports had written of what was refused before that place.
    pub refused_bytes: u64,
    /// What whoever imports told of that place.
    pub bookmark: Option<Box<str>>,
    /// Stretches beyond the place that are done, in order, none touching another; at most [`AHEAD_MAX`].
    pub ahead: Vec<(u64, u64)>,
}

impl Import {
    /// What a note makes of what was known of its import.
    pub fn take(known: &mut Option<Import>, note: Note) {
        match (known, note) {
            (known @ None, Note::Begin { id, at, key_id, source }) => {
                let (stage, counts) = (Stage::Running, Counts::default());
                let import = Import {
                    id,
                    source,
                    key_id,
                    undone_by: None,
                    started_at: at,
                    heard_at: at,
                    stage,
                    counts,
                    bytes: 0,
                    total: None,
                    position: 0,
                    refused_bytes: 0,
                    bookmark: None,
                    ahead: Vec::new(),
                };
                *known = Some(import);
            }
            (Some(import), Note::Begin { at, .. }) => import.heard_at = at.max(import.heard_at),
            (Some(import), Note::Part { at, part, bookmark, .. }) => {
                if !import.is_closed() {
                    import.part(at, &part, bookmark);
                }
            }
            (Some(import), Note::End { at, .. }) => {
                import.heard_at = at.max(import.heard_at);
                if import.stage == Stage::Running {
                    import.stage = Stage::Complete { at };
                }
            }
            (Some(import), Note::Undo { at, by, .. }) => {
                if !import.is_closed() {
                    import.stage = Stage::Undoing { at, below: None };
                    import.undone_by = by;
                }
            }
            (Some(import), Note::UndoFiles { below: found, .. }) => {
                if let Stage::Undoing { below, .. } = &mut import.stage {
                    below.get_or_insert(found);
                }
            }
            (Some(import), Note::Undone { at, messages, .. }) => {
                if matches!(import.stage, Stage::Undoing { .. }) {
                    import.stage = Stage::Undone { at, messages };
                }
            }
            (known, Note::Forget { .. }) => *known = None,
            (None, _) => {}
        }
    }

    /// Whether it was not heard of for a while and is to be continued by somebody.
    #[must_use]
    pub fn is_interrupted(&self, now: Micros) -> bool {
        self.stage == Stage::Running && now > self.heard_at.plus_micros(SILENCE_SECONDS_MAX * 1_000_000)
    }

    /// Whether nothing is left of it that could be taken back.
    #[must_use]
    pub fn is_void(&self) -> bool {
        match self.stage {
            Stage::Running | Stage::Undoing { .. } => false,
            Stage::Complete { .. } => self.counts.stored + self.counts.duplicates == 0,
            Stage::Undone { .. } => true,
        }
    }

    /// Whether nothing more is taken of it, because it is or was taken back.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Undoing { .. } | Stage::Undone { .. })
    }

    /// Whether a stretch is done already.
    #[must_use]
    pub fn has(&self, from: u64, to: u64) -> bool {
        to <= self.position || self.ahead.iter().any(|(start, end)| *start <= from && to <= *end)
    }

    /// The place up to which nothing is missing.
    #[must_use]
    pub fn done_until(&self) -> u64 {
        self.ahead.iter().filter(|(from, _)| *from <= self.position).map(|(_, to)| *to).fold(self.position, u64::max)
    }

    fn part(&mut self, at: Micros, part: &Part, bookmark: Option<Box<str>>) {
        self.heard_at = at.max(self.heard_at);
        self.bytes = part.bytes.max(self.bytes);
        self.total = part.total.or(self.total);
        if part.from < part.to && !self.has(part.from, part.to) {
            self.counts.read += part.to - part.from;
            self.counts.stored += part.stored;
            self.counts.duplicates += part.duplicates;
            self.counts.refused += part.refused;
            self.done(part.from, part.to);
        }
        if part.position > self.position {
            (self.position, self.refused_bytes, self.bookmark) = (part.position, part.refused_bytes, bookmark);
            self.ahead.retain(|(_, end)| *end > part.position);
        }
    }

    fn done(&mut self, mut from: u64, mut to: u64) {
        self.ahead.retain(|(start, end)| {
            let touches = *start <= to && from <= *end;
            if touches {
                (from, to) = (from.min(*start), to.max(*end));
            }
            !touches
        });
        let place = self.ahead.partition_point(|(start, _)| *start < from);
        self.ahead.insert(place, (from, to));
        if self.ahead.len() > AHEAD_MAX {
            let (_, end) = self.ahead.remove(1);
            self.ahead[0].1 = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Micros = Micros(5_000_000);

    fn begun() -> Option<Import> {
        let source = Source { name: "a".into(), form: "muster".into(), bytes: None, fingerprint: None };
        let mut known = None;
        Import::take(&mut known, Note::Begin { id: ImportId(1), at: AT, key_id: 3, source });
        known
    }

    fn part(from: u64, to: u64, position: u64) -> Note {
        let part = Part { from, to, stored: to - from, position, refused_bytes: position * 2, ..Part::default() };
        Note::Part { id: ImportId(1), at: AT, part, bookmark: Some(position.to_string().into()) }
    }

    #[test]
    fn parts_in_any_order_and_again_are_counted_once() {
        let parts = [(0, 10), (10, 20), (20, 25), (25, 40)];
        for start in 0..parts.len() {
            let mut known = begun();
            for turn in 0..parts.len() * 2 {
                let (from, to) = parts[(start + turn) % parts.len()];
                Import::take(&mut known, part(from, to, 0));
            }
            Import::take(&mut known, part(20, 20, 20));
            for (from, to) in parts {
                Import::take(&mut known, part(from, to, 10));
            }
            let import = known.unwrap();
            assert_eq!((import.counts.read, import.counts.stored), (40, 40), "from part {start}");
            assert_eq!((import.position, import.refused_bytes, import.bookmark.as_deref()), (20, 40, Some("20")));
            assert!(import.has(0, 40) && !import.has(39, 41));
        }
    }

    #[test]
    fn what_is_done_ahead_is_bounded() {
        let mut known = begun();
        for turn in 0..1_000 {
            Import::take(&mut known, part(turn * 10, turn * 10 + 5, 0));
        }
        let import = known.unwrap();
        assert_eq!(import.ahead.len(), AHEAD_MAX);
        assert_eq!(import.counts.read, 5_000);
        assert!(import.has(9_990, 9_995) && !import.has(9_996, 9_997));
    }

    #[test]
    fn an_end_is_an_end_and_silence_is_an_interruption() {
        let mut known = begun();
        let minute = |seconds: i64| AT.plus_micros(seconds * 1_000_000);
        let import = known.as_ref().unwrap();
        assert!(!import.is_interrupted(minute(60)) && import.is_interrupted(minute(61)));
        for at in [minute(70), minute(80)] {
            Import::take(&mut known, Note::End { id: ImportId(1), at });
        }
        let import = known.clone().unwrap();
        assert_eq!(import.stage, Stage::Complete { at: minute(70) });
        assert!(!import.is_interrupted(minute(900)) && import.is_void());
        Import::take(&mut known, Note::Forget { id: ImportId(1) });
        Import::take(&mut known, part(0, 1, 0));
        assert_eq!(known, None);
    }
}
