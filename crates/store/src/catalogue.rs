//! The catalogue of traits: which keys were ever stated about records of a kind, and what their values were.
//!
//! A function of the messages taken, but for the time at which a key was first heard of. A key that is only ever
//! removed (`null`) was never seen. Bounded: past a number of keys a store may leave out those that come later.

use std::collections::{BTreeMap, BTreeSet};

use muster_model::{
    id::{RecordId, WorkspaceId},
    json::string_value,
    kind::{Kind, RecordKind},
    message::Message,
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
    dated && string_value(json).and_then(Result::ok).and_then(|text| Micros::parse(&text)).is_some()
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

/// Reading the catalogue.
pub trait Catalogue: Send + Sync {
    /// Every key known of a model's traits, sorted by key.
    fn known_traits(&self, workspace: WorkspaceId, model: Model) -> Answer<'_, Vec<KnownTrait>, ReadError>;
}

/// What messages stated, taken in as they arrive.
#[derive(Debug, Default)]
pub struct Stated {
    known: BTreeMap<(Model, Box<str>), KnownTrait>,
}

impl Stated {
    /// Takes in the message that arrives next.
    pub fn hear(&mut self, message: &Message<'_>) {
        let Some(model) = model(message) else { return };
        for stated in &message.traits {
            let Some(of_type) = TraitType::of_json(stated.value) else { continue };
            let key: Box<str> = stated.key.as_ref().into();
            let fresh = KnownTrait { key: key.clone(), created_at: message.received_at, types: TraitTypes::default() };
            self.known.entry((model, key)).or_insert(fresh).types.add(of_type);
        }
    }

    /// Whose traits anything was stated of.
    #[must_use]
    pub fn models(&self) -> BTreeSet<Model> {
        self.known.keys().map(|(model, _)| *model).collect()
    }

    /// The keys of a model, sorted.
    #[must_use]
    pub fn of(&self, model: Model) -> Vec<KnownTrait> {
        self.known.iter().filter(|((of, _), _)| *of == model).map(|(_, known)| known.clone()).collect()
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
