//! What is refused for one reason: the same code, at the same place of the message.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

use muster_model::time::Micros;
use muster_store::refused::Sketch;

use super::{
    super::{
        answer::sentence,
        link,
        shown::{self, Form, Html, count},
        who::Names,
    },
    PATH,
};
use crate::resources::query::Query;

/// Groups that are told apart; messages of more reasons are counted together.
const GROUPS_MAX: usize = 500;
/// Keys of a group that are told apart, and those that are named.
const KEYS_MAX: usize = 100;
const KEYS_NAMED: usize = 3;

/// Why messages of a group are refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Reason {
    pub code: String,
    /// Where in the message; numbers of elements are left open.
    pub place: String,
}

impl Reason {
    /// The reason that an address or a form names.
    pub(super) fn of(parameters: &Query) -> Option<Reason> {
        let code = parameters.filled("code")?.to_owned();
        Some(Reason { code, place: parameters.get("place").unwrap_or_default().to_owned() })
    }

    /// The reason of a message.
    pub(super) fn of_message(code: &str, pointer: &str) -> Reason {
        let part = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty() {
            true => "*".to_owned(),
            false => part.to_owned(),
        };
        let place = pointer.split('/').map(part).collect::<Vec<String>>().join("/");
        Reason { code: code.to_owned(), place }
    }

    /// Whether a message is refused for this.
    pub(super) fn is_of(&self, sketch: &Sketch) -> bool {
        self.code == sketch.code.as_str() && *self == Reason::of_message(&self.code, &sketch.pointer)
    }

    /// A page about it, with more parameters.
    pub(super) fn address(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut parameters = vec![("code", self.code.as_str()), ("place", self.place.as_str())];
        parameters.extend(more);
        link::with(path, &parameters)
    }
}

/// What is known of a group.
#[derive(Clone, Debug)]
struct Tally {
    count: u64,
    says: String,
    first: Micros,
    last: Micros,
    keys: BTreeSet<u64>,
}

/// Messages, counted by reason.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    by_reason: HashMap<Reason, Tally>,
    /// Messages of reasons for which there was no place.
    pub others: u64,
    pub messages: u64,
}

impl Groups {
    /// Counts one more. They come newest first.
    pub(super) fn add(&mut self, sketch: &Sketch) {
        self.messages += 1;
        let reason = Reason::of_message(sketch.code.as_str(), &sketch.pointer);
        if self.by_reason.len() >= GROUPS_MAX && !self.by_reason.contains_key(&reason) {
            self.others += 1;
            return;
        }
        let at = sketch.received_at;
        let says = || sentence(&sketch.reason);
        let new = || Tally { count: 0, says: says(), first: at, last: at, keys: BTreeSet::new() };
        let tally = self.by_reason.entry(reason).or_insert_with(new);
        tally.count += 1;
        tally.first = tally.first.min(at);
        tally.last = tally.last.max(at);
        if tally.keys.len() < KEYS_MAX {
            tally.keys.insert(sketch.key_id);
        }
    }

    /// Messages refused for a reason.
    pub(super) fn of(&self, reason: &Reason) -> u64 {
        self.by_reason.get(reason).map_or(0, |tally| tally.count)
    }

    /// The groups as they are shown, the largest first.
    pub(super) fn shown(&self, names: &Names) -> Vec<Group> {
        let mut sorted: Vec<(&Reason, &Tally)> = self.by_reason.iter().collect();
        sorted.sort_by_key(|(reason, tally)| (Reverse(tally.count), *reason));
        sorted.into_iter().map(|(reason, tally)| group(reason, tally, names)).collect()
    }
}

/// A group, as it is shown.
pub(super) struct Group {
    pub href: String,
    pub code: String,
    pub place: String,
    pub says: String,
    pub count: String,
    pub first: Html,
    pub last: Html,
    pub keys: String,
}

fn group(reason: &Reason, tally: &Tally, names: &Names) -> Group {
    let named: Vec<String> = tally.keys.iter().take(KEYS_NAMED).map(|number| names.name(*number)).collect();
    let more = match tally.keys.len().saturating_sub(KEYS_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Group {
        href: reason.address(PATH, &[]),
        code: reason.code.clone(),
        place: reason.place.clone(),
        says: tally.says.clone(),
        count: count(tally.count),
        first: shown::time(tally.first, Form::Ago),
        last: shown::time(tally.last, Form::Ago),
        keys: format!("{}{more}", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use muster_model::rejection::Code;
    use muster_store::refused::RefusedId;

    use super::*;

    fn sketch(pointer: &str, at: i64, key_id: u64) -> Sketch {
        let (pointer, reason) = (pointer.to_owned(), format!("said at {at}"));
        let (id, received_at) = (RefusedId(at as u128), Micros(at));
        Sketch { id, received_at, code: Code::InvalidId, pointer, reason, key_id, start: Vec::new() }
    }

    #[test]
    fn reasons_are_counted_and_those_without_a_place_together() {
        let mut groups = Groups::default();
        for (at, pointer) in ["/ids/0", "/ids/17", "/ids/x", "/ids/3"].into_iter().enumerate() {
            groups.add(&sketch(pointer, 9 - at as i64, at as u64 + 1));
        }
        let reason = Reason { code: "invalid_id".to_owned(), place: "/ids/*".to_owned() };
        assert_eq!((groups.of(&reason), groups.messages, groups.others), (3, 4, 0));
        assert!(reason.is_of(&sketch("/ids/4", 1, 1)) && !reason.is_of(&sketch("/ids/x", 1, 1)));
        let shown = groups.shown(&Names::default());
        assert_eq!((shown[0].count.as_str(), shown[0].says.as_str()), ("3", "Said at 9."));
        assert_eq!(shown[0].keys, "key 1, key 2, key 4");
        for at in 0..2 * GROUPS_MAX {
            groups.add(&sketch(&format!("/traits/t{at}"), 1, 1));
        }
        assert_eq!(groups.by_reason.len(), GROUPS_MAX);
        assert_eq!((groups.others, groups.messages), (GROUPS_MAX as u64 + 2, 2 * GROUPS_MAX as u64 + 4));
    }
}
