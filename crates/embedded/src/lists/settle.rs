//! Accounts whose first and last track were uncertain, made certain before they are indexed.
//!
//! A statement about the past may move tracks between accounts; what an account keeps of its first and last track is
//! then stale, and read from its events by whoever asks. A list by last seen cannot do that for each record, so a
//! checkpoint does it once for each such account that changed. Whatever moves an account's tracks touches the account
//! as well, so what was made certain stays so until the account changes again; and since more recent messages only add
//! to it or make it stale anew, it does not matter that some of them may be counted in already.

use muster_model::{
    kind::RecordKind,
    profile::{Body, Profile, Span},
};
use muster_store::lists::kept_seen;
use rustc_hash::FxHashMap;

use crate::{engine::Reader, keys::ProfileKey, overlay::Overlay};

/// Accounts that one checkpoint makes certain; the others are listed where they were last known to be until they change
/// again.
const SETTLED_MAX: usize = 1_000;

/// First and last track of accounts that were uncertain.
pub type Settled = FxHashMap<ProfileKey, Span>;

/// Makes the uncertain accounts of a frozen overlay certain.
pub(crate) fn settle(reader: &Reader, frozen: &Overlay) -> Settled {
    let mut settled = Settled::default();
    for (key, slot) in frozen.profiles.iter().filter(|(key, _)| key.kind == RecordKind::Account) {
        let (_, certain) = kept_seen(&slot.profile);
        // One that has changed since is made certain by the next checkpoint.
        if certain || reader.views.look().live.profiles.contains_key(key) {
            continue;
        }
        if settled.len() == SETTLED_MAX {
            break;
        }
        // History that cannot be read now is no reason to leave profiles out of the state.
        if let Ok(seen) = reader.account_seen(key.workspace, key.id) {
            settled.insert(*key, seen);
        }
    }
    settled
}

/// An account whose first and last track are certain.
pub fn settled(profile: &Profile, seen: Span) -> Profile {
    let mut profile = profile.clone();
    if let Body::Account(account) = &mut profile.body {
        (account.seen, account.seen_stale) = (seen, false);
    }
    profile
}
