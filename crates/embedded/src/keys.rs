//! Keys in the state store.
//!
//! All numbers are big-endian so that keys sort as the values do. Every key starts with the workspace, so that no scan
//! of one workspace can reach another's. Layouts are described in `docs/storage-format.md`; changing one needs a new
//! `FORMAT`.

use muster_model::{
    deletion::DeletionId,
    id::{Identity, ImportId, RecordId, WorkspaceId},
    kind::RecordKind,
    register::Stamp,
    time::Micros,
};
use muster_store::{catalogue::Model, refused::RefusedCursor};

/// The format of the data directory as a whole, and those before, which are read as well: the first one holds no anonymous
/// ids, the second one does not say who had an import taken back or called a deletion off.
pub const FORMAT: u64 = 3;
pub const FORMATS_BEFORE: [u64; 2] = [1, 2];

/// The key of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileKey {
    pub workspace: WorkspaceId,
    pub kind: RecordKind,
    pub id: RecordId,
}

impl ProfileKey {
    pub fn new(workspace: WorkspaceId, kind: RecordKind, id: RecordId) -> Self {
        ProfileKey { workspace, kind, id }
    }

    pub fn bytes(&self) -> [u8; 21] {
        let mut key = [0; 21];
        key[..4].copy_from_slice(&self.workspace.0.to_be_bytes());
        key[4] = self.kind as u8;
        key[5..].copy_from_slice(&self.id.0.to_be_bytes());
        key
    }

    /// Reads such a key back.
    pub fn parse(key: &[u8]) -> Option<ProfileKey> {
        let (workspace, rest) = key.split_first_chunk()?;
        let (&[kind], id) = rest.split_first_chunk()?;
        let kind = RecordKind::from_number(kind)?;
        let id = RecordId(u128::from_be_bytes(id.try_into().ok()?));
        Some(ProfileKey::new(WorkspaceId(u32::from_be_bytes(*workspace)), kind, id))
    }
}

/// The prefix of a kind of record in a list's order.
pub fn list_prefix(workspace: WorkspaceId, kind: RecordKind) -> [u8; 5] {
    let mut key = [0; 5];
    key[..4].copy_from_slice(&workspace.0.to_be_bytes());
    key[4] = kind as u8;
    key
}

/// A record's place in a list by a time of receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimePlace {
    pub at: Micros,
    pub id: RecordId,
}

/// A record's place in a list: newest first, then by id.
pub fn list_key(workspace: WorkspaceId, kind: RecordKind, cursor: TimePlace) -> [u8; 29] {
    let mut key = [0; 29];
    key[..5].copy_from_slice(&list_prefix(workspace, kind));
    key[5..13].copy_from_slice(&(!ascending(cursor.at)).to_be_bytes());
    key[13..].copy_from_slice(&cursor.id.0.to_be_bytes());
    key
}

/// Reads a list key back.
pub fn parse_list_key(key: &[u8]) -> Option<TimePlace> {
    let at = u64::from_be_bytes(key.get(5..13)?.try_into().ok()?);
    let id = u128::from_be_bytes(key.get(13..29)?.try_into().ok()?);
    Some(TimePlace { at: from_ascending(!at), id: RecordId(id) })
}

/// The record in such a key.
pub fn parse_list_record(key: &[u8]) -> Option<ProfileKey> {
    let (head, place) = (key.first_chunk::<5>()?, parse_list_key(key)?);
    let [ws @ .., kind] = *head;
    Some(ProfileKey::new(WorkspaceId(u32::from_be_bytes(ws)), RecordKind::from_number(kind)?, place.id))
}

/// The prefix of a kind of record in a list by a field.
pub fn field_prefix(workspace: WorkspaceId, kind: RecordKind, field: u64) -> [u8; 13] {
    let mut key = [0; 13];
    key[..5].copy_from_slice(&list_prefix(workspace, kind));
    key[5..].copy_from_slice(&field.to_be_bytes());
    key
}

