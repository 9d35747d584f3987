//! What the columns of a table mean, as a TOML file says.
//!
//! Each `[[message]]` makes a message of a row that names its record; a row may make several. A member is a column, or a
//! table that says more: `{ column = "mrr_cents", type = "number" }`, `{ value = "signed up" }`. Names that the file
//! does not know and columns that a row does not have are errors that say what there is.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, anyhow, bail};
use muster_model::{kind::Kind, time::Micros};
use serde::Deserialize;
use serde_json::Value;

use super::{
    line::{Line, quoted},
    made::{Made, Origin},
    record::{self, Record},
};

/// Stands for all columns that nothing else in a mapping names.
const REST: &str = "rest";
/// A column that a file of refused rows has; it says why.
pub const REASON: &str = "muster_reason";

/// A mapping that was read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    message: Vec<Block>,
    /// Columns that something names.
    #[serde(skip)]
    named: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Block {
    r#type: Source,
    organization_id: Option<Source>,
    account_id: Option<Source>,
    user_id: Option<Source>,
    external_id: Option<Source>,
    custom_object_id: Option<Source>,
    event: Option<Source>,
    name: Option<Source>,
    message_id: Option<MessageId>,
    timestamp: Option<Source>,
    received_at: Option<Source>,
    traits: Option<Members>,
    properties: Option<Members>,
}

/// A row's cells by the names of their columns.
struct Row<'t> {
    cells: Record<'t>,
    origin: Origin<'t>,
}

/// Where the `messageId` comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "give a column's name, or { made = \"content\" } or { made = \"row\" } where there is none"
)]
enum MessageId {
    Made(Made),
    Source(Source),
}

/// Where a value comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "give a column's name, { column = \"…\", type = \"…\" } or { value = \"…\" }")]
enum Source {
    Column(String),
    Described(Described),
    Fixed(Fixed),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    column: String,
    #[serde(default)]
    r#type: Type,
    /// The name that a trait or property gets.
    r#as: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixed {
    value: Value,
    r#as: Option<String>,
}

/// What a value is read as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    /// Text that is written as a number, `true` or `false` is one.
    #[default]
    Auto,
    Text,
    Number,
    Boolean,
    /// Text that holds JSON.
    Json,
    /// ISO 8601, or a number since 1970.
    Time,
}

/// Traits or properties.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "give \"rest\", a list of columns, or a table of names and columns")]
enum Members {
    Word(String),
    List(Vec<Source>),
    Table(BTreeMap<String, Source>),
}

impl Mapping {
    /// Reads a mapping from a file.
    pub fn of_file(path: &Path) -> anyhow::Result<Mapping> {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Mapping::read(&text).with_context(|| format!("{} is no mapping", path.display()))
    }

    /// Reads a mapping.
    pub fn read(text: &str) -> anyhow::Result<Mapping> {
        let mut mapping: Mapping = toml::from_str(text)?;
        if mapping.message.is_empty() {
            bail!("it has no [[message]]; each says what a row becomes");
        }
        for block in &mapping.message {
            block.check()?;
        }
        mapping.named = mapping.message.iter().flat_map(Block::columns).collect();
        Ok(mapping)
    }

    /// The messages of a row, or what is wrong with it. A row of a table has every column of the table, so that one which
    /// is not there was never there; a row that is a JSON object may leave out what has no value.
    pub fn lines(&self, text: &str, origin: Origin<'_>) -> Result<Vec<String>, String> {
        let row = Row { cells: Record::read(text).ok_or("it is no JSON object")?, origin };
        let mut lines = Vec::with_capacity(self.message.len());
        for block in &self.message {
            lines.extend(block.line(&row, &self.named)?);
        }
        if lines.is_empty() {
            return Err("none of the columns with ids has a value in this row".to_owned());
        }
        Ok(lines)
    }
}

impl Block {
    fn check(&self) -> anyhow::Result<()> {
        if let Source::Column(name) = &self.r#type
            && Kind::parse(name).is_none()
        {
            let names = Kind::SENT.map(Kind::as_str).join(", ");
            bail!("type = {name:?} is no kind of message; it is one of {names}, or {{ column = \"…\" }}");
        }
        for members in [&self.traits, &self.properties].into_iter().flatten() {
            if let Members::Word(word) = members
                && word != REST
            {
                return Err(anyhow!("traits and properties are {REST:?}, a list of columns, or a table; not {word:?}"));
            }
        }
        if self.ids().all(|(_, source)| source.is_none()) {
            bail!("a [[message]] names nobody: give a column for organizationId, accountId, userId or externalId");
        }
        Ok(())
    }

