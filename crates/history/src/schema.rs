//! The columns.
//!
//! Names and types are a promise to everyone who reads the files in place; they are described in
//! `docs/storage-format.md` and change only with a new version in the file's metadata.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// The version of this layout, kept in each file's metadata under [`VERSION_KEY`].
pub const VERSION: &str = "1";
/// The key of the version in a file's metadata.
pub const VERSION_KEY: &str = "muster.history.version";

pub const KIND: usize = 0;
pub const TIMESTAMP: usize = 1;
pub const RECEIVED_AT: usize = 2;
pub const TIMESTAMP_GIVEN: usize = 3;
pub const ATTRIBUTED_ACCOUNT_ID: usize = 4;
pub const ORGANIZATION_ID: usize = 5;
pub const ACCOUNT_ID: usize = 6;
pub const USER_ID: usize = 7;
pub const EXTERNAL_ID: usize = 8;
pub const CUSTOM_OBJECT_ID: usize = 9;
pub const EVENT: usize = 10;
pub const NAME: usize = 11;
pub const MESSAGE_ID: usize = 12;
pub const PROPERTIES: usize = 13;
pub const TRAITS: usize = 14;
pub const OTHER: usize = 15;
pub const IDENTITY: usize = 16;
/// Only in files of [`Layout::Numbered`].
pub const ARRIVED: usize = 17;

/// Columns whose values repeat: read as dictionaries, so that a value is looked at once a batch.
const REPEATING: [usize; 9] =
    [KIND, ATTRIBUTED_ACCOUNT_ID, ORGANIZATION_ID, ACCOUNT_ID, USER_ID, EXTERNAL_ID, CUSTOM_OBJECT_ID, EVENT, NAME];

/// Which columns a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Those of every file.
    Plain,
    /// One more, behind them: how many messages of the workspace had arrived with a row.
    Numbered,
}

impl Layout {
    /// The schema as written.
    pub fn written(self) -> &'static SchemaRef {
        match self {
            Layout::Plain => &WRITTEN,
            Layout::Numbered => &WRITTEN_NUMBERED,
        }
    }

    /// The schema as it is read.
    pub fn read(self) -> &'static SchemaRef {
        match self {
            Layout::Plain => &READ,
            Layout::Numbered => &READ_NUMBERED,
        }
    }
}

/// The schema as written: plain types that every reader knows.
pub static WRITTEN: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(fields())));

/// The schema as engines read it.
pub static READ: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(repeating(fields()))));

static WRITTEN_NUMBERED: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(numbered(fields()))));
static READ_NUMBERED: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(numbered(repeating(fields())))));

fn repeating(mut fields: Vec<Field>) -> Vec<Field> {
    for at in REPEATING {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        fields[at] = fields[at].clone().with_data_type(dictionary);
    }
    fields
}

fn numbered(mut fields: Vec<Field>) -> Vec<Field> {
    fields.push(Field::new("arrived", DataType::Int64, false));
    fields
}

fn fields() -> Vec<Field> {
    let instant = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    vec![
        Field::new("kind", DataType::Utf8, false),
        Field::new("timestamp", instant(), false),
        Field::new("received_at", instant(), false),
        Field::new("timestamp_given", DataType::Boolean, false),
        text("attributed_account_id"),
        text("organization_id"),
        text("account_id"),
        text("user_id"),
        text("external_id"),
        text("custom_object_id"),
        text("event"),
        text("name"),
        text("message_id"),
        text("properties"),
        text("traits"),
        text("other"),
        Field::new("identity", DataType::FixedSizeBinary(16), true),
    ]
}
