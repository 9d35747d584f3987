//! Records that a transaction touches: fetched when they are asked for, changed in memory, written at its end.

use std::{cell::RefCell, sync::Arc};

use muster_model::{
    association::Statement,
    change::{Ledger, NewProfile},
    deletion::Subject,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Body, Profile},
};
use muster_store::{deletion::Changes, error::ReadError, records::Records};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{archive::Archive, fault::Fault, read::book::Book, sql::connection::Transaction};

/// A record before the transaction and now.
pub struct Slot {
    pub before: Option<Arc<Profile>>,
    pub now: Option<Arc<Profile>>,
}

/// What statements are about: parents of a kind, and a user or an anonymous id.
pub type About = (RecordKind, RecordId);

/// A workspace's records in one transaction.
pub struct Sheet<'t, 'c> {
    pub book: Book<'t, 'c>,
    pub(super) slots: RefCell<FxHashMap<Subject, Slot>>,
    /// Statements that are not in the table yet.
    pub(super) said: FxHashMap<About, Vec<Statement>>,
    /// Children of parents, likewise.
    pub(super) related: FxHashSet<(Subject, Subject)>,
}

impl<'t, 'c> Sheet<'t, 'c> {
    /// An empty one.
    pub fn new(
        transaction: &'t RefCell<Transaction<'c>>,
        workspace: WorkspaceId,
        archive: &'t Archive,
    ) -> Sheet<'t, 'c> {
        let book = Book::new(transaction, workspace, archive);
        Sheet { book, slots: RefCell::default(), said: FxHashMap::default(), related: FxHashSet::default() }
    }

    /// Puts in what is not in the tables, where nothing of it is yet.
    pub fn fill(
        &mut self,
        profiles: Vec<Profile>,
        children: Vec<(Subject, Subject)>,
        statements: Vec<(About, Statement)>,
    ) {
        let slots = self.slots.get_mut();
        for profile in profiles {
            slots.insert((profile.kind(), profile.id), Slot { before: None, now: Some(Arc::new(profile)) });
        }
        self.related.extend(children);
        statements.into_iter().for_each(|(about, said)| self.said.entry(about).or_default().push(said));
    }

    /// Fetches records that will be asked for.
    pub fn fetch(&mut self, subjects: impl IntoIterator<Item = Subject>) -> Result<(), Fault> {
        let slots = self.slots.get_mut();
        let wanted: FxHashSet<Subject> = subjects.into_iter().filter(|subject| !slots.contains_key(subject)).collect();
        let wanted: Vec<Subject> = wanted.into_iter().collect();
        let found = self.book.profiles(&wanted)?;
        slots.extend(wanted.iter().map(|subject| (*subject, Slot { before: None, now: None })));
        for profile in found {
            let slot = Slot { before: Some(Arc::clone(&profile)), now: Some(Arc::clone(&profile)) };
            slots.insert((profile.kind(), profile.id), slot);
        }
        Ok(())
    }

    /// Fetches what follows from the records at hand and is mostly changed with them.
    pub fn fetch_parents(&mut self) -> Result<(), Fault> {
        for kind in [RecordKind::User, RecordKind::Account] {
            let slots = self.slots.get_mut().iter().filter(|((of, _), _)| *of == kind);
            let known = slots.filter_map(|(_, slot)| slot.now.as_ref());
            let parents: Vec<Subject> = known.flat_map(|profile| parents(profile)).collect();
            self.fetch(parents)?;
        }
        Ok(())
    }

    fn ensure(&self, subject: Subject) -> Result<(), Fault> {
        if !self.slots.borrow().contains_key(&subject) {
            let found = self.book.profile_of(subject)?;
            self.slots.borrow_mut().insert(subject, Slot { before: found.clone(), now: found });
        }
        Ok(())
    }

    /// Puts a record in the place of what it was.
    pub fn replace(&mut self, profile: Arc<Profile>) -> Result<(), Fault> {
        let subject = (profile.kind(), profile.id);
        self.ensure(subject)?;
        if let Some(slot) = self.slots.get_mut().get_mut(&subject) {
            slot.now = Some(profile);
        }
        Ok(())
    }

