//! Walking over all messages set aside, newest first, in pieces.
//!
//! A place on the way can be written down and gone on from, by another request and after a restart. What is set aside
//! meanwhile is newer than every place and is not met; what is sent again or dropped meanwhile is not met either.

use muster_model::id::WorkspaceId;
use muster_store::refused::{RefusedCursor, RefusedId, Sketch};

use crate::{
    error::ApiError,
    resources::cursor::{ListName, Place},
    state::AppState,
};

/// Messages of one piece.
const PIECE: usize = 500;

/// A walk over the messages of a workspace.
pub(super) struct Walk {
    workspace: WorkspaceId,
    from: Option<RefusedCursor>,
    ended: bool,
    /// Messages that were met.
    pub met: usize,
}

fn name(workspace: WorkspaceId) -> ListName {
    ListName::new(workspace, &["walk over refused"])
}

impl Walk {
    /// A walk from the newest on, or from a place that was written down.
    pub(super) fn begin(workspace: WorkspaceId, from: Option<&str>) -> Result<Walk, ApiError> {
        let place = name(workspace).read(from.filter(|text| !text.is_empty()))?;
        let from = place.map(|place| RefusedCursor { received_at: place.at, id: RefusedId(place.id) });
        Ok(Walk { workspace, from, ended: false, met: 0 })
    }

    /// The next piece; nothing at the end.
    pub(super) async fn next(&mut self, state: &AppState) -> Result<Option<Vec<Sketch>>, ApiError> {
        if self.ended {
            return Ok(None);
        }
        let page = state.store.refused_sketches(self.workspace, self.from, PIECE).await.map_err(ApiError::Read)?;
        self.ended = page.next.is_none();
        self.from = page.next;
        self.met += page.sketches.len();
        Ok(Some(page.sketches))
    }

    /// The place after what was met, while there is more.
    pub(super) fn place(&self) -> Option<String> {
        self.from.filter(|_| !self.ended).map(|from| self.after(from))
    }

    /// The place after a message.
    pub(super) fn after(&self, cursor: RefusedCursor) -> String {
        name(self.workspace).write(Place { at: cursor.received_at, id: cursor.id.0 })
    }
}
