//! Handing everything out, as of one moment. Changes nothing but the directory's last word.

use std::path::{Path, PathBuf};

use fjall::{Keyspace, Snapshot};
use muster_history::{manifest::Segment, restore};
use muster_model::{
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
};
use muster_store::{
    batch::{Entry, decode_refused},
    byte_form::Malformed,
    catalogue::Model,
    codec,
    credentials::Workspace,
    deletion::Stage,
    error::ReadError,
    follow::{Follower, FollowerId, Letter},
    import::{self, Owned},
    record,
    transfer::{Piece, Place, Take, TransferError},
};
use parking_lot::MutexGuard;

use crate::{
    backup::{self, Moment},
    credentials::Registry,
    engine::Embedded,
    erase::known,
    error::{OpenError, damaged, state_failed},
    follow::{
        following::entries,
        frames::{FrameFile, first},
        letters,
        place::{self, Past},
    },
    imports,
    keys::{self, ProfileKey},
    lists::catalogue,
    recovery::Layout,
    saved::Shelf,
    state::State,
    team::Teams,
    views::{Disk, parse_statement},
    writer::known::{Known, Whose},
};

/// Everything that a directory holds, as of one moment.
pub struct Source {
    state: State,
    moment: Moment,
    /// The files of frames up to the moment, in order, each with the number of its first.
    frames: Vec<(u64, PathBuf)>,
    /// The number of the last frame of the journal that is in here.
    position: u64,
    staging: PathBuf,
    _one_at_a_time: MutexGuard<'static, ()>,
}

impl Drop for Source {
    fn drop(&mut self) {
        // What is left of it is removed by the next start.
        let _ = backup::remove_tree(&self.staging);
    }
}

impl Embedded {
    /// Everything in its place as of now; what is in memory alone is not in it.
    ///
    /// # Errors
    /// While something is being deleted, taken back or backed up.
    pub fn everything(&self) -> Result<Source, TransferError> {
        if self.views.is_rewriting() {
            let says = "something is being deleted or taken back; try again when that is done";
            return Err(TransferError::Busy(says.to_owned()));
        }
        let _one_at_a_time = backup::alone().map_err(|error| TransferError::Busy(error.to_string()))?;
        let (state, staging) = (self.views.state.clone(), self.layout().root.join(backup::STAGING));
        let moment = backup::choose_moment(&self.views, self.layout(), &staging);
        let moment = moment.map_err(|fault| TransferError::Source(fault.0))?;
        let position = state.position_in(&moment.snapshot).map_err(|error| TransferError::Source(error.to_string()))?;
        let files = moment.forward.iter().chain(&moment.journal);
        let mut frames: Vec<(u64, PathBuf)> = files.filter_map(|path| Some((first(path)?, path.clone()))).collect();
        frames.sort_unstable();
        Ok(Source { state, moment, frames, position, staging, _one_at_a_time })
    }

    /// What the directory holds is used elsewhere from now on: no engine opens it any more.
    pub fn leave(&self) -> Result<(), TransferError> {
        self.layout().leave().map_err(|error| TransferError::Source(error.to_string()))
    }
}

/// Has a directory be one as any other, of which a move that was cut has said that it is not used any more.
pub fn come_back(data_dir: &Path) -> Result<(), TransferError> {
    Layout::new(data_dir).come_back().map_err(|error| TransferError::Source(error.to_string()))
}

/// Whether somebody uses a directory at this moment.
pub fn is_in_use(data_dir: &Path) -> bool {
    matches!(Layout::new(data_dir).lock_to_read(), Err(OpenError::InUse { .. }))
}

/// Is shown messages in frames, each with where it lies.
type Visit<'v> = dyn FnMut(Spot, &[u8]) -> Result<(), TransferError> + 'v;

/// A follower and where it stands.
type Placed = (Follower, place::Place);

/// A letter and whose it is.
type Addressed = (FollowerId, Letter);

