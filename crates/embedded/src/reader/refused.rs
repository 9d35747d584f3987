//! Messages set aside.

use std::cmp::Reverse;

use fjall::Readable;
use muster_history::error::not_a_record;
use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::{
    Answer,
    batch::decode_refused,
    error::ReadError,
    refused::{Refusals, Refused, RefusedCursor, RefusedId, RefusedPage, Sketch, SketchPage},
};
use rustc_hash::FxHashSet;

use crate::{
    engine::{Embedded, Reader},
    error::{damaged, state_failed},
    keys,
    overlay::Overlay,
};

impl Refusals for Embedded {
    fn refused(
        &self,
        workspace: WorkspaceId,
        from: Option<RefusedCursor>,
        limit: usize,
    ) -> Answer<'_, RefusedPage, ReadError> {
        self.blocking(move |reader| {
            let (refused, next) = reader.refused(workspace, from, limit.max(1), |one| one.clone().into_owned())?;
            Ok(RefusedPage { refused, next })
        })
    }

    fn refused_sketches(
        &self,
        workspace: WorkspaceId,
        from: Option<RefusedCursor>,
        limit: usize,
    ) -> Answer<'_, SketchPage, ReadError> {
        self.blocking(move |reader| {
            let (sketches, next) = reader.refused(workspace, from, limit.max(1), Sketch::of)?;
            Ok(SketchPage { sketches, next })
        })
    }

    fn refused_message(
        &self,
        workspace: WorkspaceId,
        id: RefusedId,
    ) -> Answer<'_, Option<Refused<'static>>, ReadError> {
        self.blocking(move |reader| reader.refused_message(workspace, id))
    }
}

impl Reader {
    /// At most `limit` messages after `from`, newest first, each as `of` makes it, and where the next page starts.
    fn refused<T>(
        &self,
        workspace: WorkspaceId,
        from: Option<RefusedCursor>,
        limit: usize,
        of: impl Fn(&Refused<'_>) -> T,
    ) -> Result<(Vec<T>, Option<RefusedCursor>), ReadError> {
        let wanted = limit + 1;
        let (veil, ids) = (self.views.tombstones.veil(workspace), self.id_space(workspace)?);
        let shown = |refused: &Refused<'_>| !veil.hides_refused(&refused.body, refused.received_at, ids);
        // What is in memory under an id was set aside again after the one on disk was resent or dropped.
        let (mut found, passed, below) = {
            let current = self.views.look();
            let mut passed = forgotten(&current.live, workspace);
            let mut found = Vec::new();
            newest(&current.live, workspace, from, wanted, |refused| {
                shown(refused).then(|| found.push((place_of(refused), of(refused)))).is_some()
            });
            if let Some(frozen) = &current.frozen {
                newest(frozen, workspace, from, wanted, |refused| {
                    let there = shown(refused) && !passed.contains(&refused.id);
                    there.then(|| found.push((place_of(refused), of(refused)))).is_some()
                });
                passed.extend(forgotten(frozen, workspace));
            }
            passed.extend(found.iter().map(|(place, _)| place.id));
            (found, passed, self.views.below(&current))
        };
        let start =
            from.map_or_else(|| workspace.0.to_be_bytes().to_vec(), |from| keys::refused_key(workspace, from).to_vec());
        let mut on_disk = 0;
        for entry in below.snapshot.range::<Vec<u8>, _>(&self.views.state.refused, start..) {
            let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
            if on_disk == wanted || !key.starts_with(&workspace.0.to_be_bytes()) {
                break;
            }
            let place = keys::parse_refused_key(&key).ok_or_else(|| damaged("a set-aside message's key"))?;
            if Some(place) == from || passed.contains(&place.id) {
                continue;
            }
            let refused = decode_refused(&value).map_err(not_a_record("the state store"))?;
            if shown(&refused) {
                found.push((place, of(&refused)));
                on_disk += 1;
            }
        }
        found.sort_by_key(|(place, _)| Reverse(*place));
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(place, _)| *place);
        Ok((found.into_iter().map(|(_, one)| one).collect(), next))
    }

    fn refused_message(&self, workspace: WorkspaceId, id: RefusedId) -> Result<Option<Refused<'static>>, ReadError> {
        let (veil, ids) = (self.views.tombstones.veil(workspace), self.id_space(workspace)?);
        let shown = |refused: &Refused<'_>| !veil.hides_refused(&refused.body, refused.received_at, ids);
        let key = (workspace, id);
        let below = {
            let current = self.views.look();
            for overlay in current.overlays() {
                if let Some(cursor) = overlay.refused_ids.get(&key) {
                    let kept = overlay.refused.get(&(workspace, Reverse(*cursor)));
                    return Ok(kept.filter(|refused| shown(refused)).cloned());
                }
                if overlay.forgotten.contains(&key) {
                    return Ok(None);
                }
            }
            self.views.below(&current)
        };
        let state = &self.views.state;
        let place = below.snapshot.get(&state.refused_ids, keys::refused_id_key(workspace, id));
        let Some(place) = place.map_err(|error| state_failed(&error))? else { return Ok(None) };
        let at =
            place.as_ref().try_into().map(i64::from_be_bytes).map_err(|_| damaged("a set-aside message's place"))?;
        let cursor = RefusedCursor { received_at: Micros(at), id };
        let value = below.snapshot.get(&state.refused, keys::refused_key(workspace, cursor));
        let Some(value) = value.map_err(|error| state_failed(&error))? else { return Ok(None) };
        let refused = decode_refused(&value).map_err(not_a_record("the state store"))?;
        Ok(shown(&refused).then(|| refused.into_owned()))
    }
}

/// Hands on the newest messages of an overlay, until so many were taken.
fn newest(
    overlay: &Overlay,
    workspace: WorkspaceId,
    from: Option<RefusedCursor>,
    limit: usize,
    mut take: impl FnMut(&Refused<'static>) -> bool,
) {
    let newest = RefusedCursor { received_at: Micros::MAX, id: RefusedId(u128::MAX) };
    let start = (workspace, Reverse(from.unwrap_or(newest)));
    let entries = overlay.refused.range(start..).take_while(|((of, _), _)| *of == workspace);
    let after = entries.filter(|((_, cursor), _)| Some(cursor.0) != from);
    let _ = after.filter(|(_, refused)| take(refused)).take(limit).count();
}

fn forgotten(overlay: &Overlay, workspace: WorkspaceId) -> FxHashSet<RefusedId> {
    overlay.forgotten.iter().filter(|(of, _)| *of == workspace).map(|(_, id)| *id).collect()
}

fn place_of(refused: &Refused<'_>) -> RefusedCursor {
    RefusedCursor { received_at: refused.received_at, id: refused.id }
}
