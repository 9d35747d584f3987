//! What happened, one by one: the newest first, repeats folded.

use std::collections::{BTreeMap, HashMap};

use askama::filters::Safe;
use muster_model::{
    day::Day,
    id::{Identity, RecordId},
    kind::RecordKind,
    profile::{Parent, Profile},
};
use muster_store::{
    credentials::Workspace,
    history::{Event, EventCursor, EventsQuery},
};
use serde_json::value::RawValue;

use super::super::{
    days::spoken,
    link,
    list::name_of,
    shown::{self, Form, Html, Long, escaped},
};
use crate::{
    error::ApiError,
    resources::{
        cursor::{ListName, Place},
        query::Query,
    },
    state::AppState,
};

/// Events of a page.
const PAGE_EVENTS: usize = 50;
/// Properties of an event that are shown at once; the others unfold.
const PROPERTIES_SHOWN: usize = 8;

/// The events of one day.
pub(super) struct DayOfEvents {
    pub date: String,
    pub label: String,
    pub moments: Vec<Moment>,
}

/// One event, or several of one name and one user that followed each other.
pub(super) struct Moment {
    pub name: String,
    pub at: Html,
    pub who: Html,
    pub properties: Html,
    pub count: usize,
    pub each: Vec<Each>,
}

/// One of the events that were folded.
pub(super) struct Each {
    pub at: Html,
    pub properties: Html,
}

/// A page of a timeline.
pub(super) struct Timeline {
    pub event: String,
    pub days: Vec<DayOfEvents>,
    pub older: String,
    pub newest: String,
}

impl Timeline {
    /// Reads it.
    pub(super) async fn read(
        state: &AppState,
        workspace: &Workspace,
        profile: &Profile,
        parameters: &Query,
        here: &str,
    ) -> Result<Timeline, ApiError> {
        let (kind, id) = (profile.kind(), profile.id);
        let event = parameters.filled("event").unwrap_or_default().to_owned();
        let list = ListName::new(workspace.id, &["page of events", kind.as_str(), &id.to_string(), &event]);
        let from = list.read(parameters.get("from"))?;
        let query = EventsQuery {
            subject: (kind, id),
            event: Some(event.clone()).filter(|event| !event.is_empty()),
            after: None,
            before: None,
            from: from.map(|place| EventCursor { timestamp: place.at, identity: Identity(place.id) }),
            limit: PAGE_EVENTS,
        };
        let found = state.store.events(workspace.id, query).await.map_err(ApiError::Read)?;
        let names = names(state, workspace, &found.events).await?;
        let address = |from: &str| format!("{}#timeline", link::with(here, &[("event", &event), ("from", from)]));
        let next = found.next.map(|at| list.write(Place { at: at.timestamp, id: at.identity.0 }));
        Ok(Timeline {
            days: days(&found.events, kind, &names),
            older: next.as_deref().map(address).unwrap_or_default(),
            newest: from.map(|_| address("")).unwrap_or_default(),
            event,
        })
    }
}

/// What the users and accounts of a page are called.
type Names = HashMap<RecordId, String>;

async fn names(state: &AppState, workspace: &Workspace, events: &[Event]) -> Result<Names, ApiError> {
    let mut names = Names::new();
    for event in events {
        for (kind, parent) in [(RecordKind::User, &event.user), (RecordKind::Account, &event.account)] {
            let Some(id) = parent.as_ref().map(|parent| parent.id).filter(|id| !names.contains_key(id)) else {
                continue;
            };
            let profile = state.store.profile(workspace.id, kind, id).await.map_err(ApiError::Read)?;
            if let Some(profile) = profile {
                names.insert(id, name_of(&profile));
            }
        }
    }
    Ok(names)
}

fn days(events: &[Event], of: RecordKind, names: &Names) -> Vec<DayOfEvents> {
    let of_one_day = events.chunk_by(|one, other| Day::of(one.timestamp) == Day::of(other.timestamp));
    let day = |events: &[Event]| {
        let day = Day::of(events[0].timestamp);
        let alike = |one: &Event, other: &Event| one.name == other.name && one.user == other.user;
        let moments = events.chunk_by(alike).map(|events| moment(events, of, names)).collect();
        DayOfEvents { date: day.to_text(), label: spoken(day), moments }
    };
    of_one_day.map(day).collect()
}