    /// Takes a record out, with everything said about it and its children.
    fn remove(&mut self, subject: Subject) -> Result<(), Fault> {
        self.ensure(subject)?;
        if let Some(slot) = self.slots.get_mut().get_mut(&subject) {
            slot.now = None;
        }
        for parents in muster_store::records::parents_of(subject.0) {
            self.said.remove(&(*parents, subject.1));
            self.book.unsay_all(*parents, subject.1)?;
        }
        self.related.retain(|(parent, _)| *parent != subject);
        self.book.unrelate_all(subject)
    }

    /// Makes the changes that a deletion or a correction worked out.
    pub fn make(&mut self, changes: Changes) -> Result<(), Fault> {
        let Changes { gone, changed, unrelated, unsaid, said, removed: _, doubtful: _ } = changes;
        gone.into_iter().try_for_each(|subject| self.remove(subject))?;
        changed.into_iter().try_for_each(|(_, changed)| self.replace(changed.after))?;
        unrelated.into_iter().try_for_each(|(parent, child)| self.unrelate(parent, child))?;
        unsaid.into_iter().try_for_each(|(about, (parents, parent))| self.unsay((parents, about), parent))?;
        said.into_iter().for_each(|(about, parents, said)| self.keep_statement(about, parents, said));
        Ok(())
    }

    /// Takes back everything said about a record, under its parents' kind, and this parent.
    fn unsay(&mut self, (parents, about): About, parent: RecordId) -> Result<(), Fault> {
        if let Some(said) = self.said.get_mut(&(parents, about)) {
            said.retain(|statement| statement.parent != parent);
        }
        self.book.unsay(parents, about, parent)
    }

    /// Has a child found from a parent no more.
    fn unrelate(&mut self, parent: Subject, child: Subject) -> Result<(), Fault> {
        self.related.remove(&(parent, child));
        self.book.unrelate(parent, child)
    }
}

/// The account that a user's tracks are of now, and the organization of an account.
fn parents(profile: &Profile) -> Vec<Subject> {
    match &profile.body {
        Body::User(user) => user.accounts.current().map(|account| (RecordKind::Account, account)).into_iter().collect(),
        Body::Account(account) => {
            account.parent().map(|parent| (RecordKind::Organization, parent.id)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

impl Records for Sheet<'_, '_> {
    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        self.ensure((kind, id))?;
        Ok(self.slots.borrow().get(&(kind, id)).and_then(|slot| slot.now.clone()))
    }

    fn children(&self, parent: Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        let mut found: FxHashSet<RecordId> = self.book.children_of(parent, kind)?.into_iter().collect();
        let new = self.related.iter().filter(|(of, child)| *of == parent && child.0 == kind);
        found.extend(new.map(|(_, child)| child.1));
        Ok(found.into_iter().collect())
    }

    fn statements(&self, about: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError> {
        let mut found = self.book.statements_about(about, parents)?;
        found.extend(self.said.get(&(parents, about)).into_iter().flatten());
        Ok(found)
    }
}

impl Ledger for Sheet<'_, '_> {
    type Error = Fault;

    fn profile(&mut self, new: NewProfile<'_>) -> Result<&mut Profile, Fault> {
        let subject = (new.kind, new.id);
        self.ensure(subject)?;
        let slot = self.slots.get_mut().get_mut(&subject).ok_or(Fault::Damaged("a record"))?;
        let empty = || Arc::new(Profile::new(new.kind, new.id, new.external_id, new.received_at));
        Ok(Arc::make_mut(slot.now.get_or_insert_with(empty)))
    }

    fn statements(&mut self, user: RecordId, parents: RecordKind) -> Result<Vec<Statement>, Fault> {
        Ok(Records::statements(self, user, parents)?)
    }

    fn keep_statement(&mut self, user: RecordId, parents: RecordKind, statement: Statement) {
        self.said.entry((parents, user)).or_default().push(statement);
    }

    fn children(&mut self, parent: Subject, children: RecordKind) -> Result<Vec<RecordId>, Fault> {
        Ok(Records::children(self, parent, children)?)
    }

    fn look<T>(
        &mut self,
        kind: RecordKind,
        id: RecordId,
        look: impl FnOnce(&Profile) -> T,
    ) -> Result<Option<T>, Fault> {
        Ok(Records::profile(self, kind, id)?.map(|profile| look(&profile)))
    }

    fn relate(&mut self, parent: Subject, child: Subject) {
        self.related.insert((parent, child));
    }
}
