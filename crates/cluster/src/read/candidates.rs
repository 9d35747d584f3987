//! Where tracks are looked for that may belong to a record: which those are is told beside the seam.

use muster_model::{id::RecordId, kind::RecordKind};
use muster_store::candidates::Candidates;
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

/// What tracks of a record may name.
pub fn of(book: &Book<'_, '_>, record: (RecordKind, RecordId)) -> Result<Candidates, Fault> {
    Ok(Candidates::of(*book, record)?.unwrap_or_default())
}

/// Looks for those of others, too.
pub fn add(all: &mut Candidates, others: Candidates) {
    all.users.extend(others.users);
    all.loose_users.extend(others.loose_users);
    all.anonymous.extend(others.anonymous);
    all.loose_anonymous.extend(others.loose_anonymous);
    all.accounts.extend(others.accounts);
    all.organizations.extend(others.organizations);
}

/// The ways to look, each with its records, each record one way; those without any are left out.
pub fn ways(all: &Candidates) -> Vec<(By, Vec<Id>)> {
    let ids = |set: &FxHashSet<RecordId>| set.iter().map(|id| Id::from(*id)).collect::<Vec<Id>>();
    let without = |set: &FxHashSet<RecordId>, others: &FxHashSet<RecordId>| {
        set.difference(others).map(|id| Id::from(*id)).collect::<Vec<Id>>()
    };
    let ways = [
        (By { column: "user_id", only: "" }, ids(&all.users)),
        (By { column: "user_id", only: LOOSE }, without(&all.loose_users, &all.users)),
        (By { column: "other", only: NAMELESS }, ids(&all.anonymous)),
        (By { column: "other", only: NAMELESS_LOOSE }, without(&all.loose_anonymous, &all.anonymous)),
        (By { column: "account", only: "" }, ids(&all.accounts)),
        (By { column: "organization", only: "" }, ids(&all.organizations)),
    ];
    ways.into_iter().filter(|(_, ids)| !ids.is_empty()).collect()
}
