//! Accounts and users whose first and last track were uncertain, made certain before they are indexed.
//!
//! A statement about the past may move tracks between accounts, or between users; what each keeps of its first and last
//! track is then stale, and read from its events by whoever asks. A list by last seen cannot do that for each record, so a
//! checkpoint does it once for each such record that changed. Whatever moves a record's tracks touches the record
//! as well, so what was made certain stays so until it changes again; and since more recent messages only add
//! to it or make it stale anew, it does not matter that some of them may be counted in already.

use muster_model::{kind::RecordKind, profile::Span};
use muster_store::lists::kept_seen;
use rustc_hash::FxHashMap;

use crate::{engine::Reader, keys::ProfileKey, overlay::Overlay};

/// Records that one checkpoint makes certain; the others are listed where they were last known to be until they change
/// again.
const SETTLED_MAX: usize = 1_000;

/// First and last track of records that were uncertain.
pub type Settled = FxHashMap<ProfileKey, Span>;

/// Makes the uncertain records of a frozen overlay certain.
pub(crate) fn settle(reader: &Reader, frozen: &Overlay) -> Settled {
    let mut settled = Settled::default();
    let seen = |kind| matches!(kind, RecordKind::Account | RecordKind::User);
    for (key, slot) in frozen.profiles.iter().filter(|(key, _)| seen(key.kind)) {
        let (_, certain) = kept_seen(&slot.profile);
        // One that has changed since is made certain by the next checkpoint.
        if certain || reader.views.look().live.profiles.contains_key(key) {
            continue;
        }
        if settled.len() == SETTLED_MAX {
            break;
        }
        // History that cannot be read now is no reason to leave profiles out of the state.
        if let Ok(seen) = reader.seen(key.workspace, (key.kind, key.id)) {
            settled.insert(*key, seen);
        }
    }
    settled
}
