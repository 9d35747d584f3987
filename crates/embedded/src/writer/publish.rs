//! Folding a group in, so that every later read sees it.
//!
//! The whole group becomes visible at once. The rules of folding are the model's; [`crate::writer::ledger`] is what they see.

use muster_model::{
    change::apply,
    id::WorkspaceId,
    kind::{Kind, RecordKind},
    kinds::fields::named,
    message::Message,
    rejection::Code,
};
use muster_store::{error::ReadError, refused::Refused};

use super::{
    apply::{Change, Places, Prepared},
    ledger::{OverlayLedger, add},
};
use crate::{
    counters::Counters,
    erase::carry_out::carry_out,
    error::state_failed,
    imports,
    keys::{self, ProfileKey},
    overlay::{Overlay, RowPlace},
    state::State,
    views::{Current, Views},
};

/// Messages whose profiles are looked at together before they are changed.
const WARM_AHEAD: usize = 16;

/// Folds a prepared group, a frame of the journal, into the live overlay; `true` when something was deleted or is
/// taken back by it.
pub fn publish(prepared: Prepared<'_>, frame: u64, views: &Views, counters: &Counters) -> Result<bool, ReadError> {
    let Prepared { batches, changes, loaded } = prepared;
    let mut set_aside = 0;
    let (mut decrees, mut notes) = (Vec::new(), Vec::new());
    views.change(|current| {
        for (key, slot) in loaded {
            add(&mut current.live, key, slot);
        }
        let buffers: Vec<u32> = batches.iter().map(|batch| current.live.keep_buffer(batch.bytes())).collect();
        for (number, (place, change)) in changes.iter().enumerate() {
            if number.is_multiple_of(WARM_AHEAD) {
                warm(&current.live, &changes[number..changes.len().min(number + WARM_AHEAD)]);
            }
            let workspace = batches[*place].workspace();
            match change {
                Change::Fold(message, bytes, places) => {
                    fold(current, &views.state, *places, workspace, message)?;
                    keep_row(&mut current.live, workspace, buffers[*place], message, bytes, *places);
                }
                Change::SetAside(refused) => {
                    set_aside += u64::from(refused.code != Code::Conflict);
                    keep_refused(current, &views.state, workspace, refused)?;
                }
                Change::Forget(id) => current.live.forget_refused(workspace, *id),
                Change::Decree(decree) => decrees.push((workspace, decree.clone())),
                Change::TakeBack(taken) => current.live.keep_taken(workspace, taken),
                Change::Import(note) => notes.push((workspace, note.clone())),
            }
        }
        current.applied = frame;
        Ok(())
    })?;
    counters.set_aside(set_aside);
    // An import that is taken back waits for a checkpoint, as a deletion does.
    let mut deleted = notes.iter().any(|(_, note)| note.undoes());
    for (workspace, note) in notes {
        imports::take(workspace, note, views)?;
    }
    for (workspace, decree) in decrees {
        deleted |= carry_out(workspace, decree, views)?;
    }
    Ok(deleted)
}

fn warm(live: &Overlay, changes: &[(usize, Change<'_>)]) {
    let folds = || {
        changes.iter().filter_map(|(_, change)| match change {
            Change::Fold(message, _, places) => Some((message.kind, places)),
            _ => None,
        })
    };
    live.profiles.warm(folds().flat_map(|(_, places)| places.numbers()));
    live.profiles.warm_links(folds().flat_map(|(_, places)| places.numbers()));
    let stating = folds().filter(|(kind, _)| *kind != Kind::Track);
    live.profiles.warm_traits(stating.flat_map(|(_, places)| places.numbers()));
}

fn fold(
    current: &mut Current,
    state: &State,
    places: Places,
    workspace: WorkspaceId,
    message: &Message<'_>,
) -> Result<(), ReadError> {
    let mut ledger =
        OverlayLedger { workspace, live: &mut current.live, frozen: current.frozen.as_deref(), state, places };
    // A track says nothing that stays with a record but instants.
    let is_track = message.kind == Kind::Track;
    ledger.live.profiles.expect_only_instants(is_track);
    let applied = apply(&mut ledger, message);
    ledger.live.profiles.expect_only_instants(false);
    applied?;
    if !is_track {
        current.live.weigh(places.numbers());
    }
    Ok(())
}

fn keep_row(
    live: &mut Overlay,
    workspace: WorkspaceId,
    buffer: u32,
    message: &Message<'_>,
    bytes: &[u8],
    places: Places,
) {
    let find = |live: &Overlay, kind, id| {
        places.find(kind, id).or_else(|| live.profiles.number(&ProfileKey::new(workspace, kind, id)))
    };
    let account = message.account.as_ref().and_then(|named| find(live, RecordKind::Account, named.id));
    let user = message.user.as_ref().and_then(|named| find(live, RecordKind::User, named.id));
    let row = live.keep_row(workspace, buffer, bytes, RowPlace { timestamp: message.timestamp, account, user });
    let mut note = |kind, id| {
        if let Some(number) = find(live, kind, id) {
            live.profiles.note(number, row);
        }
    };
    match message.kind {
        Kind::Track => named(message).for_each(|(kind, id, _)| note(kind, id)),
        _ => message.tells_of().into_iter().for_each(|(kind, id)| note(kind, id)),
    }
}

/// The same message set aside again is kept once, also when the first one is below the live overlay.
fn keep_refused(
    current: &mut Current,
    state: &State,
    workspace: WorkspaceId,
    refused: &Refused<'_>,
) -> Result<(), ReadError> {
    let id = (workspace, refused.id);
    let frozen = current.frozen.as_deref();
    if !current.live.forgotten.contains(&id) {
        let in_frozen = frozen.is_some_and(|frozen| frozen.refused_ids.contains_key(&id));
        let on_disk = || {
            let forgotten = frozen.is_some_and(|frozen| frozen.forgotten.contains(&id));
            let key = keys::refused_id_key(workspace, refused.id);
            Ok(!forgotten && state.refused_ids.contains_key(key).map_err(|error| state_failed(&error))?)
        };
        if in_frozen || on_disk()? {
            return Ok(());
        }
    }
    current.live.keep_refused(workspace, refused.clone().into_owned());
    Ok(())
}
