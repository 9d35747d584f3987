//! Reading what a page or a search would wait for before anybody asks.
//!
//! For a server, where the first one who asks is somebody: what history files say of themselves, and the texts that searches look
//! through. Nobody waits for it, and nothing depends on it; what cannot be read is told to whoever asks.

use std::sync::{Arc, Weak};

use muster_history::manifest::Manifest;

use crate::{credentials::Registry, views::Views};

/// What there was at the last look.
#[derive(Debug, Default)]
pub struct ReadAhead {
    files: Weak<Manifest>,
    workspaces: usize,
}

impl ReadAhead {
    /// Reads of other files than at the last look what they say, as long as `go_on` says so, and has the texts of other workspaces
    /// read.
    pub fn look(&mut self, views: &Views, registry: &Registry, go_on: impl Fn() -> bool) {
        let manifest = Arc::clone(&views.look().manifest);
        if !std::ptr::eq(self.files.as_ptr(), Arc::as_ptr(&manifest)) {
            self.files = Arc::downgrade(&manifest);
            views.footers.read_ahead(manifest.all(), go_on);
        }
        let workspaces = registry.workspace_ids();
        if std::mem::replace(&mut self.workspaces, workspaces.len()) != workspaces.len() {
            views.texts.read_ahead(&views.state, &workspaces);
        }
    }
}
