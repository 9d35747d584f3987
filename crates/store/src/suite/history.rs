//! Timelines: order, pages, filters.

use muster_model::{
    draft::{Draft, Origin},
    kind::{
        Kind,
        RecordKind::{self, Account, Instance, Organization, User},
    },
    kinds::{Context, check},
    limits::MessageLimits,
    time::Micros,
};

use super::{
    Desk, Pace, Subject,
    phrases::{WORLD_CUP, account_of, does, does_in, joins, joins_organization, leaves},
};
use crate::{
    history::{Event, EventsQuery},
    receipt::Outcome,
};

fn instant(text: &str) -> Micros {
    Micros::parse(text).expect("cases write instants that can be read")
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

/// By the instant of the event, whenever it came; on all three timelines.
pub async fn a_timeline_runs_from_new_to_old<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), account_of("a", "o", 1)]).await;
    for day in [5, 9, 2, 7, 3, 8] {
        desk.send(&[does("u", &format!("e{day}"), day)]).await;
    }
    for (kind, external_id) in [(User, "u"), (Account, "a"), (Organization, "o")] {
        assert_eq!(desk.timeline(kind, external_id).await, ["e9", "e8", "e7", "e5", "e3", "e2"], "{kind:?}");
    }
}

/// Nothing of a track is changed, lost or made up.
pub async fn events_show_what_was_sent<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let full = r#"{"type":"track","event":" Ü \"x\" ","userId":"u","accountId":"a","organizationId":"o","messageId":42,"timestamp":"2024-01-05T01:02:03.456789+01:00","properties":{"b": [1,2.50,null],"a":{"\u00e9":"\n"}},"context":{"ip":"::1"}}"#;
    let bare = r#"{"type":"track","event":"bare","userId":"u","messageId":"m"}"#;
    let received_at = desk.now();
    desk.send(&[full, bare]).await;
    let events = desk.events(desk.about(User, "u")).await;
    let [bare_event, full_event] = &events[..] else { panic!("two events: {events:?}") };
    let external_id = |parent: &Option<muster_model::profile::Parent>| {
        parent.as_ref().map(|parent| (parent.id, parent.external_id.as_ref().to_owned()))
    };
    assert_eq!(full_event.identity, desk.identity(full));
    assert_eq!(full_event.name, " Ü \"x\" ");
    assert_eq!(full_event.message_id.as_deref(), Some("42"));
    assert_eq!(full_event.timestamp, instant("2024-01-05T00:02:03.456789Z"));
    assert_eq!(full_event.received_at, received_at);
    assert_eq!(full_event.properties, r#"{"b": [1,2.50,null],"a":{"\u00e9":"\n"}}"#);
    for (parent, kind, name) in [
        (&full_event.user, User, "u"),
        (&full_event.account, Account, "a"),
        (&full_event.organization, Organization, "o"),
    ] {
        assert_eq!(external_id(parent), Some((desk.id(kind, name), name.to_owned())));
    }
    assert_eq!(bare_event.timestamp, received_at, "without a timestamp it is the time of receipt");
    assert_eq!((bare_event.account.as_ref(), bare_event.organization.as_ref()), (None, None));
    assert_eq!(bare_event.properties, "");
}

/// A message that was made from another form is told from others by what that form says, and keeps that identity. One
/// about someone anonymous belongs to nobody, and is nobody's profile.
pub async fn a_call_of_another_form_keeps_its_identity<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let limits = MessageLimits::default();
    let known = r#"{"event":"e","userId":"u","messageId":"m","timestamp":"2024-01-05"}"#;
    let anonymous = r#"{"event":"e","messageId":"n","timestamp":"2024-01-05","anonymousId":"x"}"#;
    let origin = Origin { content: 7, call: "track", anonymous: true };
    let mut identities = Vec::new();
    // Sent again it may be known whose it is; it is the same all the same.
    let again = known.replacen(r#""userId":"u""#, r#""anonymousId":"x""#, 1);
    for (texts, outcome) in [([known, anonymous], Outcome::Stored), ([&again, anonymous], Outcome::Duplicate)] {
        let context = Context { ids: desk.ids(), received_at: desk.now(), limits };
        let mut batch = desk.batch();
        for text in texts {
            let mut draft = Draft::from_text(text, limits.message_depth_max);
            draft.origin = Some(origin);
            let message = check(Kind::Track, &draft, &context).expect("it breaks no rule");
            assert_ne!(Some(message.identity), message.derived_identity(), "the same as no other message's");
            identities.push(message.identity);
            batch.message(&message);
        }
        let outcomes = desk.append(batch.build()).await;
        assert_eq!(outcomes, [outcome, outcome]);
    }
    assert_eq!(identities[..2], identities[2..]);
    let events = desk.events(desk.about(User, "u")).await;
    assert_eq!(events.iter().map(|event| event.identity).collect::<Vec<_>>(), identities[..1]);
    assert!(desk.find(User, "x").await.is_none());
}

fn same_instant(n: u32) -> String {
    format!(
        r#"{{"type":"track","event":"e{n:02}","userId":"u","accountId":"a","messageId":"m{n}","timestamp":"2024-01-01"}}"#
    )
}

