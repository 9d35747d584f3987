//! Reading everything, piece by piece: live rows, frozen rows, then the files.

use muster_history::{
    error::not_a_record,
    filescan::{
        Ground,
        candidates::{Candidates, NAMES_MAX},
        file::{FileScan, Plan},
        places::{Places, Track, belongs},
    },
};
use muster_model::{deletion::Fate, kind::Kind, message::Message};
use muster_store::{
    error::ReadError,
    rows::{RowBatch, Whereabouts, name_of},
    scan::{SCAN_ROWS_MAX, Wanted},
};

use super::held::Held;
use crate::overlay::KeptRows;

/// Rows of one source are numbered from here on; a source has fewer.
const SOURCE_ROWS: u64 = 1 << 31;

/// A scan without the moment it reads from.
pub struct Everything {
    plan: Plan,
    places: Places,
    /// 0 the live rows, 1 the frozen rows, then the files.
    source: usize,
    next_row: usize,
    file: Option<FileScan>,
}

impl Everything {
    pub fn new(held: &Held, wanted: Wanted) -> Result<Everything, ReadError> {
        Everything::by_names(held, wanted, NAMES_MAX)
    }

    /// Looks only at rows with names of at most so many records, or at all rows.
    fn by_names(held: &Held, mut wanted: Wanted, names_max: usize) -> Result<Everything, ReadError> {
        if wanted.attributed {
            wanted.kinds = vec![Kind::Track];
        }
        wanted.columns.sort_unstable();
        wanted.columns.dedup();
        let candidates = Candidates::of(held, &wanted, names_max)?;
        let plan = Plan::new(wanted, candidates, !held.veil.is_empty());
        Ok(Everything { plan, places: Places::default(), source: 0, next_row: 0, file: None })
    }

    /// Puts the next rows into `batch`; `false` once there are no more.
    pub fn read(&mut self, held: &Held, batch: &mut RowBatch) -> Result<bool, ReadError> {
        batch.clear();
        let more = match self.source {
            0 => self.read_memory(held, held.live_rows(), batch)?,
            1 => self.read_memory(held, &held.frozen_rows, batch)?,
            file => match held.segments.get(file - 2) {
                None => return Ok(false),
                Some(segment) => {
                    let outside = self.plan.wanted.first.is_some_and(|first| segment.last < first)
                        || self.plan.wanted.last.is_some_and(|last| segment.first > last);
                    if outside {
                        held.looked_at(0, segment.rows);
                        false
                    } else {
                        let base = self.source as u64 * SOURCE_ROWS;
                        let scan = match &mut self.file {
                            Some(scan) => scan,
                            None => self.file.insert(FileScan::new(held, &self.plan, segment, base)?),
                        };
                        scan.read(held, &self.plan, &mut self.places, batch)?
                    }
                }
            },
        };
        if !more {
            (self.source, self.next_row, self.file) = (self.source + 1, 0, None);
        }
        Ok(true)
    }

    fn read_memory(&mut self, held: &Held, rows: &KeptRows, batch: &mut RowBatch) -> Result<bool, ReadError> {
        let end = rows.count().min(self.next_row + SCAN_ROWS_MAX);
        for row in self.next_row..end {
            let message = rows.message(row).map_err(not_a_record("an overlay"))?;
            self.look_at(held, self.source as u64 * SOURCE_ROWS + row as u64, &message, batch)?;
        }
        held.looked_at((end - self.next_row) as u64, 0);
        self.next_row = end;
        Ok(end < rows.count())
    }

