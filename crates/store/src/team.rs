//! Team members: the people of a workspace who look after its customers.
//!
//! They are named in records and found by their e-mail address. One who was given a password signs in to the console with
//! it; of the password a hash is kept, made slow on purpose. Who is listed is decided by whoever operates the server.

use muster_model::{
    id::{RecordId, WorkspaceId},
    time::Micros,
};

use crate::{Answer, credentials::Scopes, error::AdminError};

/// Members that one workspace may have.
pub const MEMBERS_MAX: usize = 10_000;
/// Bytes of a member's name and of an e-mail address.
pub const NAME_BYTES_MAX: usize = 200;
pub const EMAIL_BYTES_MAX: usize = 254;

/// One member of a workspace's team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Derived from the workspace and the address, so that someone who comes back is the same.
    pub id: RecordId,
    pub name: String,
    pub email: String,
    pub added_at: Micros,
    /// How the member signs in, if at all.
    pub sign_in: Option<SignIn>,
}

/// How a member signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    pub password: PasswordHash,
    /// What the member may do.
    pub scopes: Scopes,
}

/// What is kept of a password: algorithm, cost, salt and hash, in the PHC string format. Prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// Who is to be added.
#[derive(Clone, Debug)]
pub struct NewMember {
    pub name: String,
    pub email: String,
    pub added_at: Micros,
}

/// The teams of all workspaces. Changes are durable when answered and count for every later call.
pub trait Teams: Send + Sync {
    /// The members of a workspace, oldest first, ties by id.
    fn team(&self, workspace: WorkspaceId) -> Vec<Member>;

    /// Adds a member. A workspace that does not exist is [`AdminError::NotFound`]; an address that is listed already,
    /// in any case of letters, is [`AdminError::Exists`].
    fn add_member(&self, workspace: WorkspaceId, new: NewMember) -> Answer<'_, Member, AdminError>;

    /// Says how a member signs in from now on, or that it does not.
    fn set_sign_in(
        &self,
        workspace: WorkspaceId,
        id: RecordId,
        sign_in: Option<SignIn>,
    ) -> Answer<'_, Member, AdminError>;

    /// Takes a member off the list.
    fn remove_member(&self, workspace: WorkspaceId, id: RecordId) -> Answer<'_, Member, AdminError>;
}

/// Checks who is to be added, beside those who are listed.
pub fn check_new(team: &[Member], new: &NewMember) -> Result<(), AdminError> {
    let invalid = |says: String| Err(AdminError::Invalid(says));
    if new.name.len() > NAME_BYTES_MAX || new.name.chars().any(char::is_control) {
        return invalid(format!("a name has at most {NAME_BYTES_MAX} bytes and no control characters"));
    }
    let address = new.email.split_once('@').filter(|(person, host)| !person.is_empty() && !host.is_empty());
    let plain = |email: &str| !email.chars().any(|one| one.is_control() || one.is_whitespace());
    if address.is_none() || new.email.len() > EMAIL_BYTES_MAX || !plain(&new.email) {
        return invalid(format!(
            "an e-mail address has an @ with something on both sides, no spaces, and at most {EMAIL_BYTES_MAX} bytes"
        ));
    }
    if find(team, &new.email).is_some() {
        return Err(AdminError::Exists("the team has a member with this e-mail address already".to_owned()));
    }
    if team.len() >= MEMBERS_MAX {
        return invalid(format!("a team has at most {MEMBERS_MAX} members; remove one first"));
    }
    Ok(())
}

/// The member with an address, in any case of letters.
#[must_use]
pub fn find<'t>(team: &'t [Member], email: &str) -> Option<&'t Member> {
    let email = email.to_lowercase();
    team.iter().find(|member| member.email.to_lowercase() == email)
}

/// What a member does is recorded under a number that stands where a key's would. Those of keys count from 1 and stay far
/// below this one; below twice of it every program reads a number exactly.
const NUMBERS_FROM: u64 = 1 << 52;

/// The number under which it is recorded what a member does.
#[must_use]
pub fn number(id: RecordId) -> u64 {
    NUMBERS_FROM | (id.0 as u64 & (NUMBERS_FROM - 1))
}

/// Whether a number is one of a member, on the list or not any more.
#[must_use]
pub fn is_number(number: u64) -> bool {
    number >= NUMBERS_FROM
}

/// Someone who is on no list.
#[must_use]
pub fn unknown() -> AdminError {
    AdminError::NotFound("there is no such team member in this workspace".to_owned())
}
