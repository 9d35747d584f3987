//! What there is of a workspace when a correction begins to read it, and how it notices that it was overtaken.
//!
//! A correction reads without holding anything up: what is in files, in the frozen overlay and in the live one at one instant.
//! Then the writer waits, and what came meanwhile is read; if a checkpoint was made in between it begins anew. Never changes
//! anything.

use std::sync::Arc;

use muster_history::manifest::Manifest;
use muster_model::id::WorkspaceId;
use muster_store::error::ReadError;

use crate::{
    overlay::{Overlay, SharedRows},
    views::Views,
};

/// How often a correction begins anew when checkpoints or deletions overtake it.
pub const BEGINNINGS_MAX: usize = 20;

/// What there was at one instant.
pub struct There {
    pub manifest: Arc<Manifest>,
    pub frozen: Option<Arc<Overlay>>,
    /// The workspace's rows in the live overlay.
    pub rows: SharedRows,
    /// How many rows the live overlay had, of all workspaces.
    pub rows_read: usize,
    /// How many overlays had been frozen; with another number the rest is out of date.
    pub freezes: u64,
}

impl There {
    /// Looks now.
    pub fn look(views: &Views, workspace: WorkspaceId) -> There {
        let current = views.look();
        let live = &current.live;
        let rows = live.rows().iter().filter(|row| row.workspace == workspace);
        There {
            rows: live.share(rows.copied().collect()),
            manifest: Arc::clone(&current.manifest),
            frozen: current.frozen.clone(),
            rows_read: live.rows().len(),
            freezes: current.freezes,
        }
    }
}

/// It began anew too often.
pub fn overtaken() -> ReadError {
    ReadError::Failed { what: "checkpoints and deletions overtook a correction again and again".to_owned() }
}
