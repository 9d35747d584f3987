//! Taking everything over, into a new directory. Never touches one that holds anything.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use fjall::{Keyspace, OwnedWriteBatch, PersistMode};
use muster_history::{disk, filed, schema::Layout as Columns};
use muster_model::{id::WorkspaceId, kind::RecordKind, profile::Profile, time::Micros};
use muster_store::{
    backup::Backup,
    batch::{BatchBuilder, encode_refused},
    codec,
    credentials::Workspace,
    follow::Follower,
    record,
    transfer::{Piece, Place, TransferError},
};

use crate::{
    backup,
    credentials::{key_entry, workspace_entry},
    error::state_failed,
    follow::{
        letters,
        place::{self, Past},
    },
    history::manifest,
    journal::log::{Log, LogError},
    keys::{self, ProfileKey, TimePlace},
    lists::{catalogue, entries::entries},
    recovery::Layout,
    saved,
    state::State,
    tally::{OnDisk, Tally},
    team,
    views::{Latest, read_profile, statement_value},
    writer::known::{Known, Whose},
};

/// Entries that are written to the state store together.
const ENTRIES_AT_ONCE: usize = 20_000;
/// Messages, and their bytes, that go into one file of the history.
const FILE_ROWS: usize = 200_000;
const FILE_BYTES: usize = 64 << 20;
/// Messages, and their bytes, that go into one frame for followers.
const FRAME_MESSAGES: usize = 1_000;
const FRAME_BYTES: usize = 4 << 20;
const STATE_CACHE_BYTES: u64 = 64 << 20;

/// A directory that is being made.
pub struct Target {
    into: PathBuf,
    layout: Layout,
    state: State,
    /// What is to be written to the state store, and how much that is.
    batch: OwnedWriteBatch,
    entries: usize,
    entries_written: u64,
    workspaces: Vec<Workspace>,
    tally: Tally,
    followers: Vec<(Follower, Place)>,
    pending: Pending,
    rows: Rows,
    /// When the last message of each workspace was received.
    received: BTreeMap<WorkspaceId, Micros>,
}

/// Messages for followers, as frames of the journal.
struct Pending {
    log: Log,
    /// Of each workspace, how many messages lie before each of its frames, and the frame's number; then how many there are.
    frames: BTreeMap<WorkspaceId, (Vec<(u64, u64)>, u64)>,
    /// What the next frame holds.
    waiting: Vec<Vec<u8>>,
    bytes: usize,
    of: WorkspaceId,
}

/// Messages of one workspace for the next file.
struct Rows {
    of: WorkspaceId,
    waiting: Vec<Vec<u8>>,
    bytes: usize,
    next_file: u64,
}

fn failed(error: impl std::fmt::Display) -> TransferError {
    TransferError::Target(error.to_string())
}

fn log_failed(error: LogError) -> TransferError {
    failed(std::io::Error::from(error))
}

impl Target {
    /// Begins a directory, which must not be there, or empty. What an earlier attempt left beside it is removed.
    pub fn begin(into: &Path) -> Result<Target, TransferError> {
        if into.file_name().is_none() {
            return Err(TransferError::Taken(format!("{} is no name for a directory", into.display())));
        }
        backup::check_empty(into).map_err(|error| TransferError::Taken(error.to_string()))?;
        let unfinished = backup::with_suffix(into, backup::UNFINISHED);
        backup::remove_tree(&unfinished).map_err(failed)?;
        let layout = Layout::new(&unfinished);
        disk::make_private_dir(&layout.root).map_err(failed)?;
        for dir in [&layout.journal, &layout.history, &layout.forward] {
            disk::make_dir(dir).map_err(failed)?;
        }
        let state = State::open(&layout.state, STATE_CACHE_BYTES).map_err(failed)?;
        let log = Log::start(&layout.forward, Vec::new(), 1).map_err(failed)?;
        let none = WorkspaceId(0);
        Ok(Target {
            into: into.to_owned(),
            batch: state.database.batch(),
            state,
            layout,
            entries: 0,
            entries_written: 0,
            workspaces: Vec::new(),
            tally: Tally::default(),
            followers: Vec::new(),
            pending: Pending { log, frames: BTreeMap::new(), waiting: Vec::new(), bytes: 0, of: none },
            rows: Rows { of: none, waiting: Vec::new(), bytes: 0, next_file: 1 },
            received: BTreeMap::new(),
        })
    }

