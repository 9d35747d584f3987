//! What becomes of each message: stored, a duplicate, a conflict, or hidden by a deletion. Nothing is changed yet.
//!
//! The decision of the duplicate check is made here and nowhere else.

use std::{borrow::Cow, collections::hash_map::Entry};

use muster_model::{
    id::{IdSpace, Identity, ImportId, WorkspaceId},
    kinds::fields::named,
    message::{Message, same_content},
    time::Micros,
};
use muster_store::{
    deletion::{Decree, mentions},
    import::{Import, Note, Owned, Owners},
    receipt::{Outcome, Receipt},
    record,
    refused::Refused,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    census::Census,
    memory::Remembers,
    opened::{Item, Opened},
    refusals::Refusals,
};
use crate::{
    erase::tombstones,
    fault::Fault,
    imports,
    sql::{
        connection::Transaction,
        values::{At, Id},
    },
};

/// A message that is stored now.
pub struct Kept<'b> {
    pub message: Message<'b>,
    pub bytes: Cow<'b, [u8]>,
    pub owners: Owners,
    /// The duplicate check has forgotten it already: one with its identity came so much later.
    pub is_forgotten: bool,
}

/// What batches change.
#[derive(Default)]
pub struct Plan<'b> {
    /// What became of each batch's messages.
    pub receipts: Vec<Receipt>,
    pub kept: Vec<Kept<'b>>,
    pub refusals: Refusals,
    pub decrees: Vec<Decree>,
    /// Imports that were told of, as they are now; those that are to be taken back among them.
    pub imports: FxHashMap<ImportId, Option<Import>>,
    pub undone: Vec<ImportId>,
    /// Identities of messages stored before that the duplicate check has forgotten.
    pub forgotten: Vec<Identity>,
    /// Messages stored before whose owners change.
    owners: FxHashMap<Identity, Owners>,
    /// Messages that were refused before they got here.
    pub refused: u64,
    remembers: Remembers,
}

/// What is known of a message's identity.
#[derive(Clone, Copy)]
struct Known {
    content: u64,
    received_at: Micros,
    owners: Owners,
    /// The place among those kept, if it came with these batches.
    kept: Option<usize>,
}

const IDENTITIES: &str =
    "select identity, content, owners, received_at from identity where workspace = $1 and identity = any($2)";
const OWNERS: &str =
    "update identity set owners = new.owners from unnest($2::uuid[], $3::int8[]) as new (identity, owners)
    where identity.workspace = $1 and identity.identity = new.identity";

impl<'b> Plan<'b> {
    /// Decides about batches, one after the other.
    pub fn make(
        transaction: &mut Transaction<'_>,
        (workspace, ids): (WorkspaceId, IdSpace),
        remembers: Remembers,
        census: &Census,
        batches: &[&Opened<'b>],
    ) -> Result<Plan<'b>, Fault> {
        let messages = || batches.iter().flat_map(|batch| batch.messages());
        let deleted = match census.deleted {
            true => {
                let every = batches.iter().any(|batch| batch.items.iter().any(|item| matches!(item, Item::Refused(_))));
                let named = messages().flat_map(|message| named(message).map(|(_, id, _)| id).collect::<Vec<_>>());
                tombstones::of(transaction, workspace, (!every).then(|| named.collect()))?
            }
            false => muster_store::deletion::Instants::default(),
        };
        let wanted: FxHashSet<Identity> = messages().map(|message| message.identity).collect();
        let mut known = identities(transaction, workspace, wanted)?;
        let mut plan = Plan { remembers, ..Plan::default() };
        for batch in batches {
            for id in batch.items.iter().filter_map(|item| match item {
                Item::Import(note) => Some(note.id()),
                _ => batch.import,
            }) {
                if let Entry::Vacant(unknown) = plan.imports.entry(id) {
                    unknown.insert(imports::one(transaction, workspace, id)?);
                }
            }
            plan.decide(batch, ids, &deleted, &mut known)?;
        }
        Ok(plan)
    }

