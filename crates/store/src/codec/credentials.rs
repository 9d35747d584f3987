//! Workspaces and keys.

use crate::credentials::{Key, Scopes, TokenHash, Workspace};
use muster_model::{id::WorkspaceId, time::Micros};

use super::bytes::{Input, Malformed, Output};

/// The version of this layout.
pub const VERSION: u8 = 1;

pub fn encode_workspace(workspace: &Workspace, out: &mut Vec<u8>) {
    out.put_u8(VERSION);
    out.put_u32(workspace.id.0);
    out.put_text(&workspace.name);
    out.put_i64(workspace.created_at.0);
}

pub fn decode_workspace(bytes: &[u8]) -> Result<Workspace, Malformed> {
    let mut input = Input::new(bytes);
    if input.u8()? != VERSION {
        return Err(Malformed);
    }
    let id = WorkspaceId(input.u32()?);
    let workspace = Workspace { id, name: input.text()?.to_owned(), created_at: Micros(input.i64()?) };
    input.end()?;
    Ok(workspace)
}

pub fn encode_key(key: &Key, hash: &TokenHash, out: &mut Vec<u8>) {
    out.put_u8(VERSION);
    out.put_u64(key.id);
    out.put_u32(key.workspace.id.0);
    out.put_text(&key.name);
    out.put_u8(key.scopes.bits());
    out.put_i64(key.created_at.0);
    out.put_option(key.revoked_at, |out, at| out.put_i64(at.0));
    out.extend_from_slice(hash);
}

/// Reads a key; `workspace` finds the workspace by its number.
pub fn decode_key(
    bytes: &[u8],
    workspace: impl FnOnce(WorkspaceId) -> Option<Workspace>,
) -> Result<(Key, TokenHash), Malformed> {
    let mut input = Input::new(bytes);
    if input.u8()? != VERSION {
        return Err(Malformed);
    }
    let id = input.u64()?;
    let workspace = workspace(WorkspaceId(input.u32()?)).ok_or(Malformed)?;
    let name = input.text()?.to_owned();
    let scopes = Scopes::from_bits(input.u8()?);
    let created_at = Micros(input.i64()?);
    let revoked_at = input.option(Input::i64)?.map(Micros);
    let hash = input.take(32)?.try_into().map_err(|_| Malformed)?;
    input.end()?;
    Ok((Key { id, workspace, name, scopes, created_at, revoked_at }, hash))
}
