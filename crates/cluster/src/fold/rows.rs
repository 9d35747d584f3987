//! Rows of the history, and what is counted of them: names of events by day, and keys of traits.

use std::collections::BTreeMap;

use muster_model::{
    day::Day,
    id::{RecordId, WorkspaceId},
    kind::Kind,
    message::{Message, Named},
    profile::Span,
    time::Micros,
};
use muster_store::catalogue::{KnownTrait, Model, Stated};

use super::{
    census::Census,
    plan::{Plan, keep_identities},
};
use crate::{
    fault::Fault,
    sql::{
        connection::Transaction,
        values::{At, Id},
    },
};

const MESSAGES: &str = "insert into message (workspace, arrived, identity, kind, sent_at, ordered_at, received_at, organization,
        account, user_id, other, custom_object, event, record)
    select $1, * from unnest($2::int8[], $3::uuid[], $4::int2[], $5::int8[], $6::int8[], $7::int8[], $8::uuid[], $9::uuid[],
        $10::uuid[], $11::uuid[], $12::uuid[], $13::bytea[], $14::bytea[])";
const EVENT_DAYS: &str = "insert into event_day (workspace, event, day, events, first_at, last_at)
    select $1, * from unnest($2::bytea[], $3::int4[], $4::int8[], $5::int8[], $6::int8[])
    on conflict (workspace, event, day) do update set events = event_day.events + excluded.events,
        first_at = least(event_day.first_at, excluded.first_at), last_at = greatest(event_day.last_at, excluded.last_at)";
const STATED: &str = "insert into stated (workspace, kind, object, key, created_at, types)
    select $1, * from unnest($2::int2[], $3::uuid[], $4::bytea[], $5::int8[], $6::int2[])
    on conflict (workspace, kind, object, key) do update set types = stated.types | excluded.types
    where stated.types | excluded.types <> stated.types";

/// The object of traits that belong to no custom object.
pub const NO_OBJECT: Id = Id(0);

/// Writes the rows of what is stored now.
pub fn write(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    plan: &Plan<'_>,
    census: &mut Census,
) -> Result<(), Fault> {
    if plan.kept.is_empty() {
        return Ok(());
    }
    keep_identities(transaction, workspace, plan)?;
    let mut rows = Rows::default();
    let (mut days, mut stated) = (EventDays::default(), Stated::default());
    for kept in &plan.kept {
        census.arrived += 1;
        rows.add(census.arrived, &kept.message, &kept.bytes);
        days.add(&kept.message);
        stated.hear(&kept.message);
    }
    census.messages += plan.kept.len() as i64;
    rows.insert(transaction, workspace)?;
    days.insert(transaction, workspace)?;
    let all =
        stated.models().into_iter().flat_map(|model| stated.of(model).into_iter().map(move |known| (model, known)));
    insert_stated(transaction, workspace, all)
}

/// Puts messages into the table, each with how many had arrived with it and its byte form.
pub fn insert_rows<'m>(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    messages: impl Iterator<Item = (i64, &'m Message<'m>, &'m [u8])>,
) -> Result<(), Fault> {
    let mut rows = Rows::default();
    messages.for_each(|(arrived, message, bytes)| rows.add(arrived, message, bytes));
    rows.insert(transaction, workspace)
}

/// Rows, column by column.
#[derive(Default)]
struct Rows<'m> {
    arrived: Vec<i64>,
    identities: Vec<Id>,
    kinds: Vec<i16>,
    /// When it was sent, its place in the order of statements, and when it was received.
    times: [Vec<At>; 3],
    /// Organization, account, user, what else there is, custom object.
    names: [Vec<Option<Id>>; 5],
    events: Vec<Option<&'m [u8]>>,
    records: Vec<&'m [u8]>,
}