    fn decide(
        &mut self,
        batch: &Opened<'b>,
        ids: IdSpace,
        deleted: &muster_store::deletion::Instants,
        known: &mut FxHashMap<Identity, Known>,
    ) -> Result<(), Fault> {
        let mut receipt = Receipt::default();
        let import = batch.import;
        let closed = import.and_then(|id| self.imports.get(&id)?.as_ref()).is_some_and(Import::is_closed);
        for item in &batch.items {
            match item {
                Item::Message(..) if closed => receipt.outcomes.push(Outcome::Deleted),
                _ if closed => {}
                Item::Message(message, bytes) => {
                    let outcome = self.message((message, bytes), batch, deleted, known);
                    receipt.outcomes.push(outcome);
                }
                Item::Refused(refused) => {
                    self.refused += 1;
                    let hidden = |id| deleted.deleted_at(id).is_some_and(|at| refused.received_at <= at);
                    if deleted.is_empty() || !mentions(&refused.body, ids, hidden) {
                        self.refusals.set_aside(refused.clone().into_owned());
                    }
                }
                Item::Forget(id) => self.refusals.forget(*id),
                Item::Decree(decree) => self.decrees.push(decree.clone()),
                Item::Owners(owned) => self.own(owned, known),
                Item::Import(note) => {
                    let note = note.clone().tallied(&receipt);
                    let id = note.id();
                    let known = self.imports.entry(id).or_default();
                    let was_closed = known.as_ref().is_none_or(Import::is_closed);
                    let undoes = matches!(note, Note::Undo { .. });
                    Import::take(known, note);
                    if undoes && !was_closed {
                        self.undone.push(id);
                    }
                }
            }
        }
        self.receipts.push(receipt);
        Ok(())
    }

    /// Notes who owns a message.
    fn own(&mut self, owned: &Owned, known: &mut FxHashMap<Identity, Known>) {
        let kept = known.get_mut(&owned.identity).and_then(|stands| {
            stands.owners = owned.owners;
            stands.kept
        });
        match kept {
            Some(place) => self.kept[place].owners = owned.owners,
            None => drop(self.owners.insert(owned.identity, owned.owners)),
        }
    }

    fn message(
        &mut self,
        (message, bytes): (&Message<'b>, &'b [u8]),
        batch: &Opened<'b>,
        deleted: &muster_store::deletion::Instants,
        known: &mut FxHashMap<Identity, Known>,
    ) -> Outcome {
        let (message, bytes) = if named(message).any(|(_, id, _)| deleted.concerns(id)) {
            let Some(left) = message.clone().left(|id, reach| deleted.hides(id, reach)) else {
                return Outcome::Deleted;
            };
            let mut bytes = Vec::new();
            record::encode(&left, &mut bytes);
            (left, Cow::Owned(bytes))
        } else {
            (message.clone(), Cow::Borrowed(bytes))
        };
        let identity = message.identity;
        if let Entry::Occupied(stands) = known.entry(identity)
            && !self.remembers.keeps(stands.get().received_at, message.received_at)
        {
            match stands.remove().kept {
                Some(place) => self.kept[place].is_forgotten = true,
                None => self.forgotten.push(identity),
            }
        }
        match known.get_mut(&identity) {
            None => {
                let (content, received_at, owners) = (message.content, message.received_at, Owners::of(batch.import));
                let new = Known { content, received_at, owners, kept: Some(self.kept.len()) };
                known.insert(identity, new);
                self.kept.push(Kept { message, bytes, owners, is_forgotten: false });
                Outcome::Stored
            }
            Some(stands) if same_content(stands.content, message.content) => {
                let claimed = stands.owners.claimed(batch.import);
                if claimed != stands.owners {
                    stands.owners = claimed;
                    match stands.kept {
                        Some(place) => self.kept[place].owners = claimed,
                        None => drop(self.owners.insert(identity, claimed)),
                    }
                }
                Outcome::Duplicate
            }
            Some(_) => {
                self.refusals.set_aside(Refused::conflict(&message, batch.key_id));
                Outcome::Conflict
            }
        }
    }