    fn ids(&self) -> impl Iterator<Item = (&'static str, Option<&Source>)> {
        [
            ("organizationId", self.organization_id.as_ref()),
            ("accountId", self.account_id.as_ref()),
            ("userId", self.user_id.as_ref()),
            ("externalId", self.external_id.as_ref()),
        ]
        .into_iter()
    }

    /// Every column that it names.
    fn columns(&self) -> Vec<String> {
        let single = [&self.custom_object_id, &self.event, &self.name, &self.timestamp, &self.received_at];
        let ids = self.ids().filter_map(|(_, source)| source);
        let message_id = self.message_id.as_ref().and_then(MessageId::source);
        let mut sources: Vec<&Source> = ids.chain(single.into_iter().flatten()).chain(message_id).collect();
        if !matches!(self.r#type, Source::Column(_)) {
            sources.push(&self.r#type);
        }
        for members in [&self.traits, &self.properties].into_iter().flatten() {
            match members {
                Members::Word(_) => {}
                Members::List(list) => sources.extend(list),
                Members::Table(table) => sources.extend(table.values()),
            }
        }
        sources.into_iter().filter_map(Source::column).map(str::to_owned).collect()
    }

    /// The message, unless the row names none of its records.
    fn line(&self, row: &Row<'_>, named: &[String]) -> Result<Option<String>, String> {
        let ids =
            self.ids().map(|(name, source)| Ok((name, id_of(source, row)?))).collect::<Result<Vec<_>, String>>()?;
        if ids.iter().all(|(_, id)| id.is_none()) {
            return Ok(None);
        }
        let kind = match &self.r#type {
            Source::Column(name) => name.clone(),
            other => id_of(Some(other), row)?.ok_or("the column of its type has no value in this row")?,
        };
        let mut line = Line::message(&kind);
        for (name, id) in &ids {
            line = line.named(name, id.as_deref());
        }
        let is_alone = ids.iter().all(|(name, id)| id.is_none() || matches!(*name, "userId" | "externalId"));
        if is_alone && Kind::parse(&kind) == Some(Kind::User) {
            // A row without a parent states that there is none.
            line = line.raw("accountId", "null");
        }
        let message_id = self.message_id.as_ref().and_then(MessageId::source);
        let others = [
            ("customObjectId", self.custom_object_id.as_ref()),
            ("event", self.event.as_ref()),
            ("name", self.name.as_ref()),
            ("messageId", message_id),
        ];
        for (name, source) in others {
            line = line.named(name, id_of(source, row)?.as_deref());
        }
        line = line.at("timestamp", instant_of(self.timestamp.as_ref(), row)?);
        for (name, members) in [("traits", &self.traits), ("properties", &self.properties)] {
            if let Some(members) = members {
                let found = members.of(row, named)?;
                line = line.object(name, found.iter().map(|(name, raw)| (name.as_str(), raw.clone())));
            }
        }
        if let Some(MessageId::Made(Made { made })) = self.message_id {
            let id = made.id(&line, &row.cells, row.origin);
            line = line.text("messageId", &id);
        }
        Ok(Some(line.received(instant_of(self.received_at.as_ref(), row)?)))
    }
}

impl MessageId {
    fn source(&self) -> Option<&Source> {
        match self {
            MessageId::Source(source) => Some(source),
            MessageId::Made(_) => None,
        }
    }
}

impl Members {
    fn of(&self, row: &Row<'_>, named: &[String]) -> Result<Vec<(String, String)>, String> {
        let mut members = Vec::new();
        let mut add = |name: &str, source: &Source| -> Result<(), String> {
            if let Some(raw) = source.value(row)? {
                members.push((name.to_owned(), raw));
            }
            Ok(())
        };
        match self {
            Members::Word(_) => {
                let names: Vec<&str> = row.cells.others(&[]).map(|(name, _)| name).collect();
                for name in names.into_iter().filter(|name| *name != REASON && !named.iter().any(|other| other == name))
                {
                    add(name, &Source::Column(name.to_owned()))?;
                }
            }
            Members::List(list) => list.iter().try_for_each(|source| add(source.name(), source))?,
            Members::Table(table) => table.iter().try_for_each(|(name, source)| add(name, source))?,
        }
        Ok(members)
    }
}

