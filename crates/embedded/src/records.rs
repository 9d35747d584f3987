//! Records as attribution, deletions and corrections ask for them: a workspace's, behind what readers and the writer share.
//!
//! What is asked is [`muster_store::records`]; it is answered from the overlays and the disk. Changes nothing.

use std::sync::Arc;

use muster_model::{
    association::Statement,
    deletion::Subject,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::Profile,
};
use muster_store::{attribution, error::ReadError, records::Records};

use crate::{
    keys::ProfileKey,
    state::State,
    views::{Current, Latest, Views, children_now, first_children, read_profile, statements_now},
};

/// Where events of a workspace belong, as of now.
pub type Attributor<'v> = attribution::Attributor<Now<'v>>;

/// The records of a workspace as of whenever one is asked for. Holds up nobody between two questions.
#[derive(Clone, Copy)]
pub struct Now<'v> {
    pub views: &'v Views,
    pub workspace: WorkspaceId,
}

impl Now<'_> {
    fn key(&self, kind: RecordKind, id: RecordId) -> ProfileKey {
        ProfileKey::new(self.workspace, kind, id)
    }
}

impl Records for Now<'_> {
    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        self.views.profile(&self.key(kind, id))
    }

    fn children(&self, (of, parent): Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        Ok(first_children(self.views.children(&[self.key(of, parent)], kind)?, usize::MAX))
    }

    fn children_of(&self, parents: &[Subject], kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        let keys: Vec<ProfileKey> = parents.iter().map(|(of, parent)| self.key(*of, *parent)).collect();
        self.views.children(&keys, kind)
    }

    fn statements(&self, about: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError> {
        self.views.statements((self.workspace, parents, about))
    }
}

/// The records of a workspace as whoever changes the live overlay sees them.
#[derive(Clone, Copy)]
pub struct Standing<'c> {
    pub workspace: WorkspaceId,
    pub current: &'c Current,
    pub state: &'c State,
}

impl Records for Standing<'_> {
    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        let key = ProfileKey::new(self.workspace, kind, id);
        for overlay in self.current.overlays() {
            if let Some(slot) = overlay.profiles.get(&key) {
                return Ok(Some(Arc::clone(&slot.profile)));
            }
            if overlay.gone.contains_key(&key) {
                return Ok(None);
            }
        }
        Ok(read_profile(&Latest, self.state, &key)?.map(Arc::new))
    }

    fn children(&self, (of, parent): Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        let key = ProfileKey::new(self.workspace, of, parent);
        children_now(&self.current.live, self.current.frozen.as_deref(), self.state, &key, kind)
    }

    fn statements(&self, about: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError> {
        let (live, frozen) = (&self.current.live, self.current.frozen.as_deref());
        statements_now(live, frozen, self.state, (self.workspace, parents, about))
    }
}
