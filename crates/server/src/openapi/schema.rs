//! Schemas of records and answers.
//!
//! A record's schema is made from the list of fields beside the code that writes it; a test in `tests/api` compares the
//! two.

use muster_model::{kind::Kind, rejection::Code};
use muster_store::catalogue::OPTIONS_MAX;
use serde_json::json;
use utoipa::openapi::{
    ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, SchemaFormat, Type,
    schema::{AdditionalProperties, SchemaType},
};

use super::codes;
use crate::{query, wire};

/// A record's fields, in order.
pub(crate) type Fields = &'static [(&'static str, Field)];

/// What a field of a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Uuid,
    UuidOrNull,
    Instant,
    InstantOrNull,
    Text,
    TextOrNull,
    NumberOrNull,
    Count,
    CountOrNull,
    Boolean,
    BooleanOrNull,
    /// A customer's own members.
    Members,
    /// A record of this name.
    RecordOrNull(&'static str),
    /// A list of records of this name.
    ListOf(&'static str),
    Texts,
    Anything,
    /// A date without a time.
    Date,
    /// A record of this name, or `null`.
    OrNull(&'static str),
    /// `null` until there is something to say.
    NotYet,
    /// `[]` until there is something to say.
    NoneYet,
}

/// Lists that come whole, and what is in them.
const WHOLE_LISTS: [(&str, &str); 6] = [
    ("Team", "TeamMember"),
    ("Destinations", "Destination"),
    ("Imports", "Import"),
    ("SavedViews", "SavedView"),
    ("Workspaces", "Workspace"),
    ("Keys", "Key"),
];

/// Every schema, by name.
pub(super) fn all() -> Vec<(&'static str, RefOr<Schema>)> {
    let refused = object(wire::refused::FIELDS);
    let refused =
        refused.property("bodyBase64", described(Type::String, "The message's bytes, when they are not UTF-8."));
    let custom_field = object(wire::custom_field::FIELDS);
    let custom_field =
        custom_field.property("options", list_of(Ref::from_schema_name("CustomFieldOption"), OPTIONS_MAX));
    let new_key = object(wire::key::FIELDS).property("token", text()).required("token");
    let secret = "A webhook's secret, in the answer that made it.";
    let destination = object(wire::destination::FIELDS).property("secret", described(Type::String, secret));
    let mut schemas = vec![
        ("Organization", object(wire::organization::FIELDS).into()),
        ("Account", object(wire::account::FIELDS).into()),
        ("User", object(wire::user::FIELDS).into()),
        ("CustomObject", object(wire::custom_object::FIELDS).into()),
        ("CustomObjectInstance", object(wire::custom_object_instance::FIELDS).into()),
        ("CustomField", custom_field.into()),
        ("CustomFieldOption", object(wire::custom_field::OPTION_FIELDS).into()),
        ("NpsResponse", object(wire::nps_response::FIELDS).into()),
        ("Event", object(wire::event::FIELDS).into()),
        ("Statement", object(wire::statement::FIELDS).into()),
        ("Day", object(wire::activity::DAY_FIELDS).into()),
        ("EventActivity", object(wire::activity::EVENT_FIELDS).into()),
        ("Days", object(wire::activity::DAYS_FIELDS).into()),
        ("EventName", object(wire::activity::NAME_FIELDS).into()),
        ("OtherEvents", object(wire::activity::OTHERS_FIELDS).into()),
        ("EventNames", object(wire::activity::NAMES_FIELDS).into()),
        ("Refused", refused.into()),
        ("TeamMember", object(wire::member::FIELDS).into()),
        ("Workspace", object(wire::workspace::FIELDS).into()),
        ("SavedView", object(wire::saved::FIELDS).into()),
        ("Deletion", deletion().into()),
        ("Destination", destination.into()),
        ("Import", object(wire::import::FIELDS).into()),
        ("DeadLetter", object(wire::dead_letter::FIELDS).into()),
        ("Count", object(&[("count", Field::Count)]).into()),
        ("Key", object(wire::key::FIELDS).into()),
        ("NewKey", new_key.into()),
        ("Success", success().into()),
        ("IngestError", ingest_error().into()),
        ("FieldError", field_error().into()),
        ("Error", object(&[("error", Field::Text)]).into()),
        ("SegmentSuccess", object(&[("success", Field::Boolean)]).into()),
        ("SegmentError", object(&[("code", Field::Text), ("message", Field::Text), ("error", Field::Text)]).into()),
    ];
    let lists = [
        ("Organizations", "Organization"),
        ("Accounts", "Account"),
        ("Users", "User"),
        ("CustomObjects", "CustomObject"),
        ("CustomObjectInstances", "CustomObjectInstance"),
        ("NpsResponses", "NpsResponse"),
        ("TeamMembers", "TeamMember"),
        ("Events", "Event"),
        ("Statements", "Statement"),
        ("RefusedMessages", "Refused"),
        ("Deletions", "Deletion"),
        ("DeadLetters", "DeadLetter"),
    ];
    schemas.extend(lists.map(|(list, one)| (list, page(one).into())));
    let none = [("results", Field::NoneYet), ("next", Field::NotYet), ("atEnd", Field::Boolean)];
    schemas.push(("NoHealthScores", object(&none).into()));
    schemas.extend(WHOLE_LISTS.map(|(list, one)| (list, object(&[("results", Field::ListOf(one))]).into())));
    schemas.extend(query::routes::schemas().map(|(name, schema)| (name, schema.into())));
    schemas
}

/// A text.
pub(crate) fn text() -> Schema {
    typed(Type::String).into()
}

/// `true` or `false`.
pub(crate) fn boolean() -> Schema {
    typed(Type::Boolean).into()
}

/// A whole number between two bounds.
pub(crate) fn between(least: i64, most: i64, default: i64) -> Schema {
    let schema = typed(Type::Integer).minimum(Some(least as f64)).maximum(Some(most as f64));
    schema.default(Some(json!(default))).into()
}

/// An instant.
pub(crate) fn instant() -> Schema {
    typed(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into()
}

/// A date without a time.
pub(crate) fn date() -> Schema {
    typed(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).into()
}

/// One of several words, the first being the default.
pub(crate) fn one_of(words: &[&str]) -> Schema {
    typed(Type::String).enum_values(Some(words.to_vec())).default(Some(json!(words[0]))).into()
}

/// One of several words, or none of them.
pub(crate) fn words(words: &[&str]) -> Schema {
    typed(Type::String).enum_values(Some(words.to_vec())).into()
}

/// Any JSON object.
pub(crate) fn any_object() -> Schema {
    typed(Type::Object).additional_properties(Some(AdditionalProperties::FreeForm(true))).into()
}

/// A list of at most so many of these.
pub(crate) fn list_of(one: impl Into<RefOr<Schema>>, most: usize) -> Schema {
    ArrayBuilder::new().items(one.into()).max_items(Some(most)).into()
}

fn typed(schema_type: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(schema_type)
}

fn described(schema_type: Type, description: &str) -> ObjectBuilder {
    typed(schema_type).description(Some(description))
}

fn nullable(schema_type: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([schema_type, Type::Null]))
}

fn object(fields: &[(&str, Field)]) -> ObjectBuilder {
    fields.iter().fold(typed(Type::Object), |object, (name, field)| object.property(*name, of(*field)).required(*name))
}

fn of(field: Field) -> RefOr<Schema> {
    let uuid = |object: ObjectBuilder| object.format(Some(SchemaFormat::Custom("uuid".to_owned())));
    let date_time = |object: ObjectBuilder| object.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let object = match field {
        Field::Uuid => uuid(typed(Type::String)),
        Field::UuidOrNull => uuid(nullable(Type::String)),
        Field::Instant => date_time(typed(Type::String)),
        Field::InstantOrNull => date_time(nullable(Type::String)),
        Field::Text => typed(Type::String),
        Field::TextOrNull => nullable(Type::String),
        Field::NumberOrNull => nullable(Type::Number),
        Field::Count => typed(Type::Integer).minimum(Some(0.0)),
        Field::CountOrNull => nullable(Type::Integer).minimum(Some(0.0)),
        Field::Boolean => typed(Type::Boolean),
        Field::BooleanOrNull => nullable(Type::Boolean),
        Field::Members => return any_object().into(),
        Field::RecordOrNull(name) => {
            let record: RefOr<Schema> = Ref::from_schema_name(name).into();
            return OneOfBuilder::new().item(record).item(typed(Type::Null)).into();
        }
        Field::ListOf(name) => return ArrayBuilder::new().items(Ref::from_schema_name(name)).into(),
        Field::Texts => return ArrayBuilder::new().items(typed(Type::String)).into(),
        Field::Date => typed(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))),
        Field::OrNull(name) => {
            let null = Schema::from(typed(Type::Null));
            return OneOfBuilder::new().item(Ref::from_schema_name(name)).item(null).into();
        }
        Field::Anything => ObjectBuilder::new().schema_type(SchemaType::AnyValue),
        Field::NotYet => described(Type::Null, "Nothing feeds this field yet."),
        Field::NoneYet => return ArrayBuilder::new().items(typed(Type::Object)).max_items(Some(0)).into(),
    };
    object.into()
}

