//! Taking an import back: what it brought, and nobody else owns, goes from history, state and the duplicate check.
//!
//! From the note on nothing more is taken of the import, so once that is checkpointed all that it brought lies in files with
//! numbers below the next one. Those are gone through, so many records at a time, each step repeatable after a crash:
//!
//! 1. the writer is asked which of their messages nobody else owns by now; what it finds goes through the journal, and each
//!    may come again from then on, into files with higher numbers;
//! 2. the records that they name are written down;
//! 3. the files are written anew without them;
//! 4. the records are made anew from what is left ([`crate::erase::renew`]).
//!
//! At the end what the duplicate check remembered is removed, the state store drops old bytes, and the import is undone; what
//! was written down for it is struck out then ([`crate::erase::leftover`]).
//! Other deletions wait: they would move messages into files with higher numbers.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use muster_history::{
    manifest::{Segment, unreadable},
    restore::{self, Rows},
    rewrite::{Place, keeping},
};
use muster_model::{
    deletion::Subject,
    id::{Identity, ImportId, WorkspaceId},
    kind::RecordKind,
};
use muster_store::{
    batch::{Batch, BatchBuilder},
    clock::{Clock, SystemClock},
    error::{AppendError, ReadError},
    import::{Import, Note, Stage},
};
use tokio::sync::oneshot;
use tracing::info;

use super::{
    eraser::{Ended, Eraser},
    purge::purge,
    renew,
};
use crate::{
    credentials,
    error::{damaged, state_failed},
    history::manifest,
    identities::make_room,
    imports, keys,
    writer::{
        collect::{Command, Pending},
        known::{Known, Whose},
    },
};

/// Messages that the writer is asked about at once.
const ASKED_MAX: usize = 20_000;
/// Records that are made anew in one go.
const RECORDS_MAX: usize = 20_000;
/// Entries of the state store that are removed in one commit.
const REMOVED_MAX: usize = 10_000;
/// Between two tries to tell the writer something that it had no room for.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of a record that is written down.
const SUBJECT_BYTES: usize = 17;

/// An import that is taken back.
#[derive(Clone, Copy)]
struct Job {
    workspace: WorkspaceId,
    id: ImportId,
}

impl Eraser {
    /// Takes back every import that is to be; whether there was one.
    pub(super) fn undo_all(&self) -> Result<bool, Ended> {
        let mut any = false;
        self.strike_leftovers()?;
        for workspace in credentials::workspace_ids(&self.views.state)? {
            for import in imports::all_on_disk(&self.views.state, workspace)? {
                if let Stage::Undoing { below, .. } = import.stage {
                    any = true;
                    self.undo(workspace, &import, below)?;
                }
            }
        }
        Ok(any)
    }

    fn undo(&self, workspace: WorkspaceId, import: &Import, below: Option<u64>) -> Result<(), Ended> {
        // Nobody else merges or removes files meanwhile.
        let _files = self.views.files.lock();
        let id = import.id;
        let below = match below {
            Some(below) => below,
            None => {
                self.checkpoint()?;
                let below = self.next_segment.load(Ordering::Acquire);
                self.tell(workspace, |batch| batch.import(&Note::UndoFiles { id, below }))?;
                below
            }
        };
        let job = Job { workspace, id };
        // What an earlier pass wrote down and did not come to.
        let mut concerned = written_down(self, job)?;
        let mut pending: Vec<Arc<Segment>> = Vec::new();
        let manifest = Arc::clone(&self.views.look().manifest);
        for segment in manifest.of(workspace).filter(|segment| segment.id < below) {
            self.go_on()?;
            if self.ask_about(job, segment, &mut concerned)? {
                pending.push(Arc::clone(segment));
            }
            if concerned.len() >= RECORDS_MAX {
                self.carry_on(job, &mut pending, &mut concerned)?;
            }
        }
        self.carry_on(job, &mut pending, &mut concerned)?;
        self.finish(job)
    }

