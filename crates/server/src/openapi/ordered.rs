//! A JSON document that keeps the order of its members.
//!
//! The order in which the API document lists paths and fields says something, and the usual value of the JSON library
//! forgets it. What is not there reads as nothing, so that the page is written without checks at every step.

use std::{fmt, ops::Index};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value of the document.
#[derive(Debug)]
pub(crate) enum Ordered {
    Object(Vec<(String, Ordered)>),
    List(Vec<Ordered>),
    Text(String),
    Number(f64),
    /// `null`, `true` or `false`; and what is not there.
    Nothing,
}

static NOTHING: Ordered = Ordered::Nothing;

impl Ordered {
    /// Reads a document.
    pub(crate) fn parse(text: &str) -> Result<Ordered, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The members of an object, in order.
    pub(crate) fn members(&self) -> &[(String, Ordered)] {
        if let Ordered::Object(members) = self { members } else { &[] }
    }

    /// The elements of a list.
    pub(crate) fn elements(&self) -> &[Ordered] {
        if let Ordered::List(elements) = self { elements } else { &[] }
    }

    /// The text, or an empty one.
    pub(crate) fn text(&self) -> &str {
        if let Ordered::Text(text) = self { text } else { "" }
    }

    /// The number, if it is one.
    pub(crate) fn number(&self) -> Option<f64> {
        if let Ordered::Number(number) = self { Some(*number) } else { None }
    }
}

impl Index<&str> for Ordered {
    type Output = Ordered;

    fn index(&self, name: &str) -> &Ordered {
        self.members().iter().find(|(known, _)| known == name).map_or(&NOTHING, |(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Ordered;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Ordered::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Ordered, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Ordered::List(elements))
    }

    fn visit_str<E>(self, text: &str) -> Result<Ordered, E> {
        Ok(Ordered::Text(text.to_owned()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Ordered, E> {
        Ok(Ordered::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Ordered, E> {
        Ok(Ordered::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Ordered, E> {
        Ok(Ordered::Number(number as f64))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Ordered, E> {
        Ok(Ordered::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Ordered, E> {
        Ok(Ordered::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::Ordered;

    #[test]
    fn order_is_kept_and_absence_is_nothing() {
        let document = Ordered::parse(r#"{"z":{"b":1,"a":"x"},"y":[1.5,null,true]}"#).unwrap();
        let names: Vec<&str> = document["z"].members().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!((document["z"]["a"].text(), document["z"]["b"].number()), ("x", Some(1.0)));
        assert_eq!(document["y"].elements().len(), 3);
        assert_eq!((document["q"]["r"].text(), document["y"]["z"].members().len()), ("", 0));
    }
}
