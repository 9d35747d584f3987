//! Messages that are wrong, as senders get them wrong, so that there is something to look at and to correct.

use muster_model::{kind::Kind, time::Micros};

use super::{
    calendar::{Year, working_hour},
    cast::Cast,
    dice::Dice,
    message::{About, Draft, Members, Message},
    story::DAYS,
};
use crate::commands::import::forms::line::Line;

/// The days before the last in which senders get things wrong; what is set aside is kept for 30 days by default.
const FAULTY_DAYS: i32 = 20;
/// More levels than a message may have, unless the settings say otherwise.
const DEPTH: usize = 80;

/// One way to be wrong, and how often it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    UnknownType,
    Timestamp,
    NoSubject,
    NoEvent,
    Traits,
    Id,
    Deep,
    /// The same as an earlier message, with other content.
    Conflict,
}

const FAULTS: [(Fault, usize); 8] = [
    (Fault::UnknownType, 14),
    (Fault::Timestamp, 12),
    (Fault::NoSubject, 9),
    (Fault::NoEvent, 6),
    (Fault::Traits, 5),
    (Fault::Id, 3),
    (Fault::Deep, 1),
    (Fault::Conflict, 4),
];
/// Users that are sent without a parent.
const ORPHANS: usize = 9;

/// What is wrong on a day.
pub fn of_day(seed: u64, year: Year, cast: &Cast, day: i32) -> Vec<Message> {
    let mut messages = Vec::new();
    for (kind, (fault, count)) in FAULTS.into_iter().enumerate() {
        for number in 0..count {
            let which = [kind as u64, number as u64];
            let mut dice = Dice::new(seed, "fault", &which);
            if DAYS - 1 - dice.between(0, FAULTY_DAYS - 1) == day {
                let mut ids = Dice::new(seed ^ (year.last().0 as u64).rotate_left(32), "fault", &which);
                let at = year.at(day, working_hour(&mut dice) / 2.0, 0);
                messages.extend(fault.messages(cast, at, &mut dice, &mut ids));
            }
        }
    }
    messages
}

impl Fault {
    fn messages(self, cast: &Cast, at: Micros, dice: &mut Dice, ids: &mut Dice) -> Vec<Message> {
        // An account that is there to the end, so that nothing seems to come after somebody left.
        let user = &cast.accounts[3].users[0];
        let begin = |kind: &str, ids: &mut Dice| Line::message(kind).text("messageId", &ids.id());
        let track = |ids: &mut Dice| begin("track", ids).at("timestamp", Some(at));
        let line = match self {
            Fault::UnknownType => {
                let path = dice.word(&["/pricing", "/docs/start", "/blog/handover"]);
                let line = begin("page", ids).at("timestamp", Some(at)).text("userId", &user.id);
                line.object("properties", [("path", format!("\"{path}\""))])
            }
            Fault::Timestamp => {
                let day = dice.between(1, 28);
                begin("track", ids)
                    .text("timestamp", &format!("{day}/13/26 09:{day:02}"))
                    .text("event", "legacy-export-run")
                    .text("userId", &user.id)
            }
            Fault::NoSubject => {
                track(ids).text("event", "widget-opened").object("properties", [("embed", "true".to_owned())])
            }
            Fault::NoEvent => track(ids).text("name", "document-printed").text("userId", &user.id),
            Fault::Traits => {
                let line = begin("account", ids).at("timestamp", Some(at)).text("accountId", &cast.accounts[3].id);
                line.text("traits", "plan=team;seats=12")
            }
            Fault::Id => track(ids).text("event", "document-viewed").raw("userId", r#"{"id":7}"#),
            Fault::Deep => {
                let deep = format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
                track(ids)
                    .text("event", "layout-saved")
                    .text("userId", &user.id)
                    .raw("properties", &format!("{{\"tree\":{deep}}}"))
            }
            Fault::Conflict => return conflict(&user.id, at, dice, ids),
        };
        let received_at = at.plus_micros(400_000 + i64::from(dice.between(0, 900_000)));
        vec![Message { received_at, about: About::Fault, text: line.received(Some(received_at)) }]
    }
}

/// An event, and another one that says it is the same.
fn conflict(user: &str, at: Micros, dice: &mut Dice, ids: &mut Dice) -> Vec<Message> {
    let says = |pages: i32, ids: &mut Dice| {
        let draft = Draft::event("export-started", at, ids).text("userId", user);
        draft.members("properties", Members::new().text("format", "pdf").number("pages", pages))
    };
    let pages = dice.between(2, 40);
    let first = says(pages, &mut ids.clone()).sent(dice);
    let mut second = says(pages + 1, ids).sent(dice);
    second.about = About::Fault;
    // Both were sent at one moment; they are received in this order.
    if second.received_at <= first.received_at {
        second.received_at = first.received_at;
    }
    vec![first, second]
}

/// Users that are sent without a parent, just now: of what was received before, nothing of this kind is refused.
pub fn orphans(seed: u64, year: Year) -> impl Iterator<Item = Message> {
    (0..ORPHANS).map(move |number| {
        let mut ids = Dice::new(seed ^ (year.last().0 as u64).rotate_left(32), "orphan", &[number as u64]);
        let at = year.at(DAYS - 1, 0.2 + number as f64 / 60.0, 0);
        let line = Line::message(Kind::User.as_str()).text("messageId", &ids.id()).at("timestamp", Some(at));
        let line = line.text("userId", &format!("guest-{}", 100 + number));
        let text = line.object("traits", [("source", "\"shared link\"".to_owned())]).bare();
        Message { received_at: Micros::MAX, about: About::Fault, text }
    })
}

/// How many messages there are whose fault is known, in a whole year.
#[cfg(test)]
pub fn count() -> usize {
    FAULTS.iter().map(|(_, count)| count).sum::<usize>() + ORPHANS
}