    /// Asks the writer about all messages of a file that the import may own alone; whether there are any, or were.
    fn ask_about(&self, job: Job, segment: &Arc<Segment>, concerned: &mut BTreeSet<Subject>) -> Result<bool, Ended> {
        let ids = self.views.id_space(job.workspace)?;
        let odd = || unreadable(segment, &"unexpected columns");
        let (mut found, mut asked) = (false, Vec::new());
        for batch in restore::batches(segment, None)? {
            let batch = batch?;
            let rows = Rows::of(&batch).ok_or_else(odd)?;
            for row in 0..batch.num_rows() {
                let identity = rows.identity(row).ok_or_else(odd)?;
                let is_asked = self.known(job, identity)?.is_some_and(|known| known.is_of(job.id));
                if !is_asked && !self.is_taken(job, identity)? {
                    continue;
                }
                found = true;
                concerned.extend(rows.subjects(row, ids).into_iter().flatten());
                if is_asked {
                    asked.push(identity);
                }
                if asked.len() == ASKED_MAX {
                    self.tell(job.workspace, |batch| batch.take_back(job.id, &asked))?;
                    asked.clear();
                }
            }
        }
        if !asked.is_empty() {
            self.tell(job.workspace, |batch| batch.take_back(job.id, &asked))?;
        }
        Ok(found)
    }

    /// Writes files anew without what was taken back, and makes the records that it named anew.
    fn carry_on(
        &self,
        job: Job,
        pending: &mut Vec<Arc<Segment>>,
        concerned: &mut BTreeSet<Subject>,
    ) -> Result<(), Ended> {
        if pending.is_empty() && concerned.is_empty() {
            return Ok(());
        }
        // From here on the disk says what was taken back.
        self.checkpoint()?;
        write_down(self, job, concerned)?;
        for segment in std::mem::take(pending) {
            self.go_on()?;
            self.spare(segment.bytes)?;
            self.write_anew(job, &segment)?;
        }
        let all: Vec<Subject> = std::mem::take(concerned).into_iter().collect();
        for some in all.chunks(RECORDS_MAX) {
            self.renew(job, some)?;
        }
        strike_out(self, job, &all)?;
        Ok(())
    }

    /// Makes records anew; not all of them at once when more was said of them than is to be held.
    fn renew(&self, job: Job, subjects: &[Subject]) -> Result<(), Ended> {
        let mut waiting = vec![subjects];
        while let Some(some) = waiting.pop() {
            self.go_on()?;
            // What is said of a single record is held, however much it is: it has to be heard in one go.
            let bytes_max = if some.len() > 1 { self.renewed_bytes_max } else { usize::MAX };
            if renew::renew(&self.views, job.workspace, some, bytes_max)? {
                // What was made anew is in memory, which has a bound.
                self.checkpoint()?;
            } else {
                let (one, other) = some.split_at(some.len() / 2);
                waiting.extend([other, one]);
            }
        }
        Ok(())
    }

    fn write_anew(&self, job: Job, segment: &Arc<Segment>) -> Result<(), Ended> {
        let state = &self.views.state;
        let name = credentials::workspace_name(state, job.workspace)?;
        let odd = || unreadable(segment, &"unexpected columns");
        let place = Place {
            history_dir: &self.layout.history,
            workspace: job.workspace,
            name: &name,
            next_id: &|| self.next_segment.fetch_add(1, Ordering::AcqRel),
        };
        let keep = &mut |rows: &Rows<'_>, row: usize| Ok(!self.is_taken(job, rows.identity(row).ok_or_else(odd)?)?);
        let written = keeping(segment, &place, keep)?.outputs;
        {
            let _committing = self.views.committing.lock();
            let mut batch = state.batch();
            batch.remove(&state.manifest, manifest::key(segment));
            written
                .iter()
                .for_each(|output| batch.insert(&state.manifest, manifest::key(output), manifest::value(output)));
            batch.commit().map_err(|error| state_failed(&error))?;
        }
        self.replaced(segment, written);
        Ok(())
    }

    /// Forgets what was taken back, has old bytes dropped, and says that nothing is left.
    fn finish(&self, job: Job) -> Result<(), Ended> {
        let state = &self.views.state;
        let prefix = keys::import_key(job.workspace, job.id);
        let (mut messages, mut taken) = (0, Vec::new());
        for entry in state.taken.prefix(prefix) {
            let key = entry.key().map_err(|error| state_failed(&error))?;
            taken.push(keys::parse_taken_key(&key).ok_or_else(|| damaged("a message taken back"))?);
            messages += 1;
            if taken.len() == REMOVED_MAX {
                self.go_on()?;
                self.forget(job, &mut taken)?;
            }
        }
        self.forget(job, &mut taken)?;
        if !purge(state, &self.layout.state, &|| self.go_on().is_ok())? {
            return Err(Ended::Closing);
        }
        // What searches look through held it, too.
        self.views.texts.forget(job.workspace);
        let (id, at) = (job.id, SystemClock.now());
        self.tell(job.workspace, |batch| batch.import(&Note::Undone { id, at, messages }))?;
        self.checkpoint()?;
        self.strike_all(job.workspace, id)?;
        info!(import = id.0, messages, "an import was taken back");
        Ok(())
    }

