//! Where tracks belong, for many of them.
//!
//! The rules are [`muster_store::attribution`]'s. The records that a piece of the tracks needs are fetched together before they
//! are asked for, and kept for the next piece, up to a bound.

use std::{cell::RefCell, sync::Arc};

use muster_model::{
    association::Statement,
    deletion::Subject,
    id::{IdSpace, RecordId},
    kind::RecordKind,
    message::Message,
    profile::Profile,
};
use muster_store::{
    attribution::{Attributor, associations},
    error::ReadError,
    records::Records,
};
use rustc_hash::FxHashMap;

use crate::{fault::Fault, read::book::Book};

/// Records that are kept; when there are more, all are forgotten and looked up anew.
const RECORDS_MAX: usize = 100_000;
/// Statements that are kept.
const STATEMENTS_MAX: usize = 1_000_000;

/// What was looked up.
#[derive(Default)]
pub struct Known {
    /// Without their traits, which decide nothing here.
    records: FxHashMap<Subject, Option<Arc<Profile>>>,
    statements: FxHashMap<(RecordKind, RecordId), Vec<Statement>>,
    statements_count: usize,
}

impl Known {
    fn keep(&mut self, subject: Subject, profile: Option<Arc<Profile>>) -> Option<Arc<Profile>> {
        let bare = profile.map(|profile| {
            let mut profile = Arc::unwrap_or_clone(profile);
            profile.traits = Default::default();
            Arc::new(profile)
        });
        self.records.insert(subject, bare.clone());
        bare
    }

    /// Makes room for another piece's.
    fn make_room(&mut self) {
        if self.records.len() > RECORDS_MAX {
            self.records.clear();
        }
        if self.statements_count > STATEMENTS_MAX {
            self.statements.clear();
            self.statements_count = 0;
        }
    }

    /// Looks those records up that are not known, together.
    fn fetch(&mut self, book: &Book<'_, '_>, wanted: impl Iterator<Item = Subject>) -> Result<(), Fault> {
        let mut missing: Vec<Subject> = wanted.filter(|subject| !self.records.contains_key(subject)).collect();
        missing.sort_unstable();
        missing.dedup();
        for profile in book.profiles(&missing)? {
            self.keep((profile.kind(), profile.id), Some(profile));
        }
        for subject in missing {
            self.records.entry(subject).or_insert(None);
        }
        Ok(())
    }

    /// The records that these ever named as parents of a kind.
    fn parents(&self, of: &[Subject], parents: RecordKind) -> Vec<Subject> {
        let known = of.iter().filter_map(|subject| self.records.get(subject)?.as_ref());
        let links = known.filter_map(|profile| associations(profile, parents)).flat_map(|known| known.links());
        links.map(|link| (parents, link.parent)).collect()
    }
}

/// Records as a moment sees them, those kept that were looked up.
pub struct Looked<'k, 't, 'c> {
    known: &'k RefCell<Known>,
    book: Book<'t, 'c>,
}

impl Records for Looked<'_, '_, '_> {
    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        if let Some(found) = self.known.borrow().records.get(&(kind, id)) {
            return Ok(found.clone());
        }
        let found = self.book.profile_of((kind, id))?;
        Ok(self.known.borrow_mut().keep((kind, id), found))
    }

    fn children(&self, parent: Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        Ok(self.book.children_of(parent, kind)?)
    }

    fn statements(&self, about: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError> {
        if let Some(found) = self.known.borrow().statements.get(&(parents, about)) {
            return Ok(found.clone());
        }
        let found = self.book.statements_about(about, parents)?;
        let mut known = self.known.borrow_mut();
        known.statements_count += found.len();
        known.statements.insert((parents, about), found.clone());
        Ok(found)
    }
}

/// Answers for a piece of the tracks, whose records have been fetched.
pub fn of<'k, 't, 'c>(
    book: &Book<'t, 'c>,
    ids: IdSpace,
    known: &'k RefCell<Known>,
    tracks: &[Message<'_>],
) -> Result<Attributor<Looked<'k, 't, 'c>>, Fault> {
    let mut all = known.borrow_mut();
    all.make_room();
    let (mut users, mut accounts, mut anonymous) = (Vec::new(), Vec::new(), Vec::new());
    for track in tracks {
        users.extend(track.user.as_ref().map(|user| (RecordKind::User, user.id)));
        accounts.extend(track.account.as_ref().map(|account| (RecordKind::Account, account.id)));
        let nameless = track.anonymous.as_ref().filter(|_| track.user.is_none());
        anonymous.extend(nameless.map(|anonymous| (RecordKind::Anonymous, anonymous.id)));
    }
    all.fetch(book, users.iter().chain(&accounts).chain(&anonymous).copied())?;
    let tied = all.parents(&anonymous, RecordKind::User);
    all.fetch(book, tied.iter().copied())?;
    users.extend(tied);
    let linked = all.parents(&users, RecordKind::Account);
    all.fetch(book, linked.into_iter())?;
    drop(all);
    Ok(Attributor::new(Looked { known, book: *book }, ids))
}
