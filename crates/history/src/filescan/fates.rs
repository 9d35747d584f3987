//! What deletions leave of stored rows while their bytes are still there.
//!
//! Never asked while nothing is being deleted.

use crate::schema;
use arrow_array::{RecordBatch, TimestampMicrosecondArray};
use muster_model::{
    deletion::{self, Fate, reach},
    kind::{Kind, RecordKind},
    message::Message,
    time::Micros,
};
use muster_store::{record::external_kind, rows::Column};

use super::{
    Ground,
    columns::{Kinds, Texts},
};

/// A stored message without the names of deleted records.
pub fn redacted<'a>(ground: &dyn Ground, mut message: Message<'a>) -> Message<'a> {
    let names = [
        (RecordKind::Organization, &mut message.organization),
        (RecordKind::Account, &mut message.account),
        (RecordKind::Anonymous, &mut message.anonymous),
    ];
    for (kind, named) in names {
        if let Some(named) = named {
            named.id = ground.ids().record(kind, &named.external_id);
        }
    }
    message.redacted(|id, reach| ground.veil().hides(id, reach))
}

/// What deletions leave of each row; nothing when nothing is being deleted. `None` when the columns are not what they
/// should be.
pub fn fates(
    ground: &dyn Ground,
    rows: &RecordBatch,
    kinds: &Kinds<'_>,
    times: &TimestampMicrosecondArray,
    receipts: &TimestampMicrosecondArray,
) -> Option<Vec<Fate>> {
    if ground.veil().is_empty() {
        return Some(Vec::new());
    }
    let organizations = Texts::of(rows, schema::ORGANIZATION_ID)?;
    let (accounts, users) = (Texts::of(rows, schema::ACCOUNT_ID)?, Texts::of(rows, schema::USER_ID)?);
    let (externals, objects) = (Texts::of(rows, schema::EXTERNAL_ID)?, Texts::of(rows, schema::CUSTOM_OBJECT_ID)?);
    let ids = ground.ids();
    let fate = |row: usize| {
        let of = |kind, name: Option<&str>| name.map(|name| (kind, ids.record(kind, name)));
        let external = match (objects.get(row), kinds.get(row).map(external_kind)) {
            (Some(object), Some(RecordKind::Instance)) => {
                externals.get(row).map(|name| (RecordKind::Instance, ids.instance(object, name)))
            }
            (_, kind) => of(kind?, externals.get(row)),
        };
        let object = objects.get(row).map(|name| (RecordKind::CustomObject, ids.custom_object(name)));
        let names = [
            of(RecordKind::Organization, organizations.get(row)),
            of(RecordKind::Account, accounts.get(row)),
            of(RecordKind::User, users.get(row)),
            external,
            object,
        ];
        let reach = reach(Micros(times.value(row)), Micros(receipts.value(row)));
        // A kind that no scan asks for is not looked at.
        let Some(kind) = kinds.get(row) else { return Some(Fate::Keep) };
        Some(deletion::fate(kind, names.into_iter().flatten(), reach, |id, reach| ground.veil().hides(id, reach)))
    };
    (0..rows.num_rows()).map(fate).collect()
}

/// Whether the text of a column is shown of a row of this kind that has this fate.
pub fn shows(ground: &dyn Ground, column: Column, (kind, fate): (Option<Kind>, Option<&Fate>), text: &str) -> bool {
    let named = match column {
        Column::Account => Some(RecordKind::Account),
        Column::Organization => Some(RecordKind::Organization),
        // Who is anonymous has no column.
        Column::External => return kind.is_some_and(|kind| external_kind(kind) != RecordKind::Anonymous),
        _ => None,
    };
    match (fate, named) {
        (Some(Fate::Redact), Some(kind)) => ground.veil().deleted_at(ground.ids().record(kind, text)).is_none(),
        _ => true,
    }
}