/// A record's place in a list by a field.
pub fn field_key(workspace: WorkspaceId, kind: RecordKind, field: u64, value: [u8; 9], id: RecordId) -> [u8; 38] {
    let mut key = [0; 38];
    key[..13].copy_from_slice(&field_prefix(workspace, kind, field));
    key[13..22].copy_from_slice(&value);
    key[22..].copy_from_slice(&id.0.to_be_bytes());
    key
}

/// The value and the record in such a key.
pub fn parse_field_key(key: &[u8]) -> Option<([u8; 9], RecordId)> {
    let value = key.get(13..22)?.try_into().ok()?;
    Some((value, RecordId(u128::from_be_bytes(key.get(22..38)?.try_into().ok()?))))
}

/// The key of a trait in the catalogue of a model.
pub fn stated_key(workspace: WorkspaceId, model: Model, key: &str) -> Vec<u8> {
    let object = model.object.unwrap_or(RecordId(0));
    let mut bytes = ProfileKey::new(workspace, model.kind, object).bytes().to_vec();
    bytes.extend_from_slice(key.as_bytes());
    bytes
}

/// The prefix of a record's children of one kind.
pub fn children_prefix(workspace: WorkspaceId, parent: (RecordKind, RecordId), children: RecordKind) -> [u8; 22] {
    let mut key = [0; 22];
    key[..21].copy_from_slice(&ProfileKey::new(workspace, parent.0, parent.1).bytes());
    key[21] = children as u8;
    key
}

/// A child's place among a record's children.
pub fn child_key(workspace: WorkspaceId, parent: (RecordKind, RecordId), child: (RecordKind, RecordId)) -> [u8; 38] {
    let mut key = [0; 38];
    key[..22].copy_from_slice(&children_prefix(workspace, parent, child.0));
    key[22..].copy_from_slice(&child.1.0.to_be_bytes());
    key
}

/// The child that a key names.
pub fn parse_child_key(key: &[u8]) -> Option<RecordId> {
    Some(RecordId(u128::from_be_bytes(key.get(22..38)?.try_into().ok()?)))
}

/// The prefix of the statements about a user and parents of one kind.
pub fn statements_prefix(workspace: WorkspaceId, user: RecordId, parents: RecordKind) -> [u8; 21] {
    ProfileKey::new(workspace, parents, user).bytes()
}

/// A statement's place in the order of statements.
pub fn statement_key(workspace: WorkspaceId, user: RecordId, parents: RecordKind, stamp: Stamp) -> [u8; 45] {
    let mut key = [0; 45];
    key[..21].copy_from_slice(&statements_prefix(workspace, user, parents));
    key[21..29].copy_from_slice(&ascending(stamp.at).to_be_bytes());
    key[29..].copy_from_slice(&stamp.by.0.to_be_bytes());
    key
}

/// The stamp in a statement's key.
pub fn parse_statement_key(key: &[u8]) -> Option<Stamp> {
    let at = u64::from_be_bytes(key.get(21..29)?.try_into().ok()?);
    let by = u128::from_be_bytes(key.get(29..45)?.try_into().ok()?);
    Some(Stamp { at: from_ascending(at), by: Identity(by) })
}

/// The key of a message's identity.
pub fn identity_key(workspace: WorkspaceId, identity: Identity) -> [u8; 20] {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&workspace.0.to_be_bytes());
    key[4..].copy_from_slice(&identity.0.to_be_bytes());
    key
}

/// The message that such a key names.
pub fn parse_identity_key(key: &[u8]) -> Option<(WorkspaceId, Identity)> {
    let (workspace, identity) = key.split_first_chunk()?;
    let identity = u128::from_be_bytes(identity.try_into().ok()?);
    Some((WorkspaceId(u32::from_be_bytes(*workspace)), Identity(identity)))
}

