//! Days of activity, and names of events.

use muster_model::day::Day;
use muster_store::activity::{DayActivity, EventActivity, EventName, OtherEvents};

use super::object::{List, Object};
use crate::openapi::schema::{Field, Fields};

/// Writes a day.
pub(crate) fn write_day(object: &mut Object<'_>, day: &DayActivity) {
    object.text("date", &day.day.to_text());
    object.number("events", day.events);
    object.number("activeUsers", day.users);
    object.list("byEvent", |list: &mut List<'_>| {
        for one in &day.by_event {
            list.object(|object| write_event(object, one));
        }
    });
}

fn write_event(object: &mut Object<'_>, one: &EventActivity) {
    object.text("event", &one.name);
    object.number("events", one.events);
    object.number("activeUsers", one.users);
}

/// Writes the days that an answer is about.
pub(crate) fn write_span(object: &mut Object<'_>, (first, last): (Day, Day)) {
    object.text("from", &first.to_text());
    object.text("to", &last.to_text());
}

/// Writes a name.
pub(crate) fn write_name(object: &mut Object<'_>, name: &EventName) {
    object.text("event", &name.name);
    object.number("events", name.events);
    object.instant("firstSeen", name.first);
    object.instant("lastSeen", name.last);
}

/// Writes the events whose names are not told.
pub(crate) fn write_others(object: &mut Object<'_>, others: &OtherEvents) {
    object.number("events", others.events);
    object.instant("firstSeen", others.first);
    object.instant("lastSeen", others.last);
}

/// The fields of a day, in the same order.
pub(crate) const DAY_FIELDS: Fields = &[
    ("date", Field::Date),
    ("events", Field::Count),
    ("activeUsers", Field::Count),
    ("byEvent", Field::ListOf("EventActivity")),
];

/// The fields of one event on a day.
pub(crate) const EVENT_FIELDS: Fields =
    &[("event", Field::Text), ("events", Field::Count), ("activeUsers", Field::Count)];

/// The fields of an answer about days.
pub(crate) const DAYS_FIELDS: Fields = &[("results", Field::ListOf("Day")), ("from", Field::Date), ("to", Field::Date)];

/// The fields of a name.
pub(crate) const NAME_FIELDS: Fields =
    &[("event", Field::Text), ("events", Field::Count), ("firstSeen", Field::Instant), ("lastSeen", Field::Instant)];

/// The fields of what the events of other names come to.
pub(crate) const OTHERS_FIELDS: Fields =
    &[("events", Field::Count), ("firstSeen", Field::Instant), ("lastSeen", Field::Instant)];

/// The fields of an answer with names.
pub(crate) const NAMES_FIELDS: Fields =
    &[("results", Field::ListOf("EventName")), ("others", Field::OrNull("OtherEvents"))];
