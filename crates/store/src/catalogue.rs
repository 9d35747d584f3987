//! The catalogue of traits: which keys were ever stated about records of a kind, and what their values were.
//!
//! A function of the messages taken, but for the time at which a key was first heard of. A key that is only ever
//! removed (`null`) was never seen. Bounded: past a number of keys a store may leave out those that come later.
//! The options of a trait follow from the records as they are, so a value that no record has any more is none.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use muster_model::{
    id::{RecordId, WorkspaceId},
    json::string_value,
    kind::{Kind, RecordKind},
    message::Message,
    profile::Profile,
    rank::Rank,
    time::Micros,
};

use crate::{Answer, error::ReadError};

/// Whose traits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Model {
    pub kind: RecordKind,
    /// The custom object, when these are its instances.
    pub object: Option<RecordId>,
}

/// What a value of a trait can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum TraitType {
    String = 1,
    Number = 2,
    Boolean = 4,
    Instant = 8,
    Array = 16,
    Object = 32,
}

impl TraitType {
    const ALL: [TraitType; 6] = [
        TraitType::String,
        TraitType::Number,
        TraitType::Boolean,
        TraitType::Instant,
        TraitType::Array,
        TraitType::Object,
    ];

    /// What JSON text is; `null` is nothing.
    #[must_use]
    pub fn of_json(json: &str) -> Option<TraitType> {
        match json.bytes().next()? {
            b'"' => Some(if is_instant(json) { TraitType::Instant } else { TraitType::String }),
            b'[' => Some(TraitType::Array),
            b'{' => Some(TraitType::Object),
            b't' | b'f' => Some(TraitType::Boolean),
            b'n' => None,
            _ => Some(TraitType::Number),
        }
    }
}

/// Text that begins as a date does and is an instant. (The first look is for speed: most texts are words.)
fn is_instant(json: &str) -> bool {
    let bytes = json.as_bytes();
    let dated = bytes.len() >= 12 && bytes[1..5].iter().all(u8::is_ascii_digit) && bytes[5] == b'-';
    dated && string_value(json).and_then(Result::ok).and_then(|text| Micros::parse_value(&text)).is_some()
}

/// Several types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraitTypes(u8);

impl TraitTypes {
    /// Adds a type; whether it is new.
    pub fn add(&mut self, one: TraitType) -> bool {
        let known = self.0;
        self.0 |= one as u8;
        self.0 != known
    }

    /// Adds several.
    pub fn join(&mut self, others: TraitTypes) {
        self.0 |= others.0;
    }

    /// The types as bits, for stores.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Types that a store kept.
    #[must_use]
    pub fn from_bits(bits: u8) -> TraitTypes {
        TraitTypes(bits)
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = TraitType> {
        TraitType::ALL.into_iter().filter(move |one| self.0 & *one as u8 != 0)
    }

    /// Whether all values are texts and no instants.
    #[must_use]
    pub fn are_texts(self) -> bool {
        self.0 == TraitType::String as u8
    }

    /// The one type that all values are: text when they differ, since everything can be shown as that.
    #[must_use]
    pub fn shown(self) -> TraitType {
        let mut all = self.iter();
        match (all.next(), all.next()) {
            (Some(only), None) => only,
            _ => TraitType::String,
        }
    }
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownTrait {
    pub key: Box<str>,
    /// The time of receipt of the first message to arrive that states it.
    pub created_at: Micros,
    pub types: TraitTypes,
}

/// Texts that a trait may have for them to be its options.
pub const OPTIONS_MAX: usize = 24;
/// Bytes of a text that may be an option.
pub const OPTION_BYTES_MAX: usize = 128;

/// The options of several traits by their keys; traits without options are not among them.
pub type Options = BTreeMap<Box<str>, Vec<Box<str>>>;

/// Reading the catalogue.
pub trait Catalogue: Send + Sync {
    /// Every key known of a model's traits, sorted by key.
    fn known_traits(&self, workspace: WorkspaceId, model: Model) -> Answer<'_, Vec<KnownTrait>, ReadError>;

    /// The texts that each of some traits has among a model's records as they are now, sorted, as [`Choices`] has it:
    /// those of traits that have few. A store may leave a trait out when it cannot tell without much reading.
    fn options(&self, workspace: WorkspaceId, model: Model, keys: Vec<Box<str>>) -> Answer<'_, Options, ReadError>;
}

impl Model {
    /// Whether a record is one of these.
    #[must_use]
    pub fn holds(&self, profile: &Profile) -> bool {
        let object = profile.as_instance().and_then(|instance| instance.custom_object);
        profile.kind() == self.kind && object == self.object
    }
}

/// Texts that differ from record to record and that nobody asks for as they stand: names and addresses.
#[must_use]
pub fn is_one_of_a_kind(kind: RecordKind, key: &str) -> bool {
    matches!(key, "name" | "avatar") || kind == RecordKind::User && key == "email"
}

/// The texts of a trait, collected as long as they are few, short, and no numbers or instants.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    texts: BTreeSet<Box<str>>,
    fails: bool,
}

impl Choices {
    /// Notes a value, in JSON.
    pub fn note(&mut self, json: &str) {
        let text = string_value(json).map(|text| text.unwrap_or_else(Cow::Owned));
        match text.filter(|text| text.len() <= OPTION_BYTES_MAX && Rank::of_json(json).is_none()) {
            Some(text) => drop(self.texts.insert(text.into())),
            None => self.fails = true,
        }
        self.fails |= self.texts.len() > OPTIONS_MAX;
    }

