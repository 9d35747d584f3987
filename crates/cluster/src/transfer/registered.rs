//! What every node holds in memory, as it is taken over: workspaces, keys, members and saved views.
//! Changes nothing else.

use muster_store::transfer::Piece;

use crate::{
    fault::Fault,
    sql::{
        connection::Transaction,
        values::{At, Id},
    },
};

const WORKSPACE: &str = "insert into workspace (id, name, created_at) values ($1, $2, $3) on conflict do nothing";
const CENSUS: &str = "insert into census (workspace) values ($1) on conflict do nothing";
const KEY: &str = "insert into access_key (id, workspace, name, scopes, token_hash, created_at, revoked_at)
    values ($1, $2, $3, $4, $5, $6, $7)";
const MEMBER: &str = "insert into member (workspace, id, name, email, added_at, password, scopes)
    values ($1, $2, $3, $4, $5, $6, $7)";
const SAVED: &str = "insert into saved (workspace, id, kind, name, body, saved_by, saved_at)
    values ($1, $2, $3, $4, $5, $6, $7)";
const COUNTER: &str = "insert into counter (workspace, name, last) values ($1, $2, $3)
    on conflict (workspace, name) do update set last = greatest(counter.last, excluded.last)";

/// Keeps the last number that was given to something in a workspace.
pub fn count(transaction: &mut Transaction<'_>, workspace: i32, name: &str, last: i64) -> Result<(), Fault> {
    transaction.execute(COUNTER, &[&workspace, &name, &last])?;
    Ok(())
}

/// Every node is to look at it again.
pub fn changed(transaction: &mut Transaction<'_>) -> Result<(), Fault> {
    transaction.execute("update registry set version = version + 1", &[])?;
    Ok(())
}

/// Takes a piece over; a workspace may be there already.
pub fn insert(transaction: &mut Transaction<'_>, piece: &Piece) -> Result<(), Fault> {
    match piece {
        Piece::Workspace(workspace) => {
            let id = workspace.id.0 as i32;
            transaction.execute(WORKSPACE, &[&id, &workspace.name, &At(workspace.created_at)])?;
            transaction.execute(CENSUS, &[&id])?;
        }
        Piece::Key(key, hash) => {
            let (id, of, scopes) = (key.id as i64, key.workspace.id.0 as i32, i16::from(key.scopes.bits()));
            let (name, revoked_at) = (key.name.as_bytes(), key.revoked_at.map(At));
            let params: [&(dyn postgres::types::ToSql + Sync); 7] =
                [&id, &of, &name, &scopes, &hash.as_slice(), &At(key.created_at), &revoked_at];
            transaction.execute(KEY, &params)?;
        }
        Piece::Member(of, member) => {
            let sign_in = member.sign_in.as_ref();
            let password = sign_in.map(|sign_in| sign_in.password.0.as_bytes());
            let scopes = sign_in.map(|sign_in| i16::from(sign_in.scopes.bits()));
            let params: [&(dyn postgres::types::ToSql + Sync); 7] = [
                &(of.0 as i32),
                &Id::from(member.id),
                &member.name.as_bytes(),
                &member.email.as_bytes(),
                &At(member.added_at),
                &password,
                &scopes,
            ];
            transaction.execute(MEMBER, &params)?;
        }
        Piece::Saved(of, saved) => {
            let (id, kind, by) = (saved.id as i64, i16::from(saved.kind as u8), saved.saved_by as i64);
            let params: [&(dyn postgres::types::ToSql + Sync); 7] =
                [&(of.0 as i32), &id, &kind, &saved.name.as_bytes(), &saved.text.as_bytes(), &by, &At(saved.saved_at)];
            transaction.execute(SAVED, &params)?;
        }
        Piece::LastSaved(of, last) if *last > 0 => {
            count(transaction, of.0 as i32, "saved", *last as i64)?;
        }
        _ => {}
    }
    Ok(())
}
