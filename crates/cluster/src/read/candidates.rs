//! What may belong to a record: which tracks to look for.
//!
//! Candidates are a superset; attribution decides which of them belong. A track that names an account is looked for under
//! that account, one that names none under its user: links that came late may have moved it. So may ties, so one that
//! names no user is looked for under its anonymous id; those of users are noted with users, accounts and organizations.

use muster_model::{id::RecordId, kind::RecordKind};
use rustc_hash::FxHashSet;

use super::book::Book;
use crate::{fault::Fault, sql::values::Id};

/// A column of the table, and whether a track must name no account to be looked for by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    pub column: &'static str,
    /// What must hold besides.
    pub only: &'static str,
}

const LOOSE: &str = " and message.account is null";
const NAMELESS: &str = " and message.user_id is null";
const NAMELESS_LOOSE: &str = " and message.user_id is null and message.account is null";

/// Which tracks to look for: by column, the records that one must name.
#[derive(Debug, Default)]
pub struct Candidates {
    pub users: FxHashSet<RecordId>,
    pub loose_users: FxHashSet<RecordId>,
    pub anonymous: FxHashSet<RecordId>,
    pub loose_anonymous: FxHashSet<RecordId>,
    pub accounts: FxHashSet<RecordId>,
    pub organizations: FxHashSet<RecordId>,
}

impl Candidates {
    /// What tracks of a record may name.
    pub fn of(book: &Book<'_, '_>, (kind, id): (RecordKind, RecordId)) -> Result<Candidates, Fault> {
        let mut all = Candidates::default();
        let children = |kind, of| book.children_of((kind, id), of);
        match kind {
            RecordKind::User => {
                all.users.insert(id);
                all.anonymous.extend(children(kind, RecordKind::Anonymous)?);
            }
            RecordKind::Account => {
                all.accounts.insert(id);
                all.loose_users.extend(children(kind, RecordKind::User)?);
                all.loose_anonymous.extend(children(kind, RecordKind::Anonymous)?);
            }
            RecordKind::Organization => {
                all.organizations.insert(id);
                // Of whatever account: one without an organization leaves the track to its user's.
                all.users.extend(children(kind, RecordKind::User)?);
                all.anonymous.extend(children(kind, RecordKind::Anonymous)?);
                all.accounts.extend(children(kind, RecordKind::Account)?);
                let accounts: Vec<RecordId> = all.accounts.iter().copied().collect();
                all.loose_users.extend(book.children_of_several(RecordKind::Account, &accounts, RecordKind::User)?);
                let anonymous = book.children_of_several(RecordKind::Account, &accounts, RecordKind::Anonymous)?;
                all.loose_anonymous.extend(anonymous);
            }
            RecordKind::Instance | RecordKind::CustomObject | RecordKind::NpsResponse | RecordKind::Anonymous => {}
        }
        all.loose_users.retain(|id| !all.users.contains(id));
        all.loose_anonymous.retain(|id| !all.anonymous.contains(id));
        Ok(all)
    }

    /// Looks for those of others, too.
    pub fn add(&mut self, others: Candidates) {
        self.users.extend(others.users);
        self.loose_users.extend(others.loose_users);
        self.anonymous.extend(others.anonymous);
        self.loose_anonymous.extend(others.loose_anonymous);
        self.accounts.extend(others.accounts);
        self.organizations.extend(others.organizations);
    }

    /// The ways to look, each with its records; those without any are left out.
    pub fn ways(&self) -> Vec<(By, Vec<Id>)> {
        let ids = |set: &FxHashSet<RecordId>| set.iter().map(|id| Id::from(*id)).collect::<Vec<Id>>();
        let ways = [
            (By { column: "user_id", only: "" }, ids(&self.users)),
            (By { column: "user_id", only: LOOSE }, ids(&self.loose_users)),
            (By { column: "other", only: NAMELESS }, ids(&self.anonymous)),
            (By { column: "other", only: NAMELESS_LOOSE }, ids(&self.loose_anonymous)),
            (By { column: "account", only: "" }, ids(&self.accounts)),
            (By { column: "organization", only: "" }, ids(&self.organizations)),
        ];
        ways.into_iter().filter(|(_, ids)| !ids.is_empty()).collect()
    }
}
