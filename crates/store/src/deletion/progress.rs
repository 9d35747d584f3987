//! What became of a deletion, and how it goes on.

use muster_model::{
    deletion::{DeletionId, Part, Reach, Subject},
    id::RecordId,
    kind::RecordKind,
    time::Micros,
};

use super::{
    decree::{Decree, Delete},
    receipt,
};

/// One deletion, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    pub id: DeletionId,
    pub root: Subject,
    pub requested_at: Micros,
    /// The key that asked.
    pub key_id: u64,
    /// The day it was scheduled for, if it was.
    pub due: Option<Micros>,
    pub stage: Stage,
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits for its day.
    Scheduled,
    /// It was called off before its day, by this key if it is known.
    Cancelled { at: Micros, by: Option<u64> },
    /// No read shows anything of it any more; bytes are still being removed.
    Erasing(Erasure),
    /// Nothing is left.
    Finished(Erasure, Seal),
}

/// What is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// What reaches back to this instant or before is hidden.
    pub at: Micros,
    pub subjects: Vec<Subject>,
    /// What goes of anonymous ids that others were, too.
    pub parts: Vec<Part>,
    pub removed: Removed,
}

impl Erasure {
    /// Nothing is removed yet.
    fn of(delete: Delete) -> Erasure {
        Erasure { at: delete.at, subjects: delete.subjects, parts: delete.parts, removed: Removed::default() }
    }

    /// Whether a record is deleted by it as far as a message of such a reach is concerned.
    #[must_use]
    pub fn hides(&self, id: RecordId, reach: Reach) -> bool {
        let whole = || reach.back <= self.at && self.subjects.iter().any(|(_, subject)| *subject == id);
        self.parts.iter().any(|part| part.hides(id, reach, self.at)) || whole()
    }
}

/// What was removed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Records, by kind, that there were when the deletion was carried out.
    pub organizations: u64,
    pub accounts: u64,
    pub users: u64,
    pub instances: u64,
    pub custom_objects: u64,
    pub responses: u64,
    pub anonymous: u64,
    /// Messages, and messages that lost only the name of what was deleted.
    pub messages: u64,
    pub redacted: u64,
    /// Messages set aside.
    pub refused: u64,
    /// Entries of the duplicate check.
    pub identities: u64,
    /// History files written anew or removed.
    pub files: u64,
}

impl Removed {
    /// Counts a record of this kind.
    pub fn count_record(&mut self, kind: RecordKind) {
        *match kind {
            RecordKind::Organization => &mut self.organizations,
            RecordKind::Account => &mut self.accounts,
            RecordKind::User => &mut self.users,
            RecordKind::Instance => &mut self.instances,
            RecordKind::CustomObject => &mut self.custom_objects,
            RecordKind::NpsResponse => &mut self.responses,
            RecordKind::Anonymous => &mut self.anonymous,
        } += 1;
    }

    /// Adds what was removed elsewhere.
    pub fn add(&mut self, other: &Removed) {
        self.organizations += other.organizations;
        self.accounts += other.accounts;
        self.users += other.users;
        self.instances += other.instances;
        self.custom_objects += other.custom_objects;
        self.responses += other.responses;
        self.anonymous += other.anonymous;
        self.messages += other.messages;
        self.redacted += other.redacted;
        self.refused += other.refused;
        self.identities += other.identities;
        self.files += other.files;
    }
}

/// What makes a receipt a link of its workspace's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// From 1, in the order in which deletions finished.
    pub number: u64,
    pub finished_at: Micros,
    /// The hash of the receipt before; zeros for the first.
    pub previous: [u8; 32],
    /// The SHA-256 of the receipt's text, everything above included.
    pub hash: [u8; 32],
}

impl Deletion {
    /// Takes a decree in; `true` when there is something to delete now that was not deleted before.
    pub fn take(known: &mut Option<Deletion>, decree: Decree) -> bool {
        match (decree, &mut *known) {
            (Decree::Schedule { id, root, requested_at, key_id, due }, None) => {
                let stage = Stage::Scheduled;
                *known = Some(Deletion { id, root, requested_at, key_id, due: Some(due), stage });
                false
            }
            (Decree::Cancel { at, by, .. }, Some(deletion)) if deletion.stage == Stage::Scheduled => {
                deletion.stage = Stage::Cancelled { at, by };
                false
            }
            (Decree::Delete(delete), Some(deletion)) if deletion.stage == Stage::Scheduled => {
                deletion.stage = Stage::Erasing(Erasure::of(delete));
                true
            }
            (Decree::Delete(delete), None) => {
                let (id, root, requested_at, key_id) = (delete.id, delete.root, delete.requested_at, delete.key_id);
                let stage = Stage::Erasing(Erasure::of(delete));
                *known = Some(Deletion { id, root, requested_at, key_id, due: None, stage });
                true
            }
            (Decree::Schedule { .. } | Decree::Cancel { .. } | Decree::Delete(_), _) => false,
        }
    }

    /// What is deleted, once something is.
    #[must_use]
    pub fn erasure(&self) -> Option<&Erasure> {
        match &self.stage {
            Stage::Scheduled | Stage::Cancelled { .. } => None,
            Stage::Erasing(erasure) | Stage::Finished(erasure, _) => Some(erasure),
        }
    }

    /// The same, to count in.
    pub fn erasure_mut(&mut self) -> Option<&mut Erasure> {
        match &mut self.stage {
            Stage::Scheduled | Stage::Cancelled { .. } => None,
            Stage::Erasing(erasure) | Stage::Finished(erasure, _) => Some(erasure),
        }
    }

    /// Its place in the chain, once it is finished.
    #[must_use]
    pub fn seal(&self) -> Option<&Seal> {
        if let Stage::Finished(_, seal) = &self.stage { Some(seal) } else { None }
    }

    /// Ends one that is being erased: its receipt follows the one with this number and hash.
    pub fn finish(&mut self, (last, previous): (u64, [u8; 32]), finished_at: Micros) {
        if let Stage::Erasing(erasure) = &self.stage {
            let seal = Seal { number: last + 1, finished_at, previous, hash: [0; 32] };
            self.stage = Stage::Finished(erasure.clone(), seal);
            let hash = receipt::hash(self);
            if let Stage::Finished(_, seal) = &mut self.stage {
                seal.hash = hash;
            }
        }
    }
}