impl Source {
    fn column(&self) -> Option<&str> {
        match self {
            Source::Column(name) => Some(name),
            Source::Described(described) => Some(&described.column),
            Source::Fixed(_) => None,
        }
    }

    /// The name of a member in a list.
    fn name(&self) -> &str {
        match self {
            Source::Column(name) => name,
            Source::Described(described) => described.r#as.as_ref().unwrap_or(&described.column),
            Source::Fixed(fixed) => fixed.r#as.as_deref().unwrap_or("value"),
        }
    }

    /// The value in JSON; an empty cell has none.
    fn value(&self, row: &Row<'_>) -> Result<Option<String>, String> {
        let (column, as_type) = match self {
            Source::Fixed(fixed) => return Ok(Some(fixed.value.to_string())),
            Source::Column(name) => (name, Type::Auto),
            Source::Described(described) => (&described.column, described.r#type),
        };
        match row.cell(column)? {
            Some(raw) => typed(raw, as_type).map(Some).map_err(|says| format!("the column {column}: {says}")),
            None => Ok(None),
        }
    }
}

impl<'t> Row<'t> {
    /// A cell's JSON text; an empty one has none, and a column that the table does not have is an error.
    fn cell(&self, column: &str) -> Result<Option<&'t str>, String> {
        match self.cells.raw(column) {
            Some(raw) => Ok(Some(raw).filter(|raw| *raw != "\"\"")),
            None if !self.origin.is_of_table || self.cells.has(column) => Ok(None),
            None => Err(format!("there is no column {column}; there are {}", self.cells.names())),
        }
    }
}

fn id_of(source: Option<&Source>, row: &Row<'_>) -> Result<Option<String>, String> {
    match source {
        None => Ok(None),
        Some(Source::Fixed(fixed)) => Ok(record::id(&fixed.value.to_string())),
        Some(source) => {
            let column = source.column().unwrap_or_default();
            Ok(row.cell(column)?.and_then(record::id))
        }
    }
}

fn instant_of(source: Option<&Source>, row: &Row<'_>) -> Result<Option<Micros>, String> {
    let raw = match source {
        None => return Ok(None),
        Some(Source::Fixed(fixed)) => Some(fixed.value.to_string()),
        Some(source) => row.cell(source.column().unwrap_or_default())?.map(str::to_owned),
    };
    let Some(raw) = raw else { return Ok(None) };
    let read = record::instant(&raw);
    read.map(Some).ok_or_else(|| format!("{raw} is no time; write ISO 8601, or a number since 1970"))
}

/// A cell's JSON as a type.
fn typed(raw: &str, as_type: Type) -> Result<String, String> {
    let text = || serde_json::from_str::<String>(raw).ok();
    let wrong = |what: &str| Err(format!("{raw} is no {what}"));
    match as_type {
        Type::Auto => Ok(text().and_then(|text| plain(&text)).unwrap_or_else(|| raw.to_owned())),
        Type::Text => Ok(if raw.starts_with('"') { raw.to_owned() } else { quoted(raw) }),
        Type::Number => {
            let written = text().map_or_else(|| raw.to_owned(), |text| text.trim().to_owned());
            match written.parse::<serde_json::Number>() {
                Ok(_) => Ok(written),
                Err(_) => wrong("number"),
            }
        }
        Type::Boolean => match text().unwrap_or_else(|| raw.to_owned()).trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" => Ok("true".to_owned()),
            "false" | "f" | "no" | "n" | "0" => Ok("false".to_owned()),
            _ => wrong("yes or no"),
        },
        Type::Json => match text() {
            None => Ok(raw.to_owned()),
            Some(text) => match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
                Ok(_) => Ok(text),
                Err(_) => wrong("JSON"),
            },
        },
        Type::Time => match record::instant(raw) {
            Some(at) => Ok(quoted(&at.to_millis_text())),
            None => wrong("time"),
        },
    }
}

