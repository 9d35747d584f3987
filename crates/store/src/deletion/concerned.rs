//! What removed messages said of records that stay.
//!
//! Noted from the names and the times of each message that goes or is changed, wherever a store finds them; what has to be
//! corrected follows from it ([`crate::deletion::correction`]).

use muster_model::{
    deletion::{Fate, Subject},
    id::RecordId,
    kind::{Kind, RecordKind},
    message::ordered_at,
    profile::Span,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::instants::Instants;
use crate::record::Names;

/// What removed messages said of records that stay.
#[derive(Clone, Debug, Default)]
pub struct Concerned {
    /// When they said it.
    pub spans: FxHashMap<Subject, Span>,
    /// When users did something that named no account.
    pub loose: FxHashMap<RecordId, Span>,
    /// Anonymous ids that did something which went.
    pub anonymous: FxHashSet<RecordId>,
    /// Records about which a message lost a name.
    pub redacted: FxHashSet<Subject>,
    /// Who was named as whose child by them, of parents that stay.
    pub relations: FxHashSet<(Subject, Subject)>,
    /// Users and anonymous ids that they said are one.
    pub ties: FxHashSet<(RecordId, RecordId)>,
}

impl Concerned {
    /// Notes what a message that names a deleted record said of others; whether it is to be removed or changed.
    pub fn look(&mut self, head: &Names, deleted: &Instants) -> bool {
        let reach = head.reach();
        let fate = head.fate(reach, |id, reach| deleted.hides(id, reach));
        let hidden = |id| deleted.hides(id, reach);
        let others = head.subjects.iter().flatten().filter(|(_, id)| !hidden(*id));
        match fate {
            Fate::Keep => {}
            Fate::Redact => {
                self.ties.extend(tie(head).filter(|(_, anonymous)| hidden(*anonymous)));
                self.redacted.extend(others);
                // An id that goes in part stays.
                let parts = tie(head).map(|(_, anonymous)| (RecordKind::Anonymous, anonymous));
                self.redacted.extend(parts);
            }
            Fate::Drop => {
                let at = ordered_at(head.timestamp, head.received_at);
                // That an account left an organization may be the last that was said of it.
                if head.kind == Kind::Leave {
                    self.redacted.extend(others.clone());
                }
                if let Some(user) = loose_user(head).filter(|user| !hidden(*user)) {
                    self.loose.entry(user).or_default().take_in(at);
                }
                self.anonymous.extend(anonymous(head));
                // One that goes in part stays.
                if let Some(anonymous) = named(head, RecordKind::Anonymous) {
                    self.spans.entry((RecordKind::Anonymous, anonymous)).or_default().take_in(at);
                }
                others.for_each(|subject| self.spans.entry(*subject).or_default().take_in(at));
                self.ties.extend(tie(head));
                self.relations.extend(relations(head).filter(|((_, parent), _)| !hidden(*parent)));
            }
        }
        fate != Fate::Keep
    }
}

/// Which record a message names as a child of which.
fn relations(head: &Names) -> impl Iterator<Item = (Subject, Subject)> {
    let child = match head.kind {
        Kind::Account => Some(RecordKind::Account),
        Kind::User | Kind::Unlink => Some(RecordKind::User),
        Kind::CustomObjectInstance => Some(RecordKind::Instance),
        Kind::NpsResponse => Some(RecordKind::NpsResponse),
        Kind::Leave if named(head, RecordKind::Instance).is_some() => Some(RecordKind::Instance),
        Kind::Leave if named(head, RecordKind::User).is_some() => Some(RecordKind::User),
        Kind::Organization | Kind::Track | Kind::CustomObject | Kind::Leave => None,
    };
    let child = child.and_then(|kind| Some((kind, named(head, kind)?)));
    // Whom it says to be someone anonymous is no parent.
    let parents = head.subjects.iter().flatten().copied().filter(|(kind, _)| *kind != RecordKind::Anonymous);
    let of = move |child| parents.clone().filter(move |parent| *parent != child).map(move |parent| (parent, child));
    child.into_iter().flat_map(of)
}

/// The user and the anonymous id that a message says are one.
fn tie(head: &Names) -> Option<(RecordId, RecordId)> {
    named(head, RecordKind::User).zip(named(head, RecordKind::Anonymous)).filter(|_| head.kind == Kind::User)
}

/// The user of a track that names no account: it may belong to any of the user's.
fn loose_user(head: &Names) -> Option<RecordId> {
    let is_loose = head.kind == Kind::Track && named(head, RecordKind::Account).is_none();
    named(head, RecordKind::User).filter(|_| is_loose)
}

/// The anonymous id of a track that names no user: it may belong to any of those that it was.
fn anonymous(head: &Names) -> Option<RecordId> {
    named(head, RecordKind::Anonymous).filter(|_| head.kind == Kind::Track)
}

fn named(head: &Names, wanted: RecordKind) -> Option<RecordId> {
    head.subjects.iter().flatten().find(|(kind, _)| *kind == wanted).map(|(_, id)| *id)
}
