//! Writing what a sheet has changed: records, their places in lists, what searches find them by, statements and children.

use std::sync::Arc;

use muster_model::{deletion::Subject, kind::RecordKind, profile::Profile};
use muster_store::{
    codec,
    lists::{kept_seen, values::Value},
};

use super::{
    census::Census,
    grams,
    places::places,
    sheet::{Sheet, Slot},
};
use crate::{
    fault::Fault,
    sql::{
        connection::Transaction,
        values::{At, Id},
    },
};

const PROFILES: &str = "insert into profile (workspace, kind, id, created_at, updated_at, stale, body)
    select $1, * from unnest($2::int2[], $3::uuid[], $4::int8[], $5::int8[], $6::bool[], $7::bytea[])
    on conflict (workspace, kind, id) do update set created_at = excluded.created_at, updated_at = excluded.updated_at,
        stale = excluded.stale, body = excluded.body";
const GONE: &str = "delete from profile using unnest($2::int2[], $3::uuid[]) as gone (kind, id)
    where profile.workspace = $1 and profile.kind = gone.kind and profile.id = gone.id";
const PLACES: &str = "insert into place (workspace, kind, field, value, id)
    select $1, * from unnest($2::int2[], $3::int8[], $4::bytea[], $5::uuid[])";
const NO_PLACES: &str =
    "delete from place using unnest($2::int2[], $3::int8[], $4::bytea[], $5::uuid[]) as gone (kind, field,
        value, id)
    where place.workspace = $1 and place.kind = gone.kind and place.field = gone.field and place.value = gone.value
        and place.id = gone.id";
const SEARCHABLE: &str = "insert into searchable (workspace, kind, id, grams)
    select $1, kind, id, string_to_array(grams, ',')::int8[]
    from unnest($2::int2[], $3::uuid[], $4::text[]) as found (kind, id, grams)
    on conflict (workspace, kind, id) do update set grams = excluded.grams";
const NOT_SEARCHABLE: &str = "delete from searchable using unnest($2::int2[], $3::uuid[]) as gone (kind, id)
    where searchable.workspace = $1 and searchable.kind = gone.kind and searchable.id = gone.id";
const STATEMENTS: &str = "insert into statement (workspace, parents, about, ordered_at, identity, parent, links)
    select $1, * from unnest($2::int2[], $3::uuid[], $4::int8[], $5::uuid[], $6::uuid[], $7::bool[])
    on conflict (workspace, parents, about, ordered_at, identity) do update set parent = excluded.parent, links = excluded.links";
const CHILDREN: &str = "insert into child (workspace, parent_kind, parent, kind, id)
    select $1, * from unnest($2::int2[], $3::uuid[], $4::int2[], $5::uuid[]) on conflict do nothing";

/// Writes it all, and counts records that are new or gone.
pub fn write(sheet: Sheet<'_, '_>, census: &mut Census) -> Result<(), Fault> {
    let Sheet { book, slots, said, related } = sheet;
    let mut transaction = book.transaction();
    let transaction = &mut *transaction;
    let slots = slots.into_inner();
    let changed: Vec<(&Subject, &Slot)> = slots.iter().filter(|(_, slot)| is_changed(slot)).collect();
    write_profiles(transaction, census, &changed)?;
    write_places(transaction, census.workspace, &changed)?;
    write_searchable(transaction, census.workspace, &changed)?;
    if !said.is_empty() {
        let all = || said.iter().flat_map(|(about, said)| said.iter().map(move |statement| (about, statement)));
        // A message said twice in one transaction says it once.
        let mut rows: Vec<_> = all().map(|(about, said)| (*about, said.stamp, said.parent, said.links)).collect();
        rows.sort_unstable();
        rows.dedup_by_key(|(about, stamp, ..)| (*about, *stamp));
        let parents: Vec<i16> = rows.iter().map(|((kind, _), ..)| number(*kind)).collect();
        let about: Vec<Id> = rows.iter().map(|((_, id), ..)| Id::from(*id)).collect();
        let at: Vec<At> = rows.iter().map(|(_, stamp, ..)| At(stamp.at)).collect();
        let by: Vec<Id> = rows.iter().map(|(_, stamp, ..)| Id::from(stamp.by)).collect();
        let parent: Vec<Id> = rows.iter().map(|(_, _, parent, _)| Id::from(*parent)).collect();
        let links: Vec<bool> = rows.iter().map(|(.., links)| *links).collect();
        transaction.execute(STATEMENTS, &[&census.workspace, &parents, &about, &at, &by, &parent, &links])?;
    }
    if !related.is_empty() {
        let parent_kinds: Vec<i16> = related.iter().map(|((kind, _), _)| number(*kind)).collect();
        let parents: Vec<Id> = related.iter().map(|((_, id), _)| Id::from(*id)).collect();
        let kinds: Vec<i16> = related.iter().map(|(_, (kind, _))| number(*kind)).collect();
        let children: Vec<Id> = related.iter().map(|(_, (_, id))| Id::from(*id)).collect();
        transaction.execute(CHILDREN, &[&census.workspace, &parent_kinds, &parents, &kinds, &children])?;
    }
    Ok(())
}