    /// Writes what concerns neither records nor the history.
    pub fn write(&self, transaction: &mut Transaction<'_>, workspace: WorkspaceId) -> Result<(), Fault> {
        self.refusals.write(transaction, workspace)?;
        imports::write(transaction, workspace, &self.imports)?;
        if !self.owners.is_empty() {
            let ids: Vec<Id> = self.owners.keys().map(|identity| Id::from(*identity)).collect();
            let owners: Vec<Option<i64>> = self.owners.values().map(|owners| number(*owners)).collect();
            transaction.execute(OWNERS, &[&(workspace.0 as i32), &ids, &owners])?;
        }
        Ok(())
    }

    /// The counts of it, without the rest.
    pub fn counts(&self) -> Counts {
        let count = |outcome| self.receipts.iter().map(|receipt| receipt.count(outcome) as u64).sum();
        Counts {
            stored: count(Outcome::Stored),
            duplicates: count(Outcome::Duplicate),
            conflicts: count(Outcome::Conflict),
            deleted: count(Outcome::Deleted),
            refused: self.refused,
        }
    }
}

/// How many messages had which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub stored: u64,
    pub duplicates: u64,
    pub conflicts: u64,
    pub deleted: u64,
    pub refused: u64,
}

impl Counts {
    /// Adds those of others.
    pub fn add(&mut self, other: Counts) {
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.deleted += other.deleted;
        self.refused += other.refused;
    }
}

/// The owners of a message as a number; none when it stays for good.
pub fn number(owners: Owners) -> Option<i64> {
    (!owners.is_for_good()).then(|| i64::from_le_bytes(owners.to_bytes()))
}

/// Reads that back.
pub fn owners(number: Option<i64>) -> Owners {
    number.map_or_else(Owners::default, |number| Owners::from_bytes(number.to_le_bytes()))
}

fn identities(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    wanted: FxHashSet<Identity>,
) -> Result<FxHashMap<Identity, Known>, Fault> {
    if wanted.is_empty() {
        return Ok(FxHashMap::default());
    }
    let wanted: Vec<Id> = wanted.into_iter().map(Id::from).collect();
    let rows = transaction.query(IDENTITIES, &[&(workspace.0 as i32), &wanted])?;
    let known = |row: &postgres::Row| {
        let (content, owners) = (row.get::<_, i64>(1) as u64, owners(row.get(2)));
        let known = Known { content, received_at: row.get::<_, At>(3).0, owners, kept: None };
        (row.get::<_, Id>(0).identity(), known)
    };
    Ok(rows.iter().map(known).collect())
}

const FORGET_IDENTITIES: &str = "delete from identity where workspace = $1 and identity = any($2)";
const KEEP_IDENTITIES: &str = "insert into identity (workspace, identity, content, received_at, owners)
    select $1, * from unnest($2::uuid[], $3::int8[], $4::int8[], $5::int8[])";

/// Keeps the identities of messages that are stored now, in place of those that were forgotten.
pub fn keep_identities(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    plan: &Plan<'_>,
) -> Result<(), Fault> {
    if !plan.forgotten.is_empty() {
        let forgotten: Vec<Id> = plan.forgotten.iter().map(|identity| Id::from(*identity)).collect();
        transaction.execute(FORGET_IDENTITIES, &[&(workspace.0 as i32), &forgotten])?;
    }
    let kept = plan.kept.iter().filter(|kept| !kept.is_forgotten);
    let owned = |kept: &Kept<'_>| {
        let Message { identity, content, received_at, .. } = kept.message;
        Owned { identity, content, received_at, owners: kept.owners }
    };
    insert_identities(transaction, workspace, kept.map(owned))
}

/// Keeps what the duplicate check is to remember of messages that it knows nothing of.
pub fn insert_identities(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    kept: impl Iterator<Item = Owned>,
) -> Result<(), Fault> {
    let (mut ids, mut contents, mut received, mut owners) = (vec![], vec![], vec![], vec![]);
    for owned in kept {
        ids.push(Id::from(owned.identity));
        contents.push(owned.content as i64);
        received.push(At(owned.received_at));
        owners.push(number(owned.owners));
    }
    if ids.is_empty() {
        return Ok(());
    }
    transaction.execute(KEEP_IDENTITIES, &[&(workspace.0 as i32), &ids, &contents, &received, &owners])?;
    Ok(())
}
