//! Records as attribution asks for them: a workspace's, behind what readers and the writer share.
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

use crate::{keys::ProfileKey, views::Views};

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
        self.views.children(&self.key(of, parent), kind)
    }

    fn statements(&self, about: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError> {
        self.views.statements((self.workspace, parents, about))
    }
}
