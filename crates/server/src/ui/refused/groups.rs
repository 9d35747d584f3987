//! What is refused for one reason: the same code, at the same place of the message.

use std::collections::{BTreeMap, HashMap};

use muster_model::time::Micros;
use muster_store::{
    credentials::Workspace,
    refused::{Refused, RefusedId},
};

use super::{
    super::{
        answer::sentence,
        link,
        shown::{self, Form, Html, count},
    },
    address,
};
use crate::{error::ApiError, resources::query::Query, state::AppState};

/// Messages that are looked at.
pub(super) const LOOKED_AT_MAX: usize = 1_000;
/// Messages read at one time.
const PAGE: usize = 20;

/// Bytes of a message that a list shows.
const START_BYTES_MAX: usize = 160;

/// Why messages of a group are refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

    fn of_message(one: &Refused<'_>) -> Reason {
        let part = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty() {
            true => "*".to_owned(),
            false => part.to_owned(),
        };
        let place = one.pointer.split('/').map(part).collect::<Vec<String>>().join("/");
        Reason { code: one.code.as_str().to_owned(), place }
    }

    /// A page about it.
    pub(super) fn address(&self, path: &str) -> String {
        link::with(path, &[("code", &self.code), ("place", &self.place)])
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

/// What is kept of a message that was looked at; its body stays where it is.
pub(super) struct Sight {
    pub id: RefusedId,
    pub at: Micros,
    pub key_id: u64,
    pub reason: Reason,
    says: String,
    /// The beginning of the body.
    pub start: String,
}

impl Sight {
    fn of(one: &Refused<'_>) -> Sight {
        let start = String::from_utf8_lossy(&one.body[..one.body.len().min(START_BYTES_MAX)]);
        Sight {
            id: one.id,
            at: one.received_at,
            key_id: one.key_id,
            reason: Reason::of_message(one),
            says: sentence(&one.reason),
            start: start.into_owned(),
        }
    }
}

/// The newest messages set aside.
pub(super) struct Looked {
    pub messages: Vec<Sight>,
    /// Whether there are older ones.
    pub more: bool,
}

impl Looked {
    /// Reads them, so many at most.
    pub(super) async fn read(state: &AppState, workspace: &Workspace) -> Result<Looked, ApiError> {
        let (mut messages, mut from) = (Vec::new(), None);
        loop {
            let page = state.store.refused(workspace.id, from, PAGE).await.map_err(ApiError::Read)?;
            messages.extend(page.refused.iter().map(Sight::of));
            from = page.next;
            if from.is_none() || messages.len() >= LOOKED_AT_MAX {
                return Ok(Looked { messages, more: from.is_some() });
            }
        }
    }

    /// The groups, the largest first.
    pub(super) fn groups(&self, names: &HashMap<u64, String>) -> Vec<Group> {
        let mut by_reason: BTreeMap<&Reason, Vec<&Sight>> = BTreeMap::new();
        for one in &self.messages {
            by_reason.entry(&one.reason).or_default().push(one);
        }
        let mut sorted: Vec<_> = by_reason.into_iter().collect();
        sorted.sort_by_key(|(_, of)| std::cmp::Reverse(of.len()));
        sorted.iter().map(|(reason, of)| group(reason, of, names)).collect()
    }
}

/// A group of messages, which come newest first.
fn group(reason: &Reason, of: &[&Sight], names: &HashMap<u64, String>) -> Group {
    const KEYS_NAMED: usize = 3;
    let mut keys: Vec<&str> = of.iter().filter_map(|one| names.get(&one.key_id).map(String::as_str)).collect();
    keys.sort_unstable();
    keys.dedup();
    let more = keys.len().saturating_sub(KEYS_NAMED);
    keys.truncate(KEYS_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let at = |one: Option<&&Sight>| shown::time_or_nothing(one.map(|one| one.at), Form::Ago);
    Group {
        href: address(reason),
        code: reason.code.clone(),
        place: reason.place.clone(),
        says: of.first().map(|newest| newest.says.clone()).unwrap_or_default(),
        count: count(of.len() as u64),
        first: at(of.last()),
        last: at(of.first()),
        keys: format!("{}{more}", keys.join(", ")),
    }
}

/// What the keys of a workspace are called.
pub(in super::super) fn key_names(state: &AppState, workspace: &Workspace) -> HashMap<u64, String> {
    let named = |key: &muster_store::credentials::Key| match key.name.is_empty() {
        true => format!("key {}", key.id),
        false => key.name.clone(),
    };
    let keys = state.store.keys();
    keys.iter().filter(|key| key.workspace.id == workspace.id).map(|key| (key.id, named(key))).collect()
}
