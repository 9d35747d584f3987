//! Teams: all in memory for reading, durable in the state store before a change counts.

use muster_model::{
    id::{IdSpace, RecordId, WorkspaceId},
    time::Micros,
};
use muster_store::{
    byte_form::{Input, Malformed, Output},
    credentials::{Scopes, Workspace},
    error::AdminError,
    team::{Member, NewMember, PasswordHash, SignIn, check_new, unknown},
};
use parking_lot::{Mutex, RwLock};

use crate::{
    error::{OpenError, damaged, state_failed},
    state::State,
};

/// Members' entries among workspaces and keys start with this.
const PREFIX: u8 = b't';
/// The version of this layout.
const VERSION: u8 = 2;
/// The layout without how a member signs in.
const VERSION_WITHOUT_SIGN_IN: u8 = 1;

/// Every member of every workspace.
pub struct Teams {
    state: State,
    members: RwLock<Vec<(WorkspaceId, Member)>>,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Teams {
    /// Reads all of them.
    pub fn load(state: &State) -> Result<Teams, OpenError> {
        let mut members = Vec::new();
        for entry in state.credentials.prefix([PREFIX]) {
            let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
            members.push(decode(&key, &value).map_err(|_| damaged("a team member"))?);
        }
        Ok(Teams { state: state.clone(), members: RwLock::new(members), changing: Mutex::new(()) })
    }

    /// The members of a workspace, oldest first.
    pub fn team(&self, workspace: WorkspaceId) -> Vec<Member> {
        let members = self.members.read();
        let of = members.iter().filter(|(owner, _)| *owner == workspace);
        let mut team: Vec<Member> = of.map(|(_, member)| member.clone()).collect();
        team.sort_by_key(|member| (member.added_at, member.id));
        team
    }

    /// Adds a member. Writes to the disk.
    pub fn add(&self, workspace: Option<Workspace>, new: NewMember) -> Result<Member, AdminError> {
        let workspace = workspace.ok_or_else(|| AdminError::NotFound("there is no such workspace".to_owned()))?;
        let _one_at_a_time = self.changing.lock();
        check_new(&self.team(workspace.id), &new)?;
        let id = IdSpace::new(&workspace.name).team_member(&new.email);
        let member = Member { id, name: new.name, email: new.email, added_at: new.added_at, sign_in: None };
        let mut batch = self.state.batch();
        let (key, value) = entry(workspace.id, &member);
        batch.insert(&self.state.credentials, key, value);
        batch.commit().map_err(|error| AdminError::Failed(error.to_string()))?;
        self.members.write().push((workspace.id, member.clone()));
        Ok(member)
    }

    /// Says how a member signs in. Writes to the disk.
    pub fn set_sign_in(
        &self,
        workspace: WorkspaceId,
        id: RecordId,
        sign_in: Option<SignIn>,
    ) -> Result<Member, AdminError> {
        let _one_at_a_time = self.changing.lock();
        let known = self.team(workspace).into_iter().find(|member| member.id == id).ok_or_else(unknown)?;
        let changed = Member { sign_in, ..known };
        let mut batch = self.state.batch();
        let (key, value) = entry(workspace, &changed);
        batch.insert(&self.state.credentials, key, value);
        batch.commit().map_err(|error| AdminError::Failed(error.to_string()))?;
        let mut members = self.members.write();
        let of = members.iter_mut().filter(|(owner, member)| *owner == workspace && member.id == id);
        of.for_each(|(_, member)| member.clone_from(&changed));
        Ok(changed)
    }

    /// Takes a member off the list. Writes to the disk.
    pub fn remove(&self, workspace: WorkspaceId, id: RecordId) -> Result<Member, AdminError> {
        let _one_at_a_time = self.changing.lock();
        let member = self.team(workspace).into_iter().find(|member| member.id == id).ok_or_else(unknown)?;
        let mut batch = self.state.batch();
        batch.remove(&self.state.credentials, key(workspace, id));
        batch.commit().map_err(|error| AdminError::Failed(error.to_string()))?;
        self.members.write().retain(|(owner, member)| *owner != workspace || member.id != id);
        Ok(member)
    }
}

/// The entry of a member.
pub fn entry(workspace: WorkspaceId, member: &Member) -> ([u8; 21], Vec<u8>) {
    (key(workspace, member.id), encode(member))
}

fn key(workspace: WorkspaceId, id: RecordId) -> [u8; 21] {
    let mut key = [PREFIX; 21];
    key[1..5].copy_from_slice(&workspace.0.to_be_bytes());
    key[5..].copy_from_slice(&id.0.to_be_bytes());
    key
}

fn encode(member: &Member) -> Vec<u8> {
    let mut value = Vec::new();
    value.put_u8(VERSION);
    value.put_text(&member.name);
    value.put_text(&member.email);
    value.put_i64(member.added_at.0);
    match &member.sign_in {
        None => value.put_u8(0),
        Some(sign_in) => {
            value.put_u8(1);
            value.put_u8(sign_in.scopes.bits());
            value.put_text(&sign_in.password.0);
        }
    }
    value
}

fn decode(key: &[u8], value: &[u8]) -> Result<(WorkspaceId, Member), Malformed> {
    let workspace = key.get(1..5).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let id = key.get(5..21).and_then(|bytes| bytes.try_into().ok()).map(u128::from_be_bytes);
    let mut input = Input::new(value);
    let version = input.u8()?;
    if version != VERSION && version != VERSION_WITHOUT_SIGN_IN {
        return Err(Malformed);
    }
    let (name, email) = (input.text()?.to_owned(), input.text()?.to_owned());
    let added_at = Micros(input.i64()?);
    let sign_in = match version {
        VERSION => take_sign_in(&mut input)?,
        _ => None,
    };
    input.end()?;
    let member = Member { id: RecordId(id.ok_or(Malformed)?), name, email, added_at, sign_in };
    Ok((WorkspaceId(workspace.ok_or(Malformed)?), member))
}

fn take_sign_in(input: &mut Input<'_>) -> Result<Option<SignIn>, Malformed> {
    match input.u8()? {
        0 => Ok(None),
        1 => {
            let scopes = Scopes::from_bits(input.u8()?);
            Ok(Some(SignIn { scopes, password: PasswordHash(input.text()?.to_owned()) }))
        }
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_cut_bytes_are_refused() {
        let (name, email, added_at) = ("Ada ö".to_owned(), "a@b".to_owned(), Micros(-3));
        let sign_in = Some(SignIn { scopes: Scopes::READ, password: PasswordHash("$x".to_owned()) });
        let member = Member { id: RecordId(7), name, email, added_at, sign_in };
        let (key, value) = (key(WorkspaceId(9), member.id), encode(&member));
        assert_eq!(decode(&key, &value), Ok((WorkspaceId(9), member.clone())));
        let without = Member { sign_in: None, ..member };
        let mut old = encode(&without);
        assert_eq!(decode(&key, &old), Ok((WorkspaceId(9), without.clone())));
        old.pop();
        old[0] = VERSION_WITHOUT_SIGN_IN;
        assert_eq!(decode(&key, &old), Ok((WorkspaceId(9), without)), "as it was written before");
        for end in 0..value.len() {
            assert_eq!(decode(&key, &value[..end]), Err(Malformed), "cut at {end}");
        }
        assert_eq!(decode(&key[..20], &value), Err(Malformed));
    }
}