fn moment(events: &[Event], of: RecordKind, names: &Names) -> Moment {
    let newest = &events[0];
    let folded = if events.len() > 1 { events } else { &[] };
    let each = |event: &Event| Each {
        at: shown::time(event.timestamp, Form::Clock),
        properties: properties(&event.properties),
    };
    Moment {
        name: newest.name.clone(),
        at: shown::time(newest.timestamp, Form::Clock),
        who: who(newest, of, names),
        properties: properties(&newest.properties),
        count: events.len(),
        each: folded.iter().map(each).collect(),
    }
}

/// Who did it, and where, unless the page says that already.
fn who(event: &Event, of: RecordKind, names: &Names) -> Html {
    let linked = |kind: RecordKind, parent: &Parent| {
        let href = link::record(kind, &parent.external_id, parent.id);
        let name = escaped(names.get(&parent.id).map_or(&parent.external_id, String::as_str));
        format!("<a class=\"small\" href=\"{href}\"><bdi>{name}</bdi></a>")
    };
    let user = event.user.as_ref().filter(|_| of != RecordKind::User).map(|user| linked(RecordKind::User, user));
    let account = event.account.as_ref().filter(|_| of != RecordKind::Account);
    let account = account.map(|account| linked(RecordKind::Account, account));
    Safe(match (user, account) {
        (Some(user), Some(account)) => format!("{user} <span class=\"quiet small\">at</span> {account}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => String::new(),
    })
}

/// The properties of an event, the first of them unfolded; what is no ordinary object is shown as it was sent.
fn properties(json: &str) -> Html {
    if json.is_empty() {
        return Safe(String::new());
    }
    let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(json) else {
        return shown::value(json, Long::Folded);
    };
    let mut out = String::new();
    let put = |out: &mut String, (key, value): (&String, &&RawValue)| {
        let (key, value) = (escaped(key), shown::value(value.get(), Long::Folded).0);
        shown::put(out, format_args!("<div><bdi>{key}</bdi> <div>{value}</div></div>"));
    };
    members.iter().take(PROPERTIES_SHOWN).for_each(|member| put(&mut out, member));
    if members.len() > PROPERTIES_SHOWN {
        let more = members.len() - PROPERTIES_SHOWN;
        shown::put(&mut out, format_args!("<details><summary>and {more} more</summary><div class=\"props\">"));
        members.iter().skip(PROPERTIES_SHOWN).for_each(|member| put(&mut out, member));
        out.push_str("</div></details>");
    }
    Safe(out)
}

#[cfg(test)]
mod tests {
    use muster_model::{id::RecordId, time::Micros};

    use super::*;

    fn event(at: i64, name: &str, user: u128) -> Event {
        Event {
            identity: Identity(1),
            timestamp: Micros(at),
            received_at: Micros(at),
            name: name.to_owned(),
            message_id: None,
            user: Some(Parent { id: RecordId(user), external_id: user.to_string().into() }),
            account: None,
            organization: None,
            properties: String::new(),
        }
    }

    #[test]
    fn repeats_are_folded_within_a_day() {
        let day = 86_400_000_000;
        let events = [
            event(day + 5, "a", 1),
            event(day + 4, "a", 1),
            event(day + 3, "a", 2),
            event(day + 2, "b", 2),
            event(5, "b", 2),
        ];
        let shown: Vec<(String, Vec<(String, usize)>)> = days(&events, RecordKind::Account, &Names::new())
            .into_iter()
            .map(|day| (day.date, day.moments.into_iter().map(|one| (one.name, one.count)).collect()))
            .collect();
        let of = |name: &str, count| (name.to_owned(), count);
        assert_eq!(
            shown,
            [
                ("1970-01-02".to_owned(), vec![of("a", 2), of("a", 1), of("b", 1)]),
                ("1970-01-01".to_owned(), vec![of("b", 1)]),
            ]
        );
    }

    #[test]
    fn properties_are_shown_as_sent() {
        assert_eq!(properties(r#"{"<k>":"<v>"}"#).0, "<div><bdi>&lt;k&gt;</bdi> <div><bdi>&lt;v&gt;</bdi></div></div>");
        assert_eq!(properties("").0, "");
        let many: Vec<String> = (0..12).map(|n| format!("\"k{n}\":{n}")).collect();
        let all = properties(&format!("{{{}}}", many.join(","))).0;
        assert!(all.contains("<summary>and 4 more</summary>"), "{all}");
        assert_eq!(all.matches("<bdi>k").count(), 12, "{all}");
    }
}