/// Among events of one instant the identity decides, not the order they came in.
pub async fn equal_instants_are_ordered_by_identity<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let order = [7, 2, 9, 4, 1, 11, 0, 10, 3, 6, 8, 5];
    for few in order.chunks(5) {
        desk.send(&few.iter().map(|n| same_instant(*n)).collect::<Vec<_>>()).await;
    }
    let mut expected: Vec<u32> = order.to_vec();
    expected.sort_by_key(|n| std::cmp::Reverse(desk.identity(&same_instant(*n))));
    let expected: Vec<String> = expected.into_iter().map(|n| format!("e{n:02}")).collect();
    for limit in [1, 2, 5, 11, 12, 13] {
        for (kind, external_id) in [(User, "u"), (Account, "a")] {
            let query = EventsQuery { limit, ..desk.about(kind, external_id) };
            assert_eq!(names(&desk.events(query).await), expected, "pages of {limit}");
        }
    }
}

/// Events at many instants, several of them at the same one.
async fn many_events<S: Subject>(desk: &mut Desk<'_, S>) {
    for part in 0..5u32 {
        let texts: Vec<String> = (0..8)
            .map(|n| {
                let (event, day) = (["view", "click", "buy"][((part + n) % 3) as usize], 1 + (part * 7 + n * 3) % 9);
                format!(
                    r#"{{"type":"track","event":"{event}","userId":"u","messageId":"{part}-{n}","timestamp":"2024-01-{day:02}"}}"#
                )
            })
            .collect();
        desk.send(&texts).await;
    }
    desk.send(&[joins("u", "a", 1), account_of("a", "o", 1)]).await;
}

/// Whatever the size of a page, the whole is the same.
pub async fn pages_of_any_size_show_every_event_once<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    many_events(&mut desk).await;
    for (kind, external_id) in [(User, "u"), (Account, "a"), (Organization, "o")] {
        let whole = desk.events(EventsQuery { limit: 1000, ..desk.about(kind, external_id) }).await;
        assert_eq!(whole.len(), 40);
        let place = |event: &Event| (event.timestamp, event.identity);
        assert!(whole.windows(2).all(|pair| place(&pair[0]) > place(&pair[1])), "newest first, none twice");
        for limit in [1, 2, 3, 7, 39, 40, 41] {
            let query = EventsQuery { limit, ..desk.about(kind, external_id) };
            assert_eq!(desk.events(query).await, whole, "pages of {limit}");
        }
    }
}

/// An event's name, from when on, until when, and what is left.
type Filtered<'a> = (Option<&'a str>, Option<Micros>, Option<Micros>, &'a [&'a str]);

/// By name, from an instant on, before an instant: exactly.
pub async fn filters_choose_events<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[does("u", "view", 1), does("u", "buy", 2), does("u", "view", 3)]).await;
    desk.send(&[does("u", "view", 2), does("u", "view ", 4), does("v", "view", 2)]).await;
    let at = |text: &str| Some(instant(text));
    let cases: [Filtered<'_>; 8] = [
        (None, None, None, &["view ", "view", "view", "buy", "view"]),
        (Some("view"), None, None, &["view", "view", "view"]),
        (Some("View"), None, None, &[]),
        (Some("buy"), at("2024-01-02"), None, &["buy"]),
        (Some("buy"), None, at("2024-01-02"), &[]),
        (None, at("2024-01-03"), None, &["view ", "view"]),
        (Some("view"), at("2024-01-02"), at("2024-01-03T00:00:00.000001Z"), &["view", "view"]),
        (None, at("2024-01-03"), at("2024-01-03"), &[]),
    ];
    for (event, after, before, expected) in cases {
        let query = EventsQuery { event: event.map(str::to_owned), after, before, ..desk.about(User, "u") };
        let mut found = names(&desk.events(query).await).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let mut expected: Vec<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{event:?} {after:?} {before:?}");
    }
}

/// A filtered timeline is the timeline without what the filter leaves out, in pages of any size.
pub async fn filters_and_pages_together<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    many_events(&mut desk).await;
    let whole = desk.events(desk.about(Account, "a")).await;
    let instants = [None, Some(instant("2024-01-03")), Some(instant("2024-01-06"))];
    for event in [None, Some("click"), Some("nothing")] {
        for after in instants {
            for before in instants {
                let kept = whole.iter().filter(|one| {
                    event.is_none_or(|name| one.name == name)
                        && after.is_none_or(|after| one.timestamp >= after)
                        && before.is_none_or(|before| one.timestamp < before)
                });
                let expected: Vec<&Event> = kept.collect();
                for limit in [1, 4, 100] {
                    let event = event.map(str::to_owned);
                    let query = EventsQuery { event, after, before, limit, ..desk.about(Account, "a") };
                    let found = desk.events(query.clone()).await;
                    assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query:?}");
                }
            }
        }
    }
}