    /// Lets the duplicate check forget messages, but for those that came again.
    fn forget(&self, job: Job, identities: &mut Vec<Identity>) -> Result<(), Ended> {
        let state = &self.views.state;
        if !make_room(&self.views, &self.closing)? {
            return Err(Ended::Closing);
        }
        let _committing = self.views.committing.lock();
        let mut batch = state.batch();
        for identity in identities.drain(..) {
            if self.known(job, identity)?.is_some_and(|known| known.whose == Whose::Gone) {
                batch.remove(&state.identities, keys::identity_key(job.workspace, identity));
            }
        }
        Ok(batch.commit().map_err(|error| state_failed(&error))?)
    }

    fn known(&self, job: Job, identity: Identity) -> Result<Option<Known>, ReadError> {
        Known::read(&self.views.state.identities, (job.workspace, identity))
    }

    fn is_taken(&self, job: Job, identity: Identity) -> Result<bool, ReadError> {
        let key = keys::taken_key(job.workspace, job.id, identity);
        self.views.state.taken.contains_key(key).map_err(|error| state_failed(&error))
    }

    /// Has the writer take something in, and waits until it has.
    fn tell(&self, workspace: WorkspaceId, say: impl FnOnce(&mut BatchBuilder)) -> Result<(), Ended> {
        let mut batch = BatchBuilder::new(workspace, 64);
        say(&mut batch);
        let batch: Batch = batch.build();
        loop {
            self.go_on()?;
            let (reply, answer) = oneshot::channel();
            let pending = Pending { batch: batch.clone(), reply };
            self.ask.send(Command::Append(pending)).map_err(|_| Ended::Closing)?;
            match answer.blocking_recv().map_err(|_| Ended::Closing)? {
                Ok(_) => return Ok(()),
                Err(AppendError::Full { .. } | AppendError::Hindered { .. } | AppendError::Busy { .. }) => {
                    thread::sleep(PAUSE)
                }
                Err(AppendError::Closing) => return Err(Ended::Closing),
                Err(error @ AppendError::Stopped { .. }) => {
                    return Err(Ended::Failed(ReadError::Failed { what: error.to_string() }));
                }
            }
        }
    }
}

/// Writes down which records are to be made anew, so that a crash does not forget them.
fn write_down(eraser: &Eraser, job: Job, concerned: &BTreeSet<Subject>) -> Result<(), ReadError> {
    let state = &eraser.views.state;
    let all: Vec<&Subject> = concerned.iter().collect();
    for some in all.chunks(REMOVED_MAX) {
        let mut batch = state.batch();
        some.iter().for_each(|subject| batch.insert(&state.renewed, subject_key(job, **subject), []));
        batch.commit().map_err(|error| state_failed(&error))?;
    }
    Ok(())
}

fn written_down(eraser: &Eraser, job: Job) -> Result<BTreeSet<Subject>, ReadError> {
    let mut found = BTreeSet::new();
    for entry in eraser.views.state.renewed.prefix(keys::import_key(job.workspace, job.id)) {
        let key = entry.key().map_err(|error| state_failed(&error))?;
        found.insert(parse_subject(&key).ok_or_else(|| damaged("a record to make anew"))?);
    }
    Ok(found)
}

fn strike_out(eraser: &Eraser, job: Job, subjects: &[Subject]) -> Result<(), ReadError> {
    let state = &eraser.views.state;
    for some in subjects.chunks(REMOVED_MAX) {
        let mut batch = state.batch();
        some.iter().for_each(|subject| batch.remove(&state.renewed, subject_key(job, *subject)));
        batch.commit().map_err(|error| state_failed(&error))?;
    }
    Ok(())
}

fn subject_key(job: Job, (kind, id): Subject) -> [u8; 8 + SUBJECT_BYTES] {
    let mut key = [0; 8 + SUBJECT_BYTES];
    key[..8].copy_from_slice(&keys::import_key(job.workspace, job.id));
    key[8] = kind as u8;
    key[9..].copy_from_slice(&id.0.to_be_bytes());
    key
}

fn parse_subject(key: &[u8]) -> Option<Subject> {
    let kind = RecordKind::from_number(*key.get(8)?)?;
    Some((kind, muster_model::id::RecordId(u128::from_be_bytes(key.get(9..25)?.try_into().ok()?))))
}