fn page(one: &'static str) -> ObjectBuilder {
    object(&[("results", Field::ListOf(one)), ("next", Field::TextOrNull), ("atEnd", Field::Boolean)])
}

fn deletion() -> ObjectBuilder {
    let record = || object(&[("kind", Field::Text), ("id", Field::Uuid)]);
    let removed = typed(Type::Object).additional_properties(Some(of(Field::Count)));
    let part = object(&[("id", Field::Uuid), ("from", Field::InstantOrNull), ("until", Field::InstantOrNull)]);
    object(&[("id", Field::Text)])
        .property("status", typed(Type::String).enum_values(Some(["scheduled", "cancelled", "erasing", "finished"])))
        .property("record", record())
        .property("requestedAt", of(Field::Instant))
        .property("requestedBy", of(Field::Count))
        .property("deleteOn", of(Field::InstantOrNull))
        .property("cancelledAt", of(Field::InstantOrNull))
        .property("cancelledBy", of(Field::Count))
        .property("appliedAt", of(Field::InstantOrNull))
        .property("finishedAt", of(Field::InstantOrNull))
        .property("removed", removed)
        .property("records", ArrayBuilder::new().items(record()))
        .property("parts", ArrayBuilder::new().items(part))
        .property("number", of(Field::NumberOrNull))
        .property("previous", of(Field::TextOrNull))
        .property("hash", of(Field::TextOrNull))
        .property("problem", of(Field::Text))
}