/// A set-aside message's place in the list of them: newest first, among equals the greatest id first.
pub fn refused_key(workspace: WorkspaceId, cursor: RefusedCursor) -> [u8; 28] {
    let mut key = [0; 28];
    key[..4].copy_from_slice(&workspace.0.to_be_bytes());
    key[4..12].copy_from_slice(&(!ascending(cursor.received_at)).to_be_bytes());
    key[12..].copy_from_slice(&(!cursor.id.0).to_be_bytes());
    key
}

/// Reads such a place back.
pub fn parse_refused_key(key: &[u8]) -> Option<RefusedCursor> {
    let at = u64::from_be_bytes(key.get(4..12)?.try_into().ok()?);
    let id = u128::from_be_bytes(key.get(12..28)?.try_into().ok()?);
    Some(RefusedCursor { received_at: from_ascending(!at), id: muster_store::refused::RefusedId(!id) })
}

/// Where a set-aside message lies in that list.
pub fn refused_id_key(workspace: WorkspaceId, id: muster_store::refused::RefusedId) -> [u8; 20] {
    identity_key(workspace, Identity(id.0))
}

/// A deletion's place in the list of them: newest first.
pub fn deletion_key(workspace: WorkspaceId, id: DeletionId) -> [u8; 20] {
    identity_key(workspace, Identity(!id.0))
}

/// An import's place among those of its workspace: oldest first.
pub fn import_key(workspace: WorkspaceId, id: ImportId) -> [u8; 8] {
    let mut key = [0; 8];
    key[..4].copy_from_slice(&workspace.0.to_be_bytes());
    key[4..].copy_from_slice(&id.0.to_be_bytes());
    key
}

/// The workspace and the import that a key begins with.
pub fn parse_import_key(key: &[u8]) -> Option<(WorkspaceId, ImportId)> {
    let workspace = u32::from_be_bytes(key.get(..4)?.try_into().ok()?);
    let id = u32::from_be_bytes(key.get(4..8)?.try_into().ok()?);
    Some((WorkspaceId(workspace), ImportId(id)))
}

/// A message that was taken back with an import.
pub fn taken_key(workspace: WorkspaceId, id: ImportId, identity: Identity) -> [u8; 24] {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&import_key(workspace, id));
    key[8..].copy_from_slice(&identity.0.to_be_bytes());
    key
}

/// The message that such a key names.
pub fn parse_taken_key(key: &[u8]) -> Option<Identity> {
    Some(Identity(u128::from_be_bytes(key.get(8..24)?.try_into().ok()?)))
}

/// The workspace and the deletion that a key names.
pub fn parse_deletion_key(key: &[u8]) -> Option<(WorkspaceId, DeletionId)> {
    let workspace = u32::from_be_bytes(key.get(..4)?.try_into().ok()?);
    let id = u128::from_be_bytes(key.get(4..20)?.try_into().ok()?);
    Some((WorkspaceId(workspace), DeletionId(!id)))
}

/// Instants as numbers that sort as instants do, before 1970 too.
pub fn ascending(at: Micros) -> u64 {
    (at.0 as u64) ^ (1 << 63)
}

pub fn from_ascending(number: u64) -> Micros {
    Micros((number ^ (1 << 63)) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_keys_sort_newest_first_and_read_back() {
        let key = |at, id| list_key(WorkspaceId(1), RecordKind::User, TimePlace { at: Micros(at), id: RecordId(id) });
        let order = [key(5, 1), key(5, 2), key(0, 9), key(-5, 0), key(i64::MIN, 0)];
        assert!(order.is_sorted());
        assert_eq!(parse_list_key(&order[3]), Some(TimePlace { at: Micros(-5), id: RecordId(0) }));
        let stamp = Stamp { at: Micros(-7), by: Identity(3) };
        let key = statement_key(WorkspaceId(1), RecordId(4), RecordKind::Account, stamp);
        assert_eq!(parse_statement_key(&key), Some(stamp));
    }
}
