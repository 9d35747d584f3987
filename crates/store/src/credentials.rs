//! Workspaces and keys.
//!
//! A token is shown once, when its key is made; what is kept is its SHA-256. Tokens are random and long, so a fast
//! hash is enough; nobody can find one by trying.

use std::{fmt, sync::Arc};

use muster_model::{id::WorkspaceId, time::Micros};

use crate::{Answer, error::AdminError};

/// A workspace: one company's data, apart from every other's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
    pub created_at: Micros,
}

/// What a key may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Send messages and change records.
    pub const WRITE: Scopes = Scopes(1);
    /// Read everything in the workspace.
    pub const READ: Scopes = Scopes(2);
    /// Manage keys.
    pub const ADMIN: Scopes = Scopes(4);
    /// See which workspaces there are, and make one. Beside the rest, and given on the server's own machine alone.
    pub const OPERATOR: Scopes = Scopes(8);
    /// All that concern a workspace.
    pub const ALL: Scopes = Scopes(7);
    /// Nothing.
    pub const NONE: Scopes = Scopes(0);

    /// Their names, in the order in which they are told.
    pub const NAMES: [(Scopes, &'static str); 4] =
        [(Scopes::WRITE, "write"), (Scopes::READ, "read"), (Scopes::ADMIN, "admin"), (Scopes::OPERATOR, "operator")];

    /// Whether everything in `other` is in this.
    #[must_use]
    pub fn contains(self, other: Scopes) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Scopes) -> Scopes {
        Scopes(self.0 | other.0)
    }

    /// Reads `write,read`; an unknown name is an error that lists the known ones.
    pub fn parse(text: &str) -> Result<Scopes, String> {
        let mut scopes = Scopes::NONE;
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let known = Scopes::NAMES.iter().find(|(_, known)| *known == name);
            let (scope, _) = known.ok_or_else(|| format!("{name} is no scope; use write, read, admin or operator"))?;
            scopes = scopes.union(*scope);
        }
        if scopes == Scopes::NONE {
            Err("a key needs at least one of write, read and admin".to_owned())
        } else {
            Ok(scopes)
        }
    }

    /// The number in which a store keeps it.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// From the number in which a store kept it; unknown bits are dropped.
    #[must_use]
    pub fn from_bits(bits: u8) -> Scopes {
        Scopes(bits & Scopes::ALL.union(Scopes::OPERATOR).0)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            Scopes::NAMES.iter().filter(|(scope, _)| self.contains(*scope)).map(|(_, name)| *name).collect();
        f.write_str(&names.join(","))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// A key, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub id: u64,
    pub workspace: Workspace,
    pub name: String,
    pub scopes: Scopes,
    pub created_at: Micros,
    pub revoked_at: Option<Micros>,
}

/// What a new key is made of.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Created if there is no workspace of that name.
    pub workspace_name: String,
    pub name: String,
    pub scopes: Scopes,
    pub token_hash: TokenHash,
    pub created_at: Micros,
}

/// Workspaces and keys. Changes are durable when answered and count for every later call.
pub trait Credentials: Send + Sync {
    /// The key of a token that is not revoked. Called once a request; must not touch a disk.
    fn authenticate(&self, token_hash: &TokenHash) -> Option<Arc<Key>>;

    /// A key that is not revoked, with the hash of its token. Called once a request; must not touch a disk.
    fn live_key(&self, id: u64) -> Option<(Arc<Key>, TokenHash)>;

    /// All keys, revoked ones included, oldest first.
    fn keys(&self) -> Vec<Arc<Key>>;

    /// All workspaces, oldest first.
    fn workspaces(&self) -> Vec<Workspace>;

    /// Makes a key, and its workspace if need be. A token hash that exists already is [`AdminError::Exists`].
    fn create_key(&self, new: NewKey) -> Answer<'_, Arc<Key>, AdminError>;

    /// Ends a key. Ending one that was ended before changes nothing.
    fn revoke_key(&self, id: u64, at: Micros) -> Answer<'_, Arc<Key>, AdminError>;
}

/// Checks a workspace's name: it stands in paths and file names.
pub fn check_workspace_name(name: &str) -> Result<(), AdminError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        return Err(AdminError::Invalid(
            "a workspace's name has 1 to 64 lower-case letters, digits, hyphens and underscores".to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_back() {
        assert_eq!(Scopes::parse("read, write").unwrap(), Scopes::WRITE.union(Scopes::READ));
        assert_eq!(Scopes::ALL.to_string(), "write,read,admin");
        let operator = Scopes::parse("operator,read").unwrap();
        assert_eq!((operator.to_string().as_str(), Scopes::from_bits(operator.bits())), ("read,operator", operator));
        assert!(!Scopes::ALL.contains(Scopes::OPERATOR), "it is given for itself");
        assert!(Scopes::parse("root").is_err());
        assert!(Scopes::parse("").is_err());
        assert!(!Scopes::READ.contains(Scopes::WRITE));
    }
}