/// Where a follower of a workspace stands.
pub type Standing = (WorkspaceId, FollowerId, place::Place);

/// A message in a file of frames: the frame's number, and the entry's within it.
type Spot = (u64, u32);

fn read_failed(error: &ReadError) -> TransferError {
    TransferError::Source(error.to_string())
}

impl Source {
    /// Hands it all out.
    pub fn each(&self, take: &mut Take<'_>) -> Result<(), TransferError> {
        let workspaces = registered(&self.state, take)?;
        workspaces.iter().try_for_each(|workspace| self.workspace(workspace, take))
    }

    /// Where every follower stands.
    pub fn places(&self) -> Result<Vec<Standing>, TransferError> {
        let registry = Registry::load(&self.state).map_err(|error| TransferError::Source(error.to_string()))?;
        let mut standing = Vec::new();
        for workspace in registry.workspaces() {
            let (followers, _) = self.listed(workspace.id)?;
            standing.extend(followers.into_iter().map(|(follower, place)| (workspace.id, follower.id, place)));
        }
        Ok(standing)
    }

    /// The number of the last frame of the journal that is in here.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn workspace(&self, workspace: &Workspace, take: &mut Take<'_>) -> Result<(), TransferError> {
        let of = workspace.id;
        self.followers(of, take)?;
        for entry in self.entries(&self.state.deletions, of) {
            let deletion = entry.and_then(|(_, value)| known::decode(&value)).map_err(|error| read_failed(&error))?;
            if matches!(deletion.stage, Stage::Erasing(_)) {
                return Err(TransferError::Busy("a deletion is being carried out; try again when it is done".into()));
            }
            take(Piece::Deletion(of, deletion))?;
        }
        for entry in self.entries(&self.state.imports, of) {
            let import = entry.and_then(|(_, value)| imports::decode(&value)).map_err(|error| read_failed(&error))?;
            if matches!(import.stage, import::Stage::Undoing { .. }) {
                return Err(TransferError::Busy("an import is being taken back; try again when it is done".into()));
            }
            take(Piece::Import(of, import))?;
        }
        let keyspaces = [
            (&self.state.profiles, profile as Read),
            (&self.state.children, child),
            (&self.state.statements, statement),
            (&self.state.stated, stated),
            (&self.state.identities, identity),
            (&self.state.refused, refused),
        ];
        for (keyspace, read) in keyspaces {
            for entry in self.entries(keyspace, of) {
                let piece = entry.and_then(|(key, value)| read(of, &key, &value));
                if let Some(piece) = piece.map_err(|error| read_failed(&error))? {
                    take(piece)?;
                }
            }
        }
        let ids = IdSpace::new(&workspace.name);
        for segment in self.moment.segments.iter().filter(|segment| segment.workspace == of) {
            messages(segment, ids, take)?;
        }
        Ok(())
    }

    fn entries(
        &self,
        keyspace: &Keyspace,
        workspace: WorkspaceId,
    ) -> impl Iterator<Item = Result<(fjall::UserKey, fjall::UserValue), ReadError>> + use<> {
        let snapshot: &Snapshot = &self.moment.snapshot;
        let entries = snapshot.prefixed(keyspace, &workspace.0.to_be_bytes());
        entries.map(|entry| entry.into_inner().map_err(|error| state_failed(&error)))
    }

    /// The followers of a workspace with their places, and their letters.
    fn listed(&self, of: WorkspaceId) -> Result<(Vec<Placed>, Vec<Addressed>), TransferError> {
        let mut followers: Vec<Placed> = Vec::new();
        let (mut places, mut letters) = (Vec::new(), Vec::new());
        let unreadable = |_: Malformed| read_failed(&damaged("a follower"));
        for entry in self.entries(&self.state.followers, of) {
            let (key, value) = entry.map_err(|error| read_failed(&error))?;
            match place::parse_key(&key).ok_or(Malformed).map_err(unreadable)? {
                place::Entry::Follower(workspace, id) => {
                    let follower = place::decode_follower(workspace, id, &value).map_err(unreadable)?;
                    followers.push((follower, place::Place::at(0)));
                }
                place::Entry::Place(id) => places.push((id, place::Place::decode(&value).map_err(unreadable)?)),
                place::Entry::Letter(_, follower, id) => {
                    letters.push((follower, letters::decode(id, &value).map_err(unreadable)?));
                }
            }
        }
        let begins = self.frames.first().map_or(self.position + 1, |(first, _)| *first);
        for (follower, place) in &mut followers {
            let known = places.iter().find(|(id, _)| *id == follower.id);
            *place = known.ok_or(Malformed).map_err(unreadable)?.1;
            if place.sequence < begins {
                // What it has not had is not kept any more; that is in the history, nobody knows where.
                *place = place::Place { past: Some(Past::ALL), ..place::Place::at(begins) };
            }
        }
        Ok((followers, letters))
    }

    /// The followers of a workspace, their letters, and what some of them have not had.
    fn followers(&self, of: WorkspaceId, take: &mut Take<'_>) -> Result<(), TransferError> {
        let (followers, letters) = self.listed(of)?;
        if followers.is_empty() {
            return Ok(());
        }
        let begins = self.position + 1;
        let first = followers.iter().map(|(_, place)| place.sequence).min().unwrap_or(begins);
        let mut had = vec![0; followers.len()];
        self.pending(of, first, &mut |spot, _| {
            let places = followers.iter().map(|(_, place)| (place.sequence, place.entry));
            had.iter_mut().zip(places).for_each(|(had, place)| *had += u64::from(spot < place));
            Ok(())
        })?;
        for ((follower, place), had) in followers.into_iter().zip(had) {
            let past = place.past.map(|past| (past.after, past.until));
            take(Piece::Follower(follower, Place { past, had }))?;
        }
        letters.into_iter().try_for_each(|(follower, letter)| take(Piece::Letter(of, follower, letter)))?;
        self.pending(of, first, &mut |_, bytes| take(Piece::Pending(of, bytes.to_vec())))
    }

    /// The messages of a workspace in frames from one on, up to the moment.
    fn pending(&self, of: WorkspaceId, first: u64, visit: &mut Visit<'_>) -> Result<(), TransferError> {
        let ends = self.frames.iter().skip(1).map(|(next, _)| *next).chain([u64::MAX]);
        for ((_, path), end) in self.frames.iter().zip(ends) {
            if end <= first {
                continue;
            }
            let mut file = FrameFile::open(path).map_err(|error| frame_failed(&error))?;
            while file.sequence() <= self.position {
                let Some((sequence, batches)) = file.take_frame().map_err(|error| frame_failed(&error))? else { break };
                if sequence < first {
                    continue;
                }
                for (number, (workspace, entry)) in (0..).zip(entries(&batches)) {
                    if let Entry::Message(bytes) = entry
                        && workspace == of
                    {
                        visit((sequence, number), bytes)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Hands out what lies among workspaces and keys, as it is by now; which workspaces there are.
pub fn registered(state: &State, take: &mut Take<'_>) -> Result<Vec<Workspace>, TransferError> {
    let opened = |error: OpenError| TransferError::Source(error.to_string());
    let registry = Registry::load(state).map_err(opened)?;
    let (teams, shelf) = (Teams::load(state).map_err(opened)?, Shelf::load(state).map_err(opened)?);
    let workspaces = registry.workspaces();
    workspaces.iter().try_for_each(|workspace| take(Piece::Workspace(workspace.clone())))?;
    for (key, hash) in registry.keys_with_hashes() {
        take(Piece::Key((*key).clone(), hash))?;
    }
    for workspace in &workspaces {
        let of = workspace.id;
        teams.team(of).into_iter().try_for_each(|member| take(Piece::Member(of, member)))?;
        shelf.saved(of).into_iter().try_for_each(|saved| take(Piece::Saved(of, saved)))?;
        take(Piece::LastSaved(of, shelf.last(of)))?;
    }
    Ok(workspaces)
}

fn frame_failed(error: &std::io::Error) -> TransferError {
    TransferError::Source(format!("a journal file: {error}"))
}

/// Reads a piece out of an entry of the state store; an entry may be none.
type Read = fn(WorkspaceId, &[u8], &[u8]) -> Result<Option<Piece>, ReadError>;

fn profile(of: WorkspaceId, _: &[u8], value: &[u8]) -> Result<Option<Piece>, ReadError> {
    let profile = codec::profile::decode(value).map_err(|Malformed| damaged("a profile"))?;
    Ok(Some(Piece::Profile(of, profile)))
}

fn child(of: WorkspaceId, key: &[u8], _: &[u8]) -> Result<Option<Piece>, ReadError> {
    let parent = key.get(..21).and_then(ProfileKey::parse);
    let kind = key.get(21).and_then(|number| RecordKind::from_number(*number));
    let piece = parent.zip(kind).zip(keys::parse_child_key(key));
    let ((parent, kind), id) = piece.ok_or_else(|| damaged("a child's key"))?;
    Ok(Some(Piece::Child(of, (parent.kind, parent.id), (kind, id))))
}

fn statement(of: WorkspaceId, key: &[u8], value: &[u8]) -> Result<Option<Piece>, ReadError> {
    let about = key.get(..21).and_then(ProfileKey::parse).ok_or_else(|| damaged("a statement's key"))?;
    let statement = parse_statement(key, value)?;
    Ok(Some(Piece::Statement(of, (about.kind, about.id), statement)))
}

fn stated(of: WorkspaceId, key: &[u8], value: &[u8]) -> Result<Option<Piece>, ReadError> {
    let malformed = || damaged("the catalogue of traits");
    let (head, name) = key.split_at_checked(21).ok_or_else(malformed)?;
    let of_model = ProfileKey::parse(head).ok_or_else(malformed)?;
    let name = std::str::from_utf8(name).map_err(|_| malformed())?;
    let known = catalogue::decode(name, value).map_err(|Malformed| malformed())?;
    let object = Some(of_model.id).filter(|id| *id != RecordId(0));
    Ok(Some(Piece::Stated(of, Model { kind: of_model.kind, object }, known)))
}

fn identity(of: WorkspaceId, key: &[u8], value: &[u8]) -> Result<Option<Piece>, ReadError> {
    let (_, identity) = keys::parse_identity_key(key).ok_or_else(|| damaged("an identity's key"))?;
    let Known { content, received_at, whose } = Known::from_bytes(value).ok_or_else(|| damaged("an identity"))?;
    // One whose message was taken back may come again, as one that never came.
    let Whose::Owned(owners) = whose else { return Ok(None) };
    Ok(Some(Piece::Identity(of, Owned { identity, content, received_at, owners })))
}

fn refused(of: WorkspaceId, _: &[u8], value: &[u8]) -> Result<Option<Piece>, ReadError> {
    let refused = decode_refused(value).map_err(|_| damaged("a message set aside"))?;
    Ok(Some(Piece::Refused(of, refused.into_owned())))
}

/// Every message of a file, with the records that it names as they are in the workspace.
fn messages(segment: &std::sync::Arc<Segment>, ids: IdSpace, take: &mut Take<'_>) -> Result<(), TransferError> {
    let mut stopped = None;
    let mut visit = |message: muster_model::message::Message<'_>| {
        let mut bytes = Vec::new();
        record::encode(&message, &mut bytes);
        take(Piece::Message(segment.workspace, bytes)).map_err(|error| {
            stopped = Some(error);
            ReadError::Failed { what: String::new() }
        })
    };
    let read = restore::messages(segment, ids, &mut visit);
    match stopped {
        Some(error) => Err(error),
        None => read.map_err(|error| read_failed(&error)),
    }
}