/// Descriptions and links are no events, of whatever record.
pub async fn only_tracks_are_events<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&WORLD_CUP).await;
    desk.send(&[joins("32", "b", 1), leaves("32", "b", 2), joins_organization("32", "p", 3)]).await;
    desk.send(&[r#"{"type":"customobjectinstance","externalId":"x","customObjectId":"t","accountId":"123456","messageId":"1","event":"e"}"#])
        .await;
    for (kind, external_id) in [(User, "32"), (Account, "123456"), (Organization, "abcdefg")] {
        assert_eq!(desk.timeline(kind, external_id).await, ["scored-goal"], "{external_id}");
    }
    assert_eq!(desk.timeline(Account, "b").await, [""; 0]);
}

/// Neither an error nor anybody else's events.
pub async fn who_was_never_named_has_no_events<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    assert_eq!(desk.timeline(User, "u").await, [""; 0]);
    desk.send(&[does_in("u", "u", "e", 1)]).await;
    for kind in RecordKind::ALL {
        assert_eq!(desk.timeline(kind, "nobody").await, [""; 0]);
    }
    assert_eq!(desk.timeline(Organization, "u").await, [""; 0]);
    let instance = EventsQuery { subject: (Instance, desk.id(User, "u")), ..desk.about(User, "u") };
    assert_eq!(desk.events(instance).await, []);
}

/// The order holds however far apart events lie, also before 1970 and to the microsecond.
pub async fn years_apart<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let instants = [
        "2023-12-31T23:59:59.999999Z",
        "1969-12-31T23:59:59.999999Z",
        "2024-01-01T00:00:00Z",
        "1970-01-01",
        "0001-01-01",
        "2024-02-29T12:00:00.000001Z",
        "2024-02-29T12:00:00Z",
        "2019-06-15",
    ];
    for at in instants {
        desk.send(&[format!(r#"{{"type":"track","event":"{at}","userId":"u","timestamp":"{at}"}}"#)]).await;
    }
    let mut expected = instants.to_vec();
    expected.sort_by_key(|at| std::cmp::Reverse(instant(at)));
    for limit in [1, 3, 100] {
        let query = EventsQuery { limit, ..desk.about(User, "u") };
        assert_eq!(names(&desk.events(query).await), expected);
    }
    let before = EventsQuery { before: Some(Micros(0)), ..desk.about(User, "u") };
    assert_eq!(names(&desk.events(before).await), ["1969-12-31T23:59:59.999999Z", "0001-01-01"]);
}

/// A cursor is a place in time, not a count.
pub async fn a_page_is_not_disturbed_by_what_is_written_meanwhile<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    for day in 1..=9 {
        desk.send(&[does("u", &format!("e{day}"), day)]).await;
    }
    let mut query = EventsQuery { limit: 2, ..desk.about(User, "u") };
    let mut seen = Vec::new();
    loop {
        let page = crate::history::History::events(desk.store(), desk.workspace().id, query.clone()).await;
        let page = page.expect("a timeline can be read");
        seen.extend(page.events.into_iter().map(|event| event.name));
        desk.send(&[does("u", &format!("new{}", seen.len()), 20)]).await;
        let Some(next) = page.next else { break };
        query.from = Some(next);
    }
    assert_eq!(seen, ["e9", "e8", "e7", "e6", "e5", "e4", "e3", "e2", "e1"]);
}

/// What was sent is shown and orders the timeline; only its weight as a statement is bounded.
pub async fn an_event_in_the_future_shows_the_instant_it_was_sent_with<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let text =
        |event: &str, at: &str| format!(r#"{{"type":"track","event":"{event}","userId":"u","timestamp":"{at}"}}"#);
    desk.send(&[text("far", "2999-01-01"), text("now", "2024-03-01")]).await;
    desk.send(&[text("near", "2024-03-02")]).await;
    let events = desk.events(desk.about(User, "u")).await;
    assert_eq!(names(&events), ["far", "near", "now"]);
    assert_eq!(events[0].timestamp, instant("2999-01-01"));
    let query = EventsQuery { after: Some(instant("2500-01-01")), ..desk.about(User, "u") };
    assert_eq!(names(&desk.events(query).await), ["far"]);
}

/// More events than a page of the API, about several users of one account.
pub async fn a_long_timeline<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    for part in 0..8u32 {
        let texts: Vec<String> = (0..100u32)
            .map(|n| {
                let (minute, user) = ((n * 13 + part * 7) % 60, n % 4);
                format!(
                    r#"{{"type":"track","event":"e","userId":"u{user}","messageId":"{part}/{n}","timestamp":"2024-01-01T00:{minute:02}:00Z"}}"#
                )
            })
            .collect();
        desk.send(&texts).await;
    }
    desk.send(&[joins("u0", "a", 1), joins("u1", "a", 1), joins("u2", "b", 1)]).await;
    let whole = desk.events(EventsQuery { limit: 1000, ..desk.about(Account, "a") }).await;
    assert_eq!(whole.len(), 400);
    assert_eq!(desk.events(EventsQuery { limit: 33, ..desk.about(Account, "a") }).await, whole);
    assert_eq!(desk.timeline(Account, "b").await.len(), 200);
    assert_eq!(desk.timeline(User, "u3").await.len(), 200);
}