    fn look_at(
        &mut self,
        held: &Held,
        number: u64,
        message: &Message<'_>,
        batch: &mut RowBatch,
    ) -> Result<(), ReadError> {
        let redacted;
        let message = match held.veil.fate(message) {
            Fate::Keep => message,
            Fate::Drop => return Ok(()),
            Fate::Redact => {
                redacted = message.clone().redacted(|id, reach| held.veil.hides(id, reach));
                &redacted
            }
        };
        let wanted = &self.plan.wanted;
        let own = Whereabouts::named_in(message);
        let Whereabouts { user, account, organization } = own;
        let anonymous = name_of(&message.anonymous);
        let event = message.name.as_deref().filter(|_| message.kind == Kind::Track);
        if !wanted.kinds.contains(&message.kind)
            || !wanted.in_time(message.timestamp)
            || !self.plan.candidates.may(organization, account, (user, anonymous), event)
        {
            return Ok(());
        }
        if !self.plan.placed {
            batch.push(number, message, own, &wanted.columns);
            return Ok(());
        }
        let track = Track { organization, account, user, anonymous, at: message.ordered_at() };
        self.places.of(held, track, self.plan.attributes, |place| {
            if belongs(wanted, &place) {
                let shown = if wanted.shown_as_named { own } else { place };
                batch.push(number, message, shown, &wanted.columns);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use muster_model::{
        draft::Draft,
        id::IdSpace,
        kinds::{Context, check_typed},
        limits::MessageLimits,
        time::Micros,
    };
    use muster_store::{
        batch::BatchBuilder,
        credentials::{Credentials, NewKey, Scopes},
        journal::Journal,
        rows::Column,
        status::Status,
    };

    use super::*;
    use crate::{
        engine::{Embedded, Reader},
        options::Options,
    };

    const NOW: Micros = Micros(1_700_000_000_000_000);

    async fn send(engine: &Embedded, texts: impl Iterator<Item = String>) {
        let workspace = engine.workspaces()[0].id;
        let context = Context { ids: IdSpace::new("w"), received_at: NOW, limits: MessageLimits::default() };
        let mut batch = BatchBuilder::new(workspace, 0);
        for text in texts {
            batch.message(&check_typed(&Draft::from_text(&text, 64), &context).unwrap());
        }
        engine.append(batch.build()).await.unwrap();
    }

    /// The events of what is wanted.
    fn events(engine: &Embedded, wanted: &Wanted, names_max: usize) -> Vec<String> {
        let (views, registry) = (engine.views.clone(), engine.registry.clone());
        let reader = Reader { views, registry, options: engine.options.clone() };
        let held = Held::take(&reader, engine.workspaces()[0].id).unwrap();
        let mut scan = Everything::by_names(&held, wanted.clone(), names_max).unwrap();
        let (mut found, mut batch) = (Vec::new(), RowBatch::default());
        while scan.read(&held, &mut batch).unwrap() {
            found.extend((0..batch.len()).map(|row| batch.text(Column::Event, row).unwrap().to_owned()));
        }
        found.sort_unstable();
        found
    }

    /// An account may have more users than names can be held of: its events are found all the same.
    #[tokio::test(flavor = "multi_thread")]
    async fn beyond_the_bound_of_names_every_row_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let (engine, _) = Embedded::open(Options::new(dir.path()), NOW).unwrap();
        let (scopes, token_hash) = (Scopes::ALL, [1; 32]);
        let (workspace_name, name) = ("w".to_owned(), String::new());
        engine.create_key(NewKey { workspace_name, name, scopes, token_hash, created_at: NOW }).await.unwrap();
        let user = |n: usize| {
            format!(r#"{{"type":"user","userId":"u{n}","accountId":"a{}","timestamp":"2023-01-01"}}"#, n % 2)
        };
        let track = |n: usize| format!(r#"{{"type":"track","userId":"u{n}","event":"e{n}","timestamp":"2023-02-01"}}"#);
        send(&engine, (0..40).map(user)).await;
        send(&engine, (0..40).map(track)).await;
        for _ in 0..2 {
            let named = |name: &str| Some([name.into()].into());
            let columns = vec![Column::Event];
            for (wanted, expected) in [
                (Wanted { accounts: named("a1"), columns: columns.clone(), ..Wanted::events() }, 20),
                (Wanted { users: named("u3"), columns: columns.clone(), ..Wanted::events() }, 1),
            ] {
                let found = events(&engine, &wanted, NAMES_MAX);
                assert_eq!(found.len(), expected);
                for names_max in [0, 5, 19, 20] {
                    assert_eq!(events(&engine, &wanted, names_max), found, "{names_max} names");
                }
            }
            engine.checkpoint().await;
        }
        engine.close().await.unwrap();
    }
}