fn success() -> ObjectBuilder {
    let message = typed(Type::String).enum_values(Some(["Success."]));
    let results = ArrayBuilder::new().items(result()).description(Some(
        "With `Prefer: return=representation` one for each message, with `return=minimal` of exceptions.",
    ));
    let duplicates =
        typed(Type::Integer).description(Some("How many were there already, with `Prefer: return=minimal`."));
    let told = typed(Type::Object).property("message", message).required("message");
    told.property("duplicates", duplicates).property("results", results)
}

fn result() -> ObjectBuilder {
    let statuses = ["stored", "duplicate", "conflict", "deleted", "refused"];
    let id = nullable(Type::String).description(Some(
        "The message's identity when it is stored, the id of the entry set aside when it is not; `null` when the request \
         was refused as a whole.",
    ));
    typed(Type::Object)
        .property("index", of(Field::Count))
        .property("status", typed(Type::String).enum_values(Some(statuses)))
        .property("id", id)
}

fn ingest_error() -> ObjectBuilder {
    let codes = Code::ALL.iter().map(|code| code.as_str()).chain(codes::OF_BODIES.iter().map(|(code, _, _)| *code));
    let code = typed(Type::String).enum_values(Some(codes.collect::<Vec<_>>())).description(Some(codes::table()));
    let index =
        nullable(Type::Integer).description(Some("Where in the batch; `null` when the body as a whole is wrong."));
    let one = typed(Type::Object)
        .property("index", index)
        .property("code", code)
        .property("instancePath", described(Type::String, "JSON pointer into the body."))
        .property("message", described(Type::String, "What is wrong, and what to send instead."))
        .property("position", described(Type::Integer, "The byte at which the body stops being JSON."))
        .property("count", described(Type::Integer, "How many messages a batch had that has too many."));
    let error = typed(Type::Object)
        .property("message", text())
        .property("stored", described(Type::Integer, "Messages of the request that are stored, now or before."))
        .property("errors", ArrayBuilder::new().items(one));
    typed(Type::Object).property("error", error).property("results", ArrayBuilder::new().items(result()))
}

fn field_error() -> ObjectBuilder {
    let one = object(&[
        ("instancePath", Field::Text),
        ("keyword", Field::Text),
        ("params", Field::Members),
        ("message", Field::Text),
    ]);
    let error = typed(Type::Object).property("message", text()).property("errors", ArrayBuilder::new().items(one));
    typed(Type::Object).property("error", error)
}

/// A message of the ingest API, as far as a schema can say it.
pub(crate) fn message() -> RefOr<Schema> {
    let identifier =
        || ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Integer, Type::Null]));
    let names = ["organizationId", "accountId", "userId", "externalId", "customObjectId"];
    let object = names.into_iter().fold(typed(Type::Object), |object, name| object.property(name, identifier()));
    let kinds = Kind::SENT.map(Kind::as_str);
    let kind =
        typed(Type::String).enum_values(Some(kinds)).description(Some("Required in a batch, ignored elsewhere."));
    object
        .property(
            "messageId",
            ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Number, Type::Null])),
        )
        .property("type", kind)
        .property("timestamp", instant())
        .property("event", text())
        .property("name", text())
        .property("traits", any_object())
        .property("properties", any_object())
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .into()
}