impl<'m> Rows<'m> {
    fn add(&mut self, arrived: i64, message: &'m Message<'_>, bytes: &'m [u8]) {
        self.arrived.push(arrived);
        self.identities.push(message.identity.into());
        self.kinds.push(i16::from(message.kind as u8));
        let times = [message.timestamp, message.ordered_at(), message.received_at];
        self.times.iter_mut().zip(times).for_each(|(column, at)| column.push(At(at)));
        self.names.iter_mut().zip(named(message)).for_each(|(column, id)| column.push(id.map(Id::from)));
        self.events.push(event(message).map(str::as_bytes));
        self.records.push(bytes);
    }

    fn insert(&self, transaction: &mut Transaction<'_>, workspace: WorkspaceId) -> Result<(), Fault> {
        let Rows { arrived, identities, kinds, times, names, events, records } = self;
        let [sent, ordered, received] = times;
        let [organization, account, user, other, object] = names;
        transaction.execute(
            MESSAGES,
            &[
                &(workspace.0 as i32),
                arrived,
                identities,
                kinds,
                sent,
                ordered,
                received,
                organization,
                account,
                user,
                other,
                object,
                events,
                records,
            ],
        )?;
        Ok(())
    }
}

/// The records that a message names, in the order of the table's columns.
pub fn named(message: &Message<'_>) -> [Option<RecordId>; 5] {
    let id = |named: &Option<Named<'_>>| named.as_ref().map(|named| named.id);
    let other = id(&message.instance).or(id(&message.response)).or(id(&message.anonymous));
    [id(&message.organization), id(&message.account), id(&message.user), other, id(&message.custom_object)]
}

/// The name of a track.
fn event<'m>(message: &'m Message<'_>) -> Option<&'m str> {
    (message.kind == Kind::Track).then(|| message.name.as_deref().unwrap_or_default())
}

/// How many tracks of each name there are on each day, and when.
#[derive(Default)]
pub struct EventDays(BTreeMap<(Vec<u8>, Day), (i64, Span)>);

impl EventDays {
    /// Counts a track; another message counts as nothing.
    pub fn add(&mut self, message: &Message<'_>) {
        if let Some(event) = event(message) {
            self.count(event, message.ordered_at());
        }
    }

    /// Counts a track of this name at this instant in the order of statements.
    pub fn count(&mut self, event: &str, at: Micros) {
        let (events, span) = self.0.entry((event.as_bytes().to_vec(), Day::of(at))).or_default();
        *events += 1;
        span.take_in(at);
    }

    /// Adds what was counted to what is there.
    pub fn insert(&self, transaction: &mut Transaction<'_>, workspace: WorkspaceId) -> Result<(), Fault> {
        if self.0.is_empty() {
            return Ok(());
        }
        let events: Vec<&[u8]> = self.0.keys().map(|(event, _)| event.as_slice()).collect();
        let days: Vec<i32> = self.0.keys().map(|(_, day)| day.0).collect();
        let counts: Vec<i64> = self.0.values().map(|(count, _)| *count).collect();
        let bound = |pick: fn(&Span) -> Option<Micros>| {
            self.0.values().map(|(_, span)| At(pick(span).unwrap_or_default())).collect::<Vec<At>>()
        };
        let (first, last) = (bound(Span::first), bound(Span::last));
        transaction.execute(EVENT_DAYS, &[&(workspace.0 as i32), &events, &days, &counts, &first, &last])?;
        Ok(())
    }
}

/// Adds traits to the catalogue.
pub fn insert_stated(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    stated: impl Iterator<Item = (Model, KnownTrait)>,
) -> Result<(), Fault> {
    let (mut kinds, mut objects, mut keys, mut created, mut types) = (vec![], vec![], vec![], vec![], vec![]);
    for (model, known) in stated {
        kinds.push(i16::from(model.kind as u8));
        objects.push(model.object.map_or(NO_OBJECT, Id::from));
        created.push(At(known.created_at));
        types.push(i16::from(known.types.bits()));
        keys.push(known.key.as_bytes().to_vec());
    }
    if !keys.is_empty() {
        transaction.execute(STATED, &[&(workspace.0 as i32), &kinds, &objects, &keys, &created, &types])?;
    }
    Ok(())
}
