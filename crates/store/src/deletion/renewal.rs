//! Records that a message taken back named, made anew from the messages that are left.
//!
//! Everything known of them goes, as if they were deleted ([`crate::deletion::renewal::taken_out`]), and all messages that name
//! one are heard again ([`crate::deletion::renewal::Heard`]), in one change that readers see whole. What these messages say of
//! other records stands already and is not changed by hearing it again. Of tracks, which may be very many, only those are heard
//! that can decide something; what others may have decided is doubted ([`crate::deletion::renewal::doubt`]). Reads no messages
//! itself.

use std::{collections::BTreeMap, sync::Arc};

use muster_model::{
    deletion::{DeletionId, Subject},
    id::RecordId,
    kind::{Kind, RecordKind},
    kinds::fields::named,
    message::{Message, Named},
    profile::Body,
    time::Micros,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{changes::Changes, decree::Delete, instants::Instants, revised::Revised};
use crate::{error::ReadError, record, records::Records};

/// The records, to be taken out as if they were deleted, at no instant.
#[must_use]
pub fn taken_out(subjects: Vec<Subject>) -> Delete {
    let (root, never) = ((RecordKind::User, RecordId(0)), Micros::MAX);
    Delete { id: DeletionId(0), root, requested_at: never, key_id: 0, at: never, subjects, parts: Vec::new() }
}

/// What is to be changed once records were made anew. Of the tracks of users that name no account only the first and the last are
/// heard again. Where a user had several accounts, others may have been the first or the last of one of these: when those were
/// seen is looked up. So it is with an anonymous id that was several users.
pub fn doubt(records: impl Records, subjects: &[Subject]) -> Result<Changes, ReadError> {
    let mut records = Revised::new(records);
    let mut accounts: FxHashSet<RecordId> = FxHashSet::default();
    for subject in subjects.iter().filter(|(kind, _)| *kind == RecordKind::User) {
        let Some(user) = records.profile(*subject)? else { continue };
        let Some(user) = user.as_user().filter(|user| user.seen_loose.bounds().is_some()) else { continue };
        if user.accounts.links().len() > 1 {
            accounts.extend(user.accounts.links().iter().map(|link| link.parent));
        }
    }
    for user in users_of_several(&records, subjects)? {
        let Some(profile) = records.profile_mut((RecordKind::User, user))? else { continue };
        if let Body::User(body) = &mut profile.body {
            (body.seen_stale, body.loose_stale) = (true, true);
            accounts.extend(body.accounts.links().iter().map(|link| link.parent));
        }
    }
    for account in accounts {
        let Some(profile) = records.profile_mut((RecordKind::Account, account))? else { continue };
        if let Body::Account(body) = &mut profile.body {
            body.seen_stale = true;
        }
    }
    Ok(Changes { changed: records.into_changed().collect(), ..Changes::default() })
}

/// The users that those of the records were which are anonymous ids of several.
fn users_of_several(records: &Revised<impl Records>, subjects: &[Subject]) -> Result<FxHashSet<RecordId>, ReadError> {
    let mut users: FxHashSet<RecordId> = FxHashSet::default();
    for subject in subjects.iter().filter(|(kind, _)| *kind == RecordKind::Anonymous) {
        let Some(profile) = records.profile(*subject)? else { continue };
        let links = profile.as_anonymous().map_or(&[][..], |anonymous| anonymous.users.links());
        users.extend(links.iter().filter(|_| links.len() > 1).map(|link| link.parent));
    }
    Ok(users)
}

/// A message's place in the order of receipt.
type Received = (Micros, u128);

/// Messages that name one of the records, in their byte form.
pub struct Heard {
    wanted: FxHashSet<RecordId>,
    deleted: Arc<Instants>,
    others: BTreeMap<Received, Vec<u8>>,
    tracks: FxHashMap<[Option<RecordId>; 4], Extremes>,
    bytes: usize,
}

/// Of the tracks of the same records those that happened or were received first and last.
struct Extremes([(Micros, Received, Vec<u8>); 4]);

impl Heard {
    /// None yet. What was deleted at these instants is not heard.
    #[must_use]
    pub fn new(wanted: FxHashSet<RecordId>, deleted: Arc<Instants>) -> Heard {
        Heard { wanted, deleted, others: BTreeMap::new(), tracks: FxHashMap::default(), bytes: 0 }
    }

    /// The records that messages have to name.
    #[must_use]
    pub fn wanted(&self) -> &FxHashSet<RecordId> {
        &self.wanted
    }

    /// Forgets everything if something else is deleted by now; whether it is.
    pub fn begin(&mut self, deleted: &Arc<Instants>) -> bool {
        if Arc::ptr_eq(&self.deleted, deleted) || *self.deleted == **deleted {
            return false;
        }
        *self = Heard::new(std::mem::take(&mut self.wanted), Arc::clone(deleted));
        true
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes in what deletions leave of a message, if it names one of the records. The same one again changes nothing.
    pub fn take(&mut self, message: Message<'_>) {
        let deleted = Arc::clone(&self.deleted);
        let Some(message) = message.left(|id, reach| deleted.hides(id, reach)) else { return };
        if !named(&message).any(|(_, id, _)| self.wanted.contains(&id)) {
            return;
        }
        let bytes = || {
            let mut bytes = Vec::new();
            record::encode(&message, &mut bytes);
            bytes
        };
        let received = (message.received_at, message.identity.0);
        if message.kind != Kind::Track {
            let bytes = bytes();
            self.bytes += bytes.len();
            self.others.insert(received, bytes);
            return;
        }
        let id = |named: &Option<Named<'_>>| named.as_ref().map(|named| named.id);
        let names = [id(&message.organization), id(&message.account), id(&message.user), id(&message.anonymous)];
        let (at, received_at) = (message.ordered_at(), message.received_at);
        let places = [at, Micros(at.0.saturating_neg()), received_at, Micros(received_at.0.saturating_neg())];
        let extremes = self.tracks.entry(names).or_insert_with(|| {
            let first = bytes();
            self.bytes += places.len() * first.len();
            Extremes(places.map(|place| (place, received, first.clone())))
        });
        for (place, kept) in places.into_iter().zip(&mut extremes.0) {
            if place < kept.0 {
                *kept = (place, received, bytes());
            }
        }
    }

    /// The messages to be heard again, in the order of receipt.
    pub fn into_records(self) -> impl Iterator<Item = Vec<u8>> {
        let mut records = self.others;
        let tracks = self.tracks.into_values().flat_map(|extremes| extremes.0);
        records.extend(tracks.map(|(_, received, bytes)| (received, bytes)));
        records.into_values()
    }
}
