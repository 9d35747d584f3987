//! Messages from rows.
//!
//! A row holds a message as it was sent; what the engine derived of it, its ids and its identity, is derived again.

use std::{borrow::Cow, ops::Range};

use arrow_array::{Array, BooleanArray, FixedSizeBinaryArray, RecordBatch};
use muster_model::{
    id::{IdSpace, Identity, IdentityParts, RecordId},
    kind::{Kind, RecordKind},
    kinds::fields::traits_of,
    message::{Message, Named},
    time::Micros,
};
use muster_store::{error::ReadError, record::external_kind};

use super::{
    footers::Footer,
    manifest::unreadable,
    scan::{self, Texts, plain, times},
    schema,
};

/// What a row says.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    kind: Kind,
    identity: Identity,
    timestamp: Micros,
    timestamp_given: bool,
    received_at: Micros,
    organization: Option<String>,
    account: Option<String>,
    user: Option<String>,
    external: Option<String>,
    custom_object: Option<String>,
    name: Option<String>,
    message_id: Option<String>,
    data: String,
}

/// The columns that a track is made of.
pub const OF_TRACKS: &[usize] = &[
    schema::KIND,
    schema::TIMESTAMP,
    schema::RECEIVED_AT,
    schema::ORGANIZATION_ID,
    schema::ACCOUNT_ID,
    schema::USER_ID,
    schema::EXTERNAL_ID,
    schema::EVENT,
    schema::MESSAGE_ID,
    schema::PROPERTIES,
    schema::IDENTITY,
];

/// The columns that any other message is made of.
pub const OF_OTHERS: &[usize] = &[
    schema::KIND,
    schema::TIMESTAMP,
    schema::RECEIVED_AT,
    schema::TIMESTAMP_GIVEN,
    schema::ORGANIZATION_ID,
    schema::ACCOUNT_ID,
    schema::USER_ID,
    schema::EXTERNAL_ID,
    schema::CUSTOM_OBJECT_ID,
    schema::NAME,
    schema::MESSAGE_ID,
    schema::TRAITS,
    schema::IDENTITY,
];

/// The messages in the rows with these numbers, which are sorted.
pub fn read(footer: &Footer, numbers: &[u64], columns: &[usize]) -> Result<Vec<StoredMessage>, ReadError> {
    let mut rows: Vec<Range<u64>> = Vec::new();
    for number in numbers {
        match rows.last_mut() {
            Some(last) if last.end == *number => last.end += 1,
            _ => rows.push(*number..*number + 1),
        }
    }
    let mut found = Vec::with_capacity(numbers.len());
    scan::read(footer, &rows, columns, |_, batch| {
        for row in 0..batch.num_rows() {
            let message = stored(batch, row);
            found.push(message.ok_or_else(|| unreadable(&footer.segment, &"unexpected columns"))?);
        }
        Ok(())
    })?;
    Ok(found)
}

fn stored(batch: &RecordBatch, row: usize) -> Option<StoredMessage> {
    let given = |column: usize| batch.column_by_name(schema::WRITTEN.field(column).name()).is_some();
    let text = |column: usize| {
        if !given(column) {
            return Some(None);
        }
        Some(Texts::of(batch, column)?.get(row).map(str::to_owned))
    };
    let long = |column: usize| {
        if !given(column) {
            return Some(None);
        }
        let array = plain(batch, column)?;
        Some((!array.is_null(row)).then(|| array.value(row).to_owned()))
    };
    let kind = Texts::of(batch, schema::KIND)?.get(row)?;
    let kind = Kind::from_name(kind)?;
    let timestamp_given = match batch.column_by_name(schema::WRITTEN.field(schema::TIMESTAMP_GIVEN).name()) {
        Some(column) => column.as_any().downcast_ref::<BooleanArray>()?.value(row),
        None => true,
    };
    let identity = batch.column_by_name(schema::WRITTEN.field(schema::IDENTITY).name())?;
    let identity = identity.as_any().downcast_ref::<FixedSizeBinaryArray>()?;
    let identity = (!identity.is_null(row)).then(|| identity.value(row));
    let track = kind == Kind::Track;
    let mut message = StoredMessage {
        kind,
        identity: Identity(0),
        timestamp: Micros(times(batch, schema::TIMESTAMP)?.value(row)),
        timestamp_given,
        received_at: Micros(times(batch, schema::RECEIVED_AT)?.value(row)),
        organization: text(schema::ORGANIZATION_ID)?,
        account: text(schema::ACCOUNT_ID)?,
        user: text(schema::USER_ID)?,
        external: text(schema::EXTERNAL_ID)?,
        custom_object: text(schema::CUSTOM_OBJECT_ID)?,
        name: text(if track { schema::EVENT } else { schema::NAME })?,
        message_id: long(schema::MESSAGE_ID)?,
        data: long(if track { schema::PROPERTIES } else { schema::TRAITS })?.unwrap_or_default(),
    };
    message.identity = match identity {
        Some(bytes) => Identity(u128::from_be_bytes(bytes.try_into().ok()?)),
        None => message.derived_identity()?,
    };
    Some(message)
}

impl StoredMessage {
    /// With a `messageId` the identity follows from it and the ids.
    fn derived_identity(&self) -> Option<Identity> {
        let parts = IdentityParts {
            kind: self.kind,
            organization_id: self.organization.as_deref(),
            account_id: self.account.as_deref(),
            user_id: self.user.as_deref(),
            // Who is anonymous is no part of an identity.
            external_id: self.external.as_deref().filter(|_| external_kind(self.kind) != RecordKind::Anonymous),
            custom_object_id: self.custom_object.as_deref(),
            message_id: Some(self.message_id.as_deref()?),
            content: 0,
        };
        Some(parts.identity())
    }

    /// The message, as far as its columns were read; without the members that no column renders, and without the digest
    /// that only the duplicate check needs.
    pub fn message(&self, ids: IdSpace) -> Message<'_> {
        fn named(name: &Option<String>, id: impl FnOnce(&str) -> RecordId) -> Option<Named<'_>> {
            let name = name.as_deref()?;
            Some(Named { id: id(name), external_id: Cow::Borrowed(name) })
        }
        let record = |kind: RecordKind| move |name: &str| ids.record(kind, name);
        let external = |kind| if external_kind(self.kind) == kind { &self.external } else { &None };
        let object = self.custom_object.as_deref().unwrap_or_default();
        let traits = if self.kind == Kind::Track { Vec::new() } else { traits_of(&self.data) };
        Message {
            kind: self.kind,
            identity: self.identity,
            content: 0,
            timestamp: self.timestamp,
            timestamp_given: self.timestamp_given,
            received_at: self.received_at,
            organization: named(&self.organization, record(RecordKind::Organization)),
            account: named(&self.account, record(RecordKind::Account)),
            user: named(&self.user, record(RecordKind::User)),
            custom_object: named(&self.custom_object, |name| ids.custom_object(name)),
            instance: named(external(RecordKind::Instance), |name| ids.instance(object, name)),
            response: named(external(RecordKind::NpsResponse), record(RecordKind::NpsResponse)),
            anonymous: named(external(RecordKind::Anonymous), record(RecordKind::Anonymous)),
            message_id: self.message_id.as_deref().map(Cow::Borrowed),
            name: self.name.as_deref().map(Cow::Borrowed),
            data: &self.data,
            traits,
            rest: Cow::Borrowed(""),
        }
    }
}
