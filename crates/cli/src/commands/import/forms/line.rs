//! A line for a server: a message of ours or a call of the Segment spec, with the time at which it was received.

use muster_model::time::Micros;
use serde_json::Value;

/// What stands in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    Message,
    Call,
}

/// The JSON of a line while it is written.
pub struct Line {
    inside: Inside,
    text: String,
}

impl Line {
    /// A call of a type, such as `track`.
    pub fn call(kind: &str) -> Line {
        Line { inside: Inside::Call, text: String::new() }.text("type", kind)
    }

    /// A message of a type, such as `account`.
    pub fn message(kind: &str) -> Line {
        Line { inside: Inside::Message, text: String::new() }.text("type", kind)
    }

    /// A member in JSON text.
    #[must_use]
    pub fn raw(mut self, name: &str, raw: &str) -> Line {
        member(&mut self.text, name, raw);
        self
    }

    /// A member that is text.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Line {
        self.raw(name, &quoted(value))
    }

    /// A member in JSON text, if there is one.
    #[must_use]
    pub fn given(self, name: &str, raw: Option<&str>) -> Line {
        match raw {
            Some(raw) => self.raw(name, raw),
            None => self,
        }
    }

    /// A member that is text, if there is one.
    #[must_use]
    pub fn named(self, name: &str, value: Option<&str>) -> Line {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// A member that is an instant, if there is one.
    #[must_use]
    pub fn at(self, name: &str, at: Option<Micros>) -> Line {
        match at {
            Some(at) => self.text(name, &at.to_micros_text()),
            None => self,
        }
    }

    /// A member that is an object of these members, unless there are none.
    #[must_use]
    pub fn object<'m>(self, name: &str, members: impl IntoIterator<Item = (&'m str, String)>) -> Line {
        let object = object(members);
        if object == "{}" { self } else { self.raw(name, &object) }
    }

    /// The line, received at an instant if that is known.
    pub fn received(self, at: Option<Micros>) -> String {
        let name = match self.inside {
            Inside::Message => "message",
            Inside::Call => "call",
        };
        enveloped(name, &self.bare(), at)
    }

    /// What is in the line alone, as its sender would send it.
    pub fn bare(&self) -> String {
        format!("{}}}", self.text)
    }
}

/// A call that stands in an archive as it was.
pub fn call_as_it_is(call: &str, received_at: Option<Micros>) -> String {
    enveloped("call", call, received_at)
}

fn enveloped(name: &str, inside: &str, received_at: Option<Micros>) -> String {
    match received_at {
        Some(at) => format!("{{\"receivedAt\":\"{}\",\"{name}\":{inside}}}", at.to_micros_text()),
        None => format!("{{\"{name}\":{inside}}}"),
    }
}

/// An object of members in JSON text.
pub fn object<'m>(members: impl IntoIterator<Item = (&'m str, String)>) -> String {
    let mut text = String::new();
    for (name, raw) in members {
        member(&mut text, name, &raw);
    }
    text.push_str(if text.is_empty() { "{}" } else { "}" });
    text
}

/// Text as JSON text.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn member(text: &mut String, name: &str, raw: &str) {
    text.push(if text.is_empty() { '{' } else { ',' });
    text.push_str(&quoted(name));
    text.push(':');
    text.push_str(raw);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_was_put_into_it() {
        let line = Line::call("track").text("event", "a \"b\"").given("x", None).raw("properties", "{\"n\":1.0}");
        let line = line.object("context", [("groupId", "7".to_owned())]).object("none", []);
        assert_eq!(
            line.received(Micros::parse("2020-01-01")),
            r#"{"receivedAt":"2020-01-01T00:00:00.000000Z","call":{"type":"track","event":"a \"b\"","properties":{"n":1.0},"context":{"groupId":7}}}"#
        );
        assert_eq!(Line::message("user").received(None), r#"{"message":{"type":"user"}}"#);
        assert_eq!(call_as_it_is("{}", None), r#"{"call":{}}"#);
    }
}
