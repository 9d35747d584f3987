//! What may belong to a record: which names to look for in tracks.
//!
//! Candidates are a superset; attribution decides which of them belong ([`crate::attribution`]). A track that names an account is
//! looked for under that account, one that names none under its user: links that came late may have moved it. So may ties, so one
//! that names no user is looked for under its anonymous id; those of users are noted with users, accounts and organizations.

use muster_model::{
    deletion::Subject,
    id::RecordId,
    kind::RecordKind,
    message::{Message, Named},
};
use rustc_hash::FxHashSet;

use crate::{error::ReadError, records::Records};

/// The names of which a track must have one to be looked at.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// Tracks of these users, whatever account they name.
    pub users: FxHashSet<RecordId>,
    /// Tracks of these users that name no account.
    pub loose_users: FxHashSet<RecordId>,
    /// Tracks of these anonymous ids that name no user, whatever account they name.
    pub anonymous: FxHashSet<RecordId>,
    /// Tracks of these anonymous ids that name neither.
    pub loose_anonymous: FxHashSet<RecordId>,
    /// Tracks that name these accounts.
    pub accounts: FxHashSet<RecordId>,
    /// Tracks that name these organizations.
    pub organizations: FxHashSet<RecordId>,
}

/// The records that a track names.
#[derive(Clone, Copy, Debug)]
pub struct TrackNames {
    pub user: Option<RecordId>,
    /// The anonymous id, if it names no user.
    pub anonymous: Option<RecordId>,
    pub account: Option<RecordId>,
    pub organization: Option<RecordId>,
}

impl TrackNames {
    /// Those in a track.
    #[must_use]
    pub fn of(track: &Message<'_>) -> TrackNames {
        let id = |named: &Option<Named<'_>>| named.as_ref().map(|named| named.id);
        let (account, organization) = (id(&track.account), id(&track.organization));
        TrackNames { user: id(&track.user), anonymous: id(&track.anonymous), account, organization }
    }

    /// The same with their kinds.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        let names = [
            (RecordKind::Organization, self.organization),
            (RecordKind::Account, self.account),
            (RecordKind::User, self.user),
            (RecordKind::Anonymous, self.anonymous),
        ];
        names.into_iter().filter_map(|(kind, id)| Some((kind, id?)))
    }
}

impl Candidates {
    /// What tracks of a record may name; nothing if tracks belong to none of its kind.
    pub fn of(records: impl Records, record: Subject) -> Result<Option<Candidates>, ReadError> {
        let mut all = Candidates::default();
        let children = |kind| records.children_of(&[record], kind);
        match record.0 {
            RecordKind::User => {
                all.users.insert(record.1);
                all.anonymous.extend(children(RecordKind::Anonymous)?);
            }
            RecordKind::Account => {
                all.accounts.insert(record.1);
                all.loose_anonymous.extend(children(RecordKind::Anonymous)?);
                all.loose_users.extend(children(RecordKind::User)?);
            }
            RecordKind::Organization => {
                all.organizations.insert(record.1);
                // Of whatever account: one without an organization leaves the track to its user's.
                all.users.extend(children(RecordKind::User)?);
                all.accounts.extend(children(RecordKind::Account)?);
                let accounts: Vec<Subject> = all.accounts.iter().map(|id| (RecordKind::Account, *id)).collect();
                all.loose_users.extend(records.children_of(&accounts, RecordKind::User)?);
                all.anonymous.extend(children(RecordKind::Anonymous)?);
                all.loose_anonymous.extend(records.children_of(&accounts, RecordKind::Anonymous)?);
            }
            RecordKind::Instance | RecordKind::CustomObject | RecordKind::NpsResponse | RecordKind::Anonymous => {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }

    /// Whether a track that names these records is one.
    #[must_use]
    pub fn has(&self, track: &TrackNames) -> bool {
        let among = |ids: &FxHashSet<RecordId>, id: Option<RecordId>| id.is_some_and(|id| ids.contains(&id));
        let loose = || among(&self.loose_users, track.user) || among(&self.loose_anonymous, track.anonymous);
        among(&self.users, track.user)
            || among(&self.anonymous, track.anonymous)
            || among(&self.accounts, track.account)
            || among(&self.organizations, track.organization)
            || (track.account.is_none() && loose())
    }

    /// Every record that a candidate may name.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        let of = [
            (RecordKind::User, &self.users),
            (RecordKind::User, &self.loose_users),
            (RecordKind::Anonymous, &self.anonymous),
            (RecordKind::Anonymous, &self.loose_anonymous),
            (RecordKind::Account, &self.accounts),
            (RecordKind::Organization, &self.organizations),
        ];
        of.into_iter().flat_map(|(kind, ids)| ids.iter().map(move |id| (kind, *id)))
    }
}