/// Text that is written just as JSON writes a number or a truth.
fn plain(text: &str) -> Option<String> {
    if matches!(text, "true" | "false") {
        return Some(text.to_owned());
    }
    let looks = text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    (looks && text.parse::<serde_json::Number>().is_ok()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Origin<'static> = Origin { file: "a.csv", line: 2, is_of_table: true };
    const JSON: Origin<'static> = Origin { is_of_table: false, ..TABLE };

    const MAP: &str = r#"
        [[message]]
        type = "account"
        accountId = "company"
        timestamp = "at"
        traits = { name = "company_name", mrr = { column = "mrr", type = "number" }, source = { value = "crm" } }

        [[message]]
        type = "track"
        userId = "user"
        accountId = "company"
        event = "what"
        messageId = "id"
        timestamp = "at"
        receivedAt = "loaded"
        properties = "rest"
    "#;

    #[test]
    fn a_row_becomes_the_messages_that_it_names() {
        let mapping = Mapping::read(MAP).unwrap();
        let row = r#"{"company":"7","company_name":"Acme","mrr":"12.5","user":"u","what":"opened","id":"i","at":"2020-01-01 10:00:00","loaded":"1577872801","seats":"05","paid":"true","n":"3","empty":"","muster_reason":"x"}"#;
        assert_eq!(
            mapping.lines(row, TABLE).unwrap(),
            [
                r#"{"message":{"type":"account","accountId":"7","timestamp":"2020-01-01T10:00:00.000000Z","traits":{"mrr":12.5,"name":"Acme","source":"crm"}}}"#,
                r#"{"receivedAt":"2020-01-01T10:00:01.000000Z","message":{"type":"track","accountId":"7","userId":"u","event":"opened","messageId":"i","timestamp":"2020-01-01T10:00:00.000000Z","properties":{"n":3,"paid":true,"seats":"05"}}}"#,
            ]
        );
        let nobody = r#"{"company":"","company_name":"Acme","mrr":null,"user":null,"what":"opened","id":"i","at":"","loaded":""}"#;
        assert!(mapping.lines(nobody, TABLE).unwrap_err().contains("none of the columns"));
    }

    #[test]
    fn faults_say_what_is_wrong() {
        let mapping = Mapping::read(MAP).unwrap();
        let says = |row: &str| mapping.lines(row, TABLE).unwrap_err();
        let row = r#"{"company":"7","at":"","x":1}"#;
        assert_eq!(says(row), "there is no column mrr; there are at, company, x");
        assert_eq!(mapping.lines(row, JSON).unwrap().len(), 2);
        let row = r#"{"company":"7","company_name":"A","mrr":"much","user":"","at":""}"#;
        assert_eq!(says(row), "the column mrr: \"much\" is no number");
        let row = r#"{"company":"7","company_name":"A","mrr":"1","user":"","at":"soon"}"#;
        assert!(says(row).contains("\"soon\" is no time"));
        let wrong = |text: &str| format!("{:#}", Mapping::read(text).unwrap_err());
        assert!(wrong("[[message]]\ntype = \"page\"\nuserId = \"u\"").contains("organization, account"));
        assert!(wrong("[[message]]\ntype = \"user\"\nuserID = \"u\"").contains("userID"));
        assert!(wrong("[[message]]\ntype = \"user\"").contains("names nobody"));
        assert!(wrong("[[message]]\ntype = \"user\"\nuserId = 7").contains("a column's name"));
        assert!(wrong("[[message]]\ntype = \"user\"\nuserId = \"u\"\ntraits = \"all\"").contains("\"rest\""));
        assert!(wrong("[[message]]\ntype = \"user\"\nuserId = \"u\"\nmessageId = { made = \"up\" }").contains("made"));
        assert!(wrong("").contains("message"));
    }

    #[test]
    fn values_are_read_as_their_type() {
        let check = |raw: &str, as_type, expected: &str| {
            assert_eq!(typed(raw, as_type).unwrap_or_else(|says| says), expected, "{raw}");
        };
        check("\"12\"", Type::Auto, "12");
        check("\"012\"", Type::Auto, "\"012\"");
        check("\"12345678901234567890\"", Type::Auto, "\"12345678901234567890\"");
        check("12.50", Type::Auto, "12.50");
        check("12", Type::Text, "\"12\"");
        check("\"Yes\"", Type::Boolean, "true");
        check("\"maybe\"", Type::Boolean, "\"maybe\" is no yes or no");
        check("\"{\\\"a\\\":1}\"", Type::Json, "{\"a\":1}");
        check("\"{\"", Type::Json, "\"{\" is no JSON");
        check("\"1577872801\"", Type::Time, "\"2020-01-01T10:00:01.000Z\"");
    }
}