    /// Takes a piece over.
    pub fn take(&mut self, piece: Piece) -> Result<(), TransferError> {
        match piece {
            Piece::Workspace(_) | Piece::Key(..) | Piece::Member(..) | Piece::Saved(..) | Piece::LastSaved(..) => {
                self.registered(piece)
            }
            Piece::Follower(follower, place) => {
                self.followers.push((follower, place));
                Ok(())
            }
            Piece::Letter(of, follower, letter) => {
                let key = place::letter_key(of, follower, letter.id);
                self.put(|state| &state.followers, key, letters::encode(&letter))
            }
            Piece::Pending(of, message) => self.pending.take(of, message),
            Piece::Deletion(of, deletion) => {
                let mut value = Vec::new();
                codec::deletion::encode(&deletion, &mut value);
                self.put(|state| &state.deletions, keys::deletion_key(of, deletion.id), value)
            }
            Piece::Import(of, import) => {
                let mut value = Vec::new();
                codec::import::encode(&import, &mut value);
                self.put(|state| &state.imports, keys::import_key(of, import.id), value)
            }
            Piece::Profile(of, profile) => self.profile(of, &profile),
            Piece::Child(of, parent, child) => {
                self.put(|state| &state.children, keys::child_key(of, parent, child), [])
            }
            Piece::Statement(of, (parents, about), said) => {
                let key = keys::statement_key(of, about, parents, said.stamp);
                self.put(|state| &state.statements, key, statement_value(&said))
            }
            Piece::Stated(of, model, known) => {
                let key = keys::stated_key(of, model, &known.key);
                self.put(|state| &state.stated, key, catalogue::encode(&known))
            }
            Piece::Identity(of, owned) => {
                let known =
                    Known { content: owned.content, received_at: owned.received_at, whose: Whose::Owned(owned.owners) };
                self.put(|state| &state.identities, keys::identity_key(of, owned.identity), known.to_bytes())
            }
            Piece::Refused(of, refused) => {
                let cursor = muster_store::refused::RefusedCursor { received_at: refused.received_at, id: refused.id };
                let mut value = Vec::new();
                encode_refused(&refused, &mut value);
                self.put(|state| &state.refused, keys::refused_key(of, cursor), value)?;
                let at = refused.received_at.0.to_be_bytes();
                self.put(|state| &state.refused_ids, keys::refused_id_key(of, refused.id), at)
            }
            Piece::Message(of, message) => {
                if self.rows.is_full_for(of, &message) {
                    self.file()?;
                }
                self.rows.of = of;
                self.rows.bytes += message.len();
                self.rows.waiting.push(message);
                Ok(())
            }
        }
    }

    /// Takes over what lies among workspaces and keys.
    fn registered(&mut self, piece: Piece) -> Result<(), TransferError> {
        match piece {
            Piece::Workspace(workspace) => {
                let (key, value) = workspace_entry(&workspace);
                self.workspaces.push(workspace);
                self.put(|state| &state.credentials, key, value)
            }
            Piece::Key(key, hash) => {
                let (entry, value) = key_entry(&key, &hash);
                self.put(|state| &state.credentials, entry, value)
            }
            Piece::Member(of, member) => {
                let (key, value) = team::entry(of, &member);
                self.put(|state| &state.credentials, key, value)
            }
            Piece::Saved(of, one) => {
                let (key, value) = saved::entry(of, &one);
                self.put(|state| &state.credentials, key, value)
            }
            Piece::LastSaved(_, 0) => Ok(()),
            Piece::LastSaved(of, last) => {
                let (key, value) = saved::last_entry(of, last);
                self.put(|state| &state.credentials, key, value)
            }
            _ => Ok(()),
        }
    }

    fn put(
        &mut self,
        keyspace: impl Fn(&State) -> &Keyspace,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), TransferError> {
        self.batch.insert(keyspace(&self.state), key.as_ref(), value.as_ref());
        self.entries += 1;
        self.entries_written += 1;
        if self.entries >= ENTRIES_AT_ONCE { self.write() } else { Ok(()) }
    }

    /// Writes what waits to the state store; it is on stable storage in the end.
    fn write(&mut self) -> Result<(), TransferError> {
        self.entries = 0;
        let batch = std::mem::replace(&mut self.batch, self.state.database.batch());
        batch.commit().map_err(|error| failed(state_failed(&error)))
    }

    fn profile(&mut self, of: WorkspaceId, profile: &Profile) -> Result<(), TransferError> {
        let (kind, id) = (profile.kind(), profile.id);
        let key = ProfileKey::new(of, kind, id);
        let mut value = Vec::new();
        codec::profile::encode(profile, &mut value);
        self.put(|state| &state.profiles, key.bytes(), value)?;
        self.tally.change(&key, 1);
        for (field, value) in entries(profile) {
            self.put(|state| &state.by_field, keys::field_key(of, kind, field, value, id), [])?;
        }
        // Anonymous ids are in no list.
        if kind != RecordKind::Anonymous {
            let place = |at| keys::list_key(of, kind, TimePlace { at, id });
            self.put(|state| &state.by_created, place(profile.created_at), [])?;
            self.put(|state| &state.by_updated, place(profile.updated_at), [])?;
        }
        Ok(())
    }