fn is_changed(slot: &Slot) -> bool {
    match (&slot.before, &slot.now) {
        (None, None) => false,
        (Some(before), Some(now)) => !Arc::ptr_eq(before, now) && before != now,
        _ => true,
    }
}

fn write_profiles(
    transaction: &mut Transaction<'_>,
    census: &mut Census,
    changed: &[(&Subject, &Slot)],
) -> Result<(), Fault> {
    let mut kept: Vec<&Profile> = Vec::new();
    let (mut gone_kinds, mut gone_ids) = (Vec::new(), Vec::new());
    for ((kind, id), slot) in changed {
        match (&slot.before, &slot.now) {
            (_, Some(now)) => {
                census.count(*kind, i64::from(slot.before.is_none()));
                kept.push(now);
            }
            (Some(_), None) => {
                census.count(*kind, -1);
                gone_kinds.push(number(*kind));
                gone_ids.push(Id::from(*id));
            }
            (None, None) => {}
        }
    }
    if !gone_ids.is_empty() {
        transaction.execute(GONE, &[&census.workspace, &gone_kinds, &gone_ids])?;
    }
    if kept.is_empty() {
        return Ok(());
    }
    let kinds: Vec<i16> = kept.iter().map(|profile| number(profile.kind())).collect();
    let ids: Vec<Id> = kept.iter().map(|profile| Id::from(profile.id)).collect();
    let created: Vec<At> = kept.iter().map(|profile| At(profile.created_at)).collect();
    let updated: Vec<At> = kept.iter().map(|profile| At(profile.updated_at)).collect();
    let stale: Vec<bool> = kept.iter().map(|profile| !kept_seen(profile).1).collect();
    kept.iter().zip(&stale).filter(|(_, stale)| **stale).for_each(|(profile, _)| census.doubt(profile.kind()));
    let encoded = |profile: &&Profile| {
        let mut bytes = Vec::new();
        codec::profile::encode(profile, &mut bytes);
        bytes
    };
    let bodies: Vec<Vec<u8>> = kept.iter().map(encoded).collect();
    transaction.execute(PROFILES, &[&census.workspace, &kinds, &ids, &created, &updated, &stale, &bodies])?;
    Ok(())
}

/// Places that appear and places that go.
#[derive(Default)]
struct Moves {
    kinds: Vec<i16>,
    fields: Vec<i64>,
    values: Vec<Vec<u8>>,
    ids: Vec<Id>,
}

impl Moves {
    fn add(&mut self, (kind, id): Subject, (field, value): (i64, Value)) {
        self.kinds.push(number(kind));
        self.fields.push(field);
        self.values.push(value.to_vec());
        self.ids.push(id.into());
    }

    fn make(&self, transaction: &mut Transaction<'_>, sql: &'static str, workspace: i32) -> Result<(), Fault> {
        if !self.ids.is_empty() {
            transaction.execute(sql, &[&workspace, &self.kinds, &self.fields, &self.values, &self.ids])?;
        }
        Ok(())
    }
}

fn write_places(transaction: &mut Transaction<'_>, workspace: i32, changed: &[(&Subject, &Slot)]) -> Result<(), Fault> {
    let (mut appear, mut go) = (Moves::default(), Moves::default());
    let of = |profile: &Option<Arc<Profile>>| profile.as_ref().map(|profile| places(profile)).unwrap_or_default();
    for (subject, slot) in changed {
        let (before, now) = (of(&slot.before), of(&slot.now));
        now.iter().filter(|place| before.binary_search(place).is_err()).for_each(|place| appear.add(**subject, *place));
        before.iter().filter(|place| now.binary_search(place).is_err()).for_each(|place| go.add(**subject, *place));
    }
    go.make(transaction, NO_PLACES, workspace)?;
    appear.make(transaction, PLACES, workspace)
}

fn write_searchable(
    transaction: &mut Transaction<'_>,
    workspace: i32,
    changed: &[(&Subject, &Slot)],
) -> Result<(), Fault> {
    let (mut kinds, mut ids, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut gone_kinds, mut gone_ids) = (Vec::new(), Vec::new());
    let of = |profile: &Option<Arc<Profile>>| profile.as_ref().map(|profile| grams::of(workspace, profile));
    for ((kind, id), slot) in changed {
        let (before, now) = (of(&slot.before).unwrap_or_default(), of(&slot.now).unwrap_or_default());
        if now == before {
            continue;
        }
        if now.is_empty() {
            gone_kinds.push(number(*kind));
            gone_ids.push(Id::from(*id));
            continue;
        }
        kinds.push(number(*kind));
        ids.push(Id::from(*id));
        // Arrays of arrays have one length for all; a text a record has not.
        texts.push(now.iter().map(i64::to_string).collect::<Vec<String>>().join(","));
    }
    if !gone_ids.is_empty() {
        transaction.execute(NOT_SEARCHABLE, &[&workspace, &gone_kinds, &gone_ids])?;
    }
    if !ids.is_empty() {
        transaction.execute(SEARCHABLE, &[&workspace, &kinds, &ids, &texts])?;
    }
    Ok(())
}

/// The number of a kind of record.
pub fn number(kind: RecordKind) -> i16 {
    i16::from(kind as u8)
}