    /// Gives up.
    pub fn fail(&mut self) {
        self.fails = true;
    }

    /// Whether there can still be options.
    #[must_use]
    pub fn go_on(&self) -> bool {
        !self.fails
    }

    /// The options, sorted, if there are any.
    #[must_use]
    pub fn finish(self) -> Option<Vec<Box<str>>> {
        (!self.fails && !self.texts.is_empty()).then(|| self.texts.into_iter().collect())
    }
}

/// What messages stated, taken in as they arrive.
#[derive(Clone, Debug, Default)]
pub struct Stated {
    known: BTreeMap<Model, BTreeMap<Box<str>, KnownTrait>>,
}

impl Stated {
    /// Takes in the message that arrives next.
    pub fn hear(&mut self, message: &Message<'_>) {
        let Some(model) = model(message) else { return };
        let mut stated =
            message.traits.iter().filter_map(|one| Some((&one.key, TraitType::of_json(one.value)?))).peekable();
        if stated.peek().is_none() {
            return;
        }
        let known = self.known.entry(model).or_default();
        for (key, of_type) in stated {
            // Nearly always it was heard of before.
            if let Some(known) = known.get_mut(key.as_ref()) {
                known.types.add(of_type);
                continue;
            }
            let mut types = TraitTypes::default();
            types.add(of_type);
            let key: Box<str> = key.as_ref().into();
            known.insert(key.clone(), KnownTrait { key, created_at: message.received_at, types });
        }
    }

    /// Whose traits anything was stated of.
    #[must_use]
    pub fn models(&self) -> BTreeSet<Model> {
        self.known.keys().copied().collect()
    }

    /// The keys of a model, sorted.
    #[must_use]
    pub fn of(&self, model: Model) -> Vec<KnownTrait> {
        self.known.get(&model).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }
}

/// Whose traits a message states.
fn model(message: &Message<'_>) -> Option<Model> {
    let (kind, object) = match message.kind {
        Kind::Organization => (RecordKind::Organization, None),
        Kind::Account => (RecordKind::Account, None),
        Kind::User => (RecordKind::User, None),
        Kind::CustomObjectInstance => (RecordKind::Instance, message.custom_object.as_ref().map(|named| named.id)),
        Kind::CustomObject => (RecordKind::CustomObject, None),
        Kind::NpsResponse => (RecordKind::NpsResponse, None),
        Kind::Track | Kind::Unlink | Kind::Leave => return None,
    };
    Some(Model { kind, object })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_short_texts_are_options() {
        let check = |values: &[String], expected: Option<&[&str]>| {
            let mut choices = Choices::default();
            for value in values {
                choices.note(value);
            }
            let found = choices.finish();
            let found = found.as_ref().map(|texts| texts.iter().map(AsRef::as_ref).collect::<Vec<&str>>());
            assert_eq!(found.as_deref(), expected, "{values:?}");
        };
        let texts = |texts: &[&str]| texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<String>>();
        check(&[], None);
        check(&texts(&["pro", "free", "pro", "\\u00e9"]), Some(&["free", "pro", "é"]));
        check(&["\"pro\"".to_owned(), "5".to_owned()], None);
        check(&texts(&["pro", "5"]), None);
        check(&texts(&["pro", "2024-01-01"]), None);
        check(&texts(&["x".repeat(OPTION_BYTES_MAX).as_str()]), Some(&["x".repeat(OPTION_BYTES_MAX).as_str()]));
        check(&texts(&["x".repeat(OPTION_BYTES_MAX + 1).as_str()]), None);
        let many: Vec<String> = (0..=OPTIONS_MAX).map(|n| format!("\"v{n}\"")).collect();
        check(&many, None);
        let mut expected: Vec<String> = (0..OPTIONS_MAX).map(|n| format!("v{n}")).collect();
        expected.sort();
        check(&many[..OPTIONS_MAX], Some(&expected.iter().map(String::as_str).collect::<Vec<&str>>()));
    }

    #[test]
    fn values_have_types() {
        for (json, expected) in [
            ("\"x\"", Some(TraitType::String)),
            ("\"2024-01-02\"", Some(TraitType::Instant)),
            ("\"2024-01-02T03:04:05Z\"", Some(TraitType::Instant)),
            ("\"2024-99-02\"", Some(TraitType::String)),
            ("\"2024\"", Some(TraitType::String)),
            ("-1.5", Some(TraitType::Number)),
            ("false", Some(TraitType::Boolean)),
            ("[]", Some(TraitType::Array)),
            ("{}", Some(TraitType::Object)),
            ("null", None),
        ] {
            assert_eq!(TraitType::of_json(json), expected, "{json}");
        }
        let mut types = TraitTypes::default();
        assert!(types.add(TraitType::Number) && !types.add(TraitType::Number));
        assert_eq!(types.shown(), TraitType::Number);
        types.add(TraitType::Object);
        assert_eq!(types.shown(), TraitType::String);
    }
}
