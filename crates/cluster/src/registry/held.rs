//! All of it, as of one version.

use std::sync::Arc;

use muster_model::id::WorkspaceId;
use muster_store::{
    credentials::{Key, Scopes, TokenHash, Workspace},
    follow::{Follower, FollowerId},
    saved::{Saved, SavedKind},
    team::{Member, PasswordHash, SignIn},
};
use postgres::Row;
use rustc_hash::FxHashMap;

use crate::{
    fault::Fault,
    sql::{
        connection::Transaction,
        values::{At, Id},
    },
};

/// Workspaces, keys, teams, saved views and followers.
#[derive(Default)]
pub struct Held {
    pub version: i64,
    pub workspaces: Vec<Workspace>,
    pub keys: Vec<(Arc<Key>, TokenHash)>,
    by_hash: FxHashMap<TokenHash, Arc<Key>>,
    pub members: Vec<(WorkspaceId, Member)>,
    pub saved: Vec<(WorkspaceId, Saved)>,
    pub followers: Vec<Follower>,
}

impl Held {
    /// The version that a transaction sees.
    pub fn version(transaction: &mut Transaction<'_>) -> Result<i64, Fault> {
        Ok(transaction.query_one("select version from registry", &[])?.get(0))
    }

    /// Reads all of it.
    pub fn read(transaction: &mut Transaction<'_>) -> Result<Held, Fault> {
        let version = Held::version(transaction)?;
        let mut held = Held { version, ..Held::default() };
        let rows = transaction.query("select id, name, created_at from workspace order by id", &[])?;
        held.workspaces = rows.iter().map(workspace).collect();
        let keys = "select id, workspace, name, scopes, token_hash, created_at, revoked_at from access_key order by id";
        for row in transaction.query(keys, &[])? {
            let (key, hash) = held.key(&row)?;
            if key.revoked_at.is_none() {
                held.by_hash.insert(hash, Arc::clone(&key));
            }
            held.keys.push((key, hash));
        }
        let members = "select workspace, id, name, email, added_at, password, scopes from member order by added_at, id";
        held.members = transaction
            .query(members, &[])?
            .iter()
            .map(|row| Ok((owner(row), member(row)?)))
            .collect::<Result<_, Fault>>()?;
        let saved = "select workspace, id, kind, name, body, saved_by, saved_at from saved order by workspace, id";
        held.saved = transaction
            .query(saved, &[])?
            .iter()
            .map(|row| Ok((owner(row), saved_view(row)?)))
            .collect::<Result<_, Fault>>()?;
        let followers = "select workspace, id, name, settings, created_at from follower order by id";
        held.followers = transaction.query(followers, &[])?.iter().map(follower).collect();
        Ok(held)
    }

    pub fn workspace(&self, id: WorkspaceId) -> Option<&Workspace> {
        self.workspaces.iter().find(|workspace| workspace.id == id)
    }

    pub fn key_of(&self, hash: &TokenHash) -> Option<Arc<Key>> {
        self.by_hash.get(hash).cloned()
    }

    fn key(&self, row: &Row) -> Result<(Arc<Key>, TokenHash), Fault> {
        let owner = WorkspaceId(row.get::<_, i32>(1) as u32);
        let workspace = self.workspace(owner).cloned().ok_or(Fault::Damaged("a key's workspace"))?;
        let hash: TokenHash = row.get::<_, &[u8]>(4).try_into().map_err(|_| Fault::Damaged("a key's hash"))?;
        let key = Key {
            id: row.get::<_, i64>(0) as u64,
            workspace,
            name: text(row, 2)?,
            scopes: Scopes::from_bits(row.get::<_, i16>(3) as u8),
            created_at: row.get::<_, At>(5).0,
            revoked_at: row.get::<_, Option<At>>(6).map(|at| at.0),
        };
        Ok((Arc::new(key), hash))
    }
}

fn owner(row: &Row) -> WorkspaceId {
    WorkspaceId(row.get::<_, i32>(0) as u32)
}

fn text(row: &Row, column: usize) -> Result<String, Fault> {
    String::from_utf8(row.get(column)).map_err(|_| Fault::Damaged("a text"))
}

fn workspace(row: &Row) -> Workspace {
    Workspace { id: owner(row), name: row.get(1), created_at: row.get::<_, At>(2).0 }
}

fn member(row: &Row) -> Result<Member, Fault> {
    let password: Option<Vec<u8>> = row.get(5);
    let sign_in = password.map(|password| {
        let password = PasswordHash(String::from_utf8(password).map_err(|_| Fault::Damaged("a password"))?);
        let scopes = Scopes::from_bits(row.get::<_, Option<i16>>(6).unwrap_or_default() as u8);
        Ok::<_, Fault>(SignIn { password, scopes })
    });
    Ok(Member {
        id: row.get::<_, Id>(1).record(),
        name: text(row, 2)?,
        email: text(row, 3)?,
        added_at: row.get::<_, At>(4).0,
        sign_in: sign_in.transpose()?,
    })
}

fn saved_view(row: &Row) -> Result<Saved, Fault> {
    let kind = SavedKind::from_number(row.get::<_, i16>(2) as u8).ok_or(Fault::Damaged("a saved view"))?;
    Ok(Saved {
        id: row.get::<_, i64>(1) as u64,
        kind,
        name: text(row, 3)?,
        text: text(row, 4)?,
        saved_by: row.get::<_, i64>(5) as u64,
        saved_at: row.get::<_, At>(6).0,
    })
}

fn follower(row: &Row) -> Follower {
    Follower {
        id: FollowerId(row.get::<_, i64>(1) as u64),
        workspace: owner(row),
        name: row.get(2),
        settings: row.get(3),
        created_at: row.get::<_, At>(4).0,
    }
}
