//! Teams.

use muster_model::id::{IdSpace, RecordId, WorkspaceId};

use super::MemoryStore;
use crate::{
    Answer,
    error::AdminError,
    team::{Member, NewMember, SignIn, Teams, check_new, unknown},
};

impl Teams for MemoryStore {
    fn team(&self, workspace: WorkspaceId) -> Vec<Member> {
        self.registry(|registry| {
            let of = registry.members.iter().filter(|(owner, _)| *owner == workspace);
            let mut team: Vec<Member> = of.map(|(_, member)| member.clone()).collect();
            team.sort_by_key(|member| (member.added_at, member.id));
            team
        })
    }

    fn add_member(&self, workspace: WorkspaceId, new: NewMember) -> Answer<'_, Member, AdminError> {
        Box::pin(async move {
            let team = self.team(workspace);
            self.registry(|registry| {
                let known = registry.workspaces.iter().find(|known| known.id == workspace);
                let known = known.ok_or_else(|| AdminError::NotFound("there is no such workspace".to_owned()))?;
                check_new(&team, &new)?;
                let id = IdSpace::new(&known.name).team_member(&new.email);
                let member = Member { id, name: new.name, email: new.email, added_at: new.added_at, sign_in: None };
                registry.members.push((workspace, member.clone()));
                Ok(member)
            })
        })
    }

    fn set_sign_in(
        &self,
        workspace: WorkspaceId,
        id: RecordId,
        sign_in: Option<SignIn>,
    ) -> Answer<'_, Member, AdminError> {
        Box::pin(async move {
            self.registry(|registry| {
                let is = |(owner, member): &&mut (WorkspaceId, Member)| *owner == workspace && member.id == id;
                let (_, member) = registry.members.iter_mut().find(is).ok_or_else(unknown)?;
                member.sign_in = sign_in;
                Ok(member.clone())
            })
        })
    }

    fn remove_member(&self, workspace: WorkspaceId, id: RecordId) -> Answer<'_, Member, AdminError> {
        Box::pin(async move {
            self.registry(|registry| {
                let is = |(owner, member): &(WorkspaceId, Member)| *owner == workspace && member.id == id;
                let at = registry.members.iter().position(is).ok_or_else(unknown)?;
                Ok(registry.members.remove(at).1)
            })
        })
    }
}
