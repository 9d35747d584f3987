//! Rows of a file, column by column.
//!
//! Columns whose values repeat come as dictionaries; a question about a value is then answered once a batch. `None`
//! stands for a column that is not what the schema says, which a caller turns into an error about the file.

use crate::schema;
use arrow_array::{
    Array, BooleanArray, DictionaryArray, FixedSizeBinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray,
    types::Int32Type,
};
use muster_model::{
    id::{Identity, RecordId},
    kind::{Kind, RecordKind},
    message::{Message, Named},
    time::Micros,
};

use muster_store::record::external_kind;

/// A text column in either form.
pub enum Texts<'a> {
    Repeating { keys: &'a DictionaryArray<Int32Type>, values: &'a StringArray },
    Plain(&'a StringArray),
}

impl<'a> Texts<'a> {
    /// The column of a batch.
    pub fn of(batch: &'a RecordBatch, column: usize) -> Option<Self> {
        let array = batch.column_by_name(schema::WRITTEN.field(column).name())?.as_any();
        if let Some(keys) = array.downcast_ref::<DictionaryArray<Int32Type>>() {
            return Some(Texts::Repeating { keys, values: keys.values().as_any().downcast_ref()? });
        }
        Some(Texts::Plain(array.downcast_ref()?))
    }

    /// The text of a row, if it has one.
    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Texts::Repeating { keys, values } => keys.key(row).map(|key| values.value(key)),
            Texts::Plain(texts) => (!texts.is_null(row)).then(|| texts.value(row)),
        }
    }

    /// For each row, whether its text answers the question; a row without one does not.
    pub fn answers(&self, rows: usize, question: impl Fn(&str) -> bool) -> Vec<bool> {
        match self {
            Texts::Repeating { keys, values } => {
                let answers: Vec<bool> = values.iter().map(|value| value.is_some_and(&question)).collect();
                if !answers.contains(&true) {
                    return vec![false; rows];
                }
                let of = |row| keys.key(row).is_some_and(|key| answers.get(key).copied().unwrap_or(false));
                (0..rows).map(of).collect()
            }
            Texts::Plain(texts) => (0..rows).map(|row| !texts.is_null(row) && question(texts.value(row))).collect(),
        }
    }
}

/// A column of instants.
pub fn instants(batch: &RecordBatch, column: usize) -> Option<&TimestampMicrosecondArray> {
    batch.column_by_name(schema::WRITTEN.field(column).name())?.as_any().downcast_ref()
}

/// Kinds of the rows.
pub struct Kinds<'a>(Texts<'a>);

impl<'a> Kinds<'a> {
    pub fn of(batch: &'a RecordBatch) -> Option<Self> {
        Texts::of(batch, schema::KIND).map(Kinds)
    }

    pub fn get(&self, row: usize) -> Option<Kind> {
        self.0.get(row).and_then(Kind::from_name)
    }

    /// For each row, whether its kind is one of these.
    pub fn among(&self, rows: usize, kinds: &[Kind]) -> Vec<bool> {
        self.0.answers(rows, |kind| Kind::from_name(kind).is_some_and(|kind| kinds.contains(&kind)))
    }
}

/// A whole row as a message. It has no record ids and no digest, which nothing that is shown needs.
pub fn message(batch: &RecordBatch, row: usize) -> Option<Message<'_>> {
    let text = |column: usize| Some(Texts::of(batch, column)?.get(row));
    let named = |column: usize| {
        Some(text(column)?.map(|external_id| Named { id: RecordId(0), external_id: external_id.into() }))
    };
    let given = batch.column_by_name(schema::WRITTEN.field(schema::TIMESTAMP_GIVEN).name())?;
    let identities = batch.column_by_name(schema::WRITTEN.field(schema::IDENTITY).name())?;
    let identities = identities.as_any().downcast_ref::<FixedSizeBinaryArray>()?;
    let identity = match identities.is_null(row) {
        true => None,
        false => Some(Identity(u128::from_be_bytes(identities.value(row).try_into().ok()?))),
    };
    let kind = Kinds::of(batch)?.get(row)?;
    let track = kind == Kind::Track;
    let mut message = Message {
        kind,
        identity: identity.unwrap_or(Identity(0)),
        content: 0,
        timestamp: Micros(instants(batch, schema::TIMESTAMP)?.value(row)),
        timestamp_given: given.as_any().downcast_ref::<BooleanArray>()?.value(row),
        received_at: Micros(instants(batch, schema::RECEIVED_AT)?.value(row)),
        organization: named(schema::ORGANIZATION_ID)?,
        account: named(schema::ACCOUNT_ID)?,
        user: named(schema::USER_ID)?,
        custom_object: named(schema::CUSTOM_OBJECT_ID)?,
        // Who is anonymous stands among the other members as well; what else it names is written in one way, whatever it
        // is.
        instance: named(schema::EXTERNAL_ID)?.filter(|_| external_kind(kind) != RecordKind::Anonymous),
        response: None,
        anonymous: named(schema::EXTERNAL_ID)?.filter(|_| external_kind(kind) == RecordKind::Anonymous),
        message_id: text(schema::MESSAGE_ID)?.map(Into::into),
        name: text(if track { schema::EVENT } else { schema::NAME })?.map(Into::into),
        data: text(if track { schema::PROPERTIES } else { schema::TRAITS })?.unwrap_or_default(),
        traits: Vec::new(),
        rest: text(schema::OTHER)?.unwrap_or_default().into(),
    };
    // Where none is kept it follows from what is.
    if identity.is_none() {
        message.identity = message.derived_identity()?;
    }
    Some(message)
}
