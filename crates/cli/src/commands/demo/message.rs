//! One message of the story: when it was received, what it adds, and its text.

use muster_model::{kind::Kind, time::Micros};

use super::dice::Dice;
use crate::commands::import::forms::line::{Line, object, quoted};

const SECOND_MICROS: f64 = 1_000_000.0;
const HOUR_MICROS: f64 = 3_600.0 * SECOND_MICROS;
/// Of what devices send so much comes late, because they were out of reach.
const LATE: f64 = 0.012;
const LATE_HOURS_MEAN: f64 = 5.0;
const LATE_HOURS_MAX: f64 = 40.0;

/// A message as it is imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub received_at: Micros,
    pub about: About,
    pub text: String,
}

/// What a message adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// It states something about the record of this id.
    Record(Kind, String),
    Event,
    /// It changes what was stated before.
    Change,
    /// It is wrong, and will be refused.
    Fault,
}

/// Members of an object, values as JSON text.
#[derive(Clone, Debug, Default)]
pub struct Members(Vec<(&'static str, String)>);

impl Members {
    pub fn new() -> Members {
        Members::default()
    }

    #[must_use]
    pub fn text(self, name: &'static str, value: &str) -> Members {
        self.raw(name, quoted(value))
    }

    #[must_use]
    pub fn number(self, name: &'static str, value: impl ToString) -> Members {
        self.raw(name, value.to_string())
    }

    #[must_use]
    pub fn raw(mut self, name: &'static str, json: impl Into<String>) -> Members {
        self.0.push((name, json.into()));
        self
    }

    /// The members of an object as its text.
    pub fn into_text(self) -> String {
        object(self.0)
    }

    fn stand_in(self, line: Line, name: &str) -> Line {
        line.object(name, self.0)
    }
}

/// A message while it is written.
pub struct Draft {
    about: About,
    line: Line,
    at: Micros,
}

impl Draft {
    /// A message that states something about a record; its `messageId` comes from the dice.
    pub fn of(kind: Kind, id: &str, at: Micros, ids: &mut Dice) -> Draft {
        Draft::begin(About::Record(kind, id.to_owned()), kind, at, ids)
    }

    /// A track.
    pub fn event(event: &str, at: Micros, ids: &mut Dice) -> Draft {
        Draft::begin(About::Event, Kind::Track, at, ids).text("event", event)
    }

    /// A message that ends something.
    pub fn change(kind: Kind, at: Micros, ids: &mut Dice) -> Draft {
        Draft::begin(About::Change, kind, at, ids)
    }

    fn begin(about: About, kind: Kind, at: Micros, ids: &mut Dice) -> Draft {
        let line = Line::message(kind.as_str()).text("messageId", &ids.id()).at("timestamp", Some(at));
        Draft { about, line, at }
    }

    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Draft {
        self.line = self.line.text(name, value);
        self
    }

    #[must_use]
    pub fn named(mut self, name: &str, value: Option<&str>) -> Draft {
        self.line = self.line.named(name, value);
        self
    }

    /// Traits, or properties.
    #[must_use]
    pub fn members(mut self, name: &str, members: Members) -> Draft {
        self.line = members.stand_in(self.line, name);
        self
    }

    /// The message, received a moment later.
    pub fn sent(self, dice: &mut Dice) -> Message {
        let delay = 0.04 + dice.wait(0.6).min(20.0);
        self.received(delay * SECOND_MICROS)
    }

    /// The message from a device, which is out of reach now and then.
    pub fn sent_from_afar(self, dice: &mut Dice) -> Message {
        if !dice.falls(LATE) {
            return self.sent(dice);
        }
        let hours = dice.wait(LATE_HOURS_MEAN).clamp(0.1, LATE_HOURS_MAX);
        self.received(hours * HOUR_MICROS)
    }

    fn received(self, delay_micros: f64) -> Message {
        let received_at = self.at.plus_micros(delay_micros as i64);
        Message { received_at, about: self.about, text: self.line.received(Some(received_at)) }
    }
}