    /// Writes the messages that wait into a file of the history.
    fn file(&mut self) -> Result<(), TransferError> {
        if self.rows.waiting.is_empty() {
            return Ok(());
        }
        // Whom a message is filed under is told by records.
        self.write()?;
        let of = self.rows.of;
        let name = self.workspaces.iter().find(|workspace| workspace.id == of).map(|workspace| workspace.name.clone());
        let name = name.ok_or_else(|| failed(format!("no workspace has number {}", of.0)))?;
        let waiting = std::mem::take(&mut self.rows.waiting);
        self.rows.bytes = 0;
        let mut users = rustc_hash::FxHashMap::default();
        let mut messages = Vec::with_capacity(waiting.len());
        for bytes in &waiting {
            let message = record::decode(bytes).map_err(|_| failed("a message of the history is no message"))?;
            let received = self.received.entry(of).or_insert(message.received_at);
            *received = message.received_at.max(*received);
            let user = message.user.as_ref().filter(|_| message.account.is_none()).map(|user| user.id);
            if let Some(id) = user.filter(|id| !users.contains_key(id)) {
                let key = ProfileKey::new(of, RecordKind::User, id);
                users.insert(id, read_profile(&Latest, &self.state, &key).map_err(failed)?);
            }
            let user = user.and_then(|id| users.get(&id)?.as_ref());
            let account = filed::account(&message, user);
            messages.push((None, message, account));
        }
        let id = self.rows.next_file;
        self.rows.next_file += 1;
        let written = filed::write(&self.layout.history, (of, &name), (id, Columns::Plain), &messages);
        if let Some(segment) = written.map_err(failed)? {
            self.put(|state| &state.manifest, manifest::key(&segment), manifest::value(&segment))?;
        }
        Ok(())
    }

    /// Ends the directory and gives it its name; what it holds.
    pub fn finish(mut self) -> Result<Backup, TransferError> {
        self.file()?;
        self.pending.frame()?;
        let last = self.pending.log.last_sequence();
        // A state that nothing was committed to goes with no history.
        let position = last.max(1);
        for (follower, place) in std::mem::take(&mut self.followers) {
            let (of, id) = (follower.workspace, follower.id);
            // What comes from now on lies in the journal, and is not to be read of the history as well.
            let last = self.received.get(&of).copied();
            let past = place.past.map(|(after, until)| Past { after, until: until.or(last) });
            let place = place::Place { past, ..self.pending.place(of, place.had, position) };
            self.put(|state| &state.followers, place::follower_key(of, id), place::encode_follower(&follower))?;
            self.put(|state| &state.followers, place::place_key(of, id), place.encode())?;
        }
        self.state.put_position(&mut self.batch, position);
        OnDisk::none().put(&self.tally, &mut self.batch, &self.state, position);
        self.write()?;
        self.state.database.persist(PersistMode::SyncAll).map_err(|error| failed(state_failed(&error)))?;
        let Target { into, layout, state, batch, pending, entries_written: entries, rows, .. } = self;
        drop((batch, pending, state));
        if last == 0 {
            backup::remove_tree(&layout.forward).and_then(|()| disk::make_dir(&layout.forward)).map_err(failed)?;
        }
        drop(Log::start(&layout.journal, Vec::new(), position + 1).map_err(failed)?);
        backup::sync_tree(&layout.root).map_err(failed)?;
        let made = Backup {
            history_files: rows.next_file - 1,
            history_bytes: disk::bytes_below(&layout.history),
            entries,
            journal_bytes: disk::bytes_below(&layout.forward),
            directory: into.clone(),
        };
        backup::finish(&layout.root, &into).map_err(|fault| failed(fault.0))?;
        Ok(made)
    }
}

impl Rows {
    /// Whether what waits is to be written before a message.
    fn is_full_for(&self, of: WorkspaceId, message: &[u8]) -> bool {
        let full = self.waiting.len() >= FILE_ROWS || self.bytes + message.len() > FILE_BYTES;
        !self.waiting.is_empty() && (self.of != of || full)
    }
}

impl Pending {
    fn take(&mut self, of: WorkspaceId, message: Vec<u8>) -> Result<(), TransferError> {
        let full = self.waiting.len() >= FRAME_MESSAGES || self.bytes + message.len() > FRAME_BYTES;
        if self.of != of || full {
            self.frame()?;
        }
        self.of = of;
        self.bytes += message.len();
        self.waiting.push(message);
        Ok(())
    }

    /// Writes what waits as a frame.
    fn frame(&mut self) -> Result<(), TransferError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let mut batch = BatchBuilder::new(self.of, self.bytes);
        self.bytes = 0;
        waiting.iter().for_each(|message| batch.encoded_message(message));
        self.log.append([batch.build()].iter()).map_err(log_failed)?;
        let (frames, messages) = self.frames.entry(self.of).or_default();
        frames.push((*messages, self.log.last_sequence()));
        *messages += waiting.len() as u64;
        Ok(())
    }

    /// The place of a follower that has had so many of a workspace's messages.
    fn place(&self, of: WorkspaceId, had: u64, position: u64) -> place::Place {
        let end = place::Place::at(position + 1);
        let Some((frames, _)) = self.frames.get(&of).filter(|(_, messages)| had < *messages) else { return end };
        let frame = frames.iter().rev().find(|(before, _)| *before <= had);
        frame.map_or(end, |(before, sequence)| place::Place {
            entry: (had - before) as u32,
            ..place::Place::at(*sequence)
        })
    }
}
