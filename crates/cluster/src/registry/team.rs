//! Team members.

use std::sync::Arc;

use muster_model::id::{IdSpace, RecordId, WorkspaceId};
use muster_store::{
    Answer,
    error::AdminError,
    team::{Member, NewMember, SignIn, Teams, check_new, unknown},
};

use super::{change, held::Held};
use crate::{
    cluster::Cluster,
    sql::values::{At, Id},
};

impl Held {
    fn team(&self, workspace: WorkspaceId) -> Vec<Member> {
        self.members.iter().filter(|(owner, _)| *owner == workspace).map(|(_, member)| member.clone()).collect()
    }

    fn member(&self, workspace: WorkspaceId, id: RecordId) -> Result<Member, AdminError> {
        self.team(workspace).into_iter().find(|member| member.id == id).ok_or_else(unknown)
    }
}

impl Teams for Cluster {
    fn team(&self, workspace: WorkspaceId) -> Vec<Member> {
        self.inner.registry.held().team(workspace)
    }

    fn add_member(&self, workspace: WorkspaceId, new: NewMember) -> Answer<'_, Member, AdminError> {
        Box::pin(async move {
            let add = move |held: &Held, transaction: &mut crate::sql::connection::Transaction<'_>| {
                let owner = held.workspace(workspace);
                let owner = owner.ok_or_else(|| AdminError::NotFound("there is no such workspace".to_owned()))?;
                check_new(&held.team(workspace), &new)?;
                let id = IdSpace::new(&owner.name).team_member(&new.email);
                let NewMember { name, email, added_at } = new.clone();
                transaction.execute(
                    "insert into member (workspace, id, name, email, added_at) values ($1, $2, $3, $4, $5)",
                    &[&(workspace.0 as i32), &Id::from(id), &name.as_bytes(), &email.as_bytes(), &At(added_at)],
                )?;
                Ok(Member { id, name, email, added_at, sign_in: None })
            };
            change(&self.inner.pool, Arc::clone(&self.inner.registry), add).await
        })
    }

    fn set_sign_in(
        &self,
        workspace: WorkspaceId,
        id: RecordId,
        sign_in: Option<SignIn>,
    ) -> Answer<'_, Member, AdminError> {
        Box::pin(async move {
            let set = move |held: &Held, transaction: &mut crate::sql::connection::Transaction<'_>| {
                let member = held.member(workspace, id)?;
                let password = sign_in.as_ref().map(|sign_in| sign_in.password.0.as_bytes());
                let scopes = sign_in.as_ref().map(|sign_in| i16::from(sign_in.scopes.bits()));
                transaction.execute(
                    "update member set password = $3, scopes = $4 where workspace = $1 and id = $2",
                    &[&(workspace.0 as i32), &Id::from(id), &password, &scopes],
                )?;
                Ok(Member { sign_in: sign_in.clone(), ..member })
            };
            change(&self.inner.pool, Arc::clone(&self.inner.registry), set).await
        })
    }

    fn remove_member(&self, workspace: WorkspaceId, id: RecordId) -> Answer<'_, Member, AdminError> {
        Box::pin(async move {
            let remove = move |held: &Held, transaction: &mut crate::sql::connection::Transaction<'_>| {
                let member = held.member(workspace, id)?;
                let delete = "delete from member where workspace = $1 and id = $2";
                transaction.execute(delete, &[&(workspace.0 as i32), &Id::from(id)])?;
                Ok(member)
            };
            change(&self.inner.pool, Arc::clone(&self.inner.registry), remove).await
        })
    }
}
