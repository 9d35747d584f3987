//! Names of events, and what was done by whom on which day.

use muster_model::{
    day::Day,
    kind::RecordKind::{self, Account, Organization, User},
    time::Micros,
};

use super::{
    Desk, Pace, Subject,
    phrases::{WORLD_CUP, account_of, does, does_in, joins, joins_organization, leaves},
};
use crate::activity::{Activity, EventName};

/// Day of January, events, users; for each day that has any.
async fn days<S: Subject>(desk: &Desk<'_, S>, kind: RecordKind, external_id: &str) -> Vec<(u32, u64, u64)> {
    let first = Day::parse("2024-01-01").expect("a day");
    let subject = (kind, desk.id(kind, external_id));
    let found = desk.store().activity(desk.workspace().id, subject, (first, first.plus(30))).await;
    let found = found.unwrap_or_else(|error| panic!("reading activity failed: {error}"));
    found.into_iter().map(|day| ((day.day.0 - first.0) as u32 + 1, day.events, day.users)).collect()
}

/// A track at an hour of the second of January.
fn at_hour(user: &str, event: &str, hour: u32) -> String {
    format!(r#"{{"type":"track","event":"{event}","userId":"{user}","timestamp":"2024-01-02T{hour:02}:00:00Z"}}"#)
}

/// Each name once, with how often and from when to when; only of tracks, and each track once.
pub async fn names_of_events<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let none = desk.store().event_names(desk.workspace().id).await.expect("names can be read");
    assert_eq!((none.names.len(), none.others), (0, None));
    desk.send(&WORLD_CUP).await;
    desk.send(&[does("u", "view", 5), does("v", "view", 2), does("u", "buy", 3)]).await;
    desk.send(&[does("u", "view", 9), does("u", "view", 5), does_in("u", "a", "view", 4)]).await;
    let names = desk.store().event_names(desk.workspace().id).await.expect("names can be read");
    let day = |day: u32| Micros::parse(&format!("2024-01-{day:02}")).expect("a day");
    let cup = Micros::parse("2018-05-15T12:31:12.123Z").expect("an instant");
    let name = |name: &str, instants: &[Micros]| EventName {
        name: name.to_owned(),
        events: instants.len() as u64,
        first: instants[0],
        last: instants[instants.len() - 1],
        days: instants.chunk_by(|one, other| one == other).map(|same| (Day::of(same[0]), same.len() as u64)).collect(),
    };
    let views = [day(2), day(4), day(5), day(9)];
    let expected = [name("buy", &[day(3)]), name("scored-goal", &[cup]), name("view", &views)];
    assert_eq!(names.names, expected);
    assert_eq!(names.others, None);
    desk.enter("other").await;
    let other = desk.store().event_names(desk.workspace().id).await.expect("names can be read");
    assert_eq!(other.names, []);
}

/// Events and different users, by day and by name, for users, accounts and organizations.
pub async fn days_count_events_and_users<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), joins("v", "a", 1), account_of("a", "o", 1)]).await;
    desk.send(&[does("u", "view", 2), does("u", "buy", 2), does("v", "view", 2)]).await;
    desk.send(&[does("u", "view", 2), does_in("w", "a", "view", 2), does("u", "view", 4)]).await;
    for (kind, external_id) in [(Account, "a"), (Organization, "o")] {
        assert_eq!(days(&desk, kind, external_id).await, [(2, 4, 3), (4, 1, 1)], "{external_id}");
    }
    assert_eq!(days(&desk, User, "u").await, [(2, 2, 1), (4, 1, 1)]);
    assert_eq!(days(&desk, User, "w").await, [(2, 1, 1)]);
    assert_eq!(days(&desk, Account, "nobody").await, []);
    let second = Day::parse("2024-01-02").expect("a day");
    let account = (Account, desk.id(Account, "a"));
    let found = desk.store().activity(desk.workspace().id, account, (second, second)).await.expect("activity");
    let by_event = |name: &str| {
        let of_name = found[0].by_event.iter().find(|one| one.name == name);
        of_name.map(|one| (one.events, one.users))
    };
    assert_eq!((found.len(), found[0].by_event.len()), (1, 2));
    assert_eq!((by_event("view"), by_event("buy")), (Some((3, 3)), Some((1, 1))));
}

/// A track without a user counts as an event of nobody.
pub async fn nobody_did_it<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let text =
        |event: &str| format!(r#"{{"type":"track","event":"{event}","accountId":"a","timestamp":"2024-01-02"}}"#);
    desk.send(&[text("x"), text("y"), does_in("u", "a", "x", 2)]).await;
    assert_eq!(days(&desk, Account, "a").await, [(2, 3, 1)]);
}

/// Links that come late take events along, days and users with them.
pub async fn late_links_move_days<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[does("u", "x", 2), does("u", "x", 5), does("u", "y", 8), does("v", "x", 5)]).await;
    desk.send(&[does_in("u", "z", "x", 5)]).await;
    assert_eq!(days(&desk, Account, "a").await, []);
    desk.send(&[joins("u", "a", 1), joins("v", "b", 1)]).await;
    assert_eq!(days(&desk, Account, "a").await, [(2, 1, 1), (5, 1, 1), (8, 1, 1)]);
    desk.send(&[joins("u", "b", 4)]).await;
    assert_eq!(days(&desk, Account, "a").await, [(2, 1, 1)]);
    assert_eq!(days(&desk, Account, "b").await, [(5, 2, 2), (8, 1, 1)]);
    assert_eq!(days(&desk, Account, "z").await, [(5, 1, 1)]);
    desk.send(&[leaves("u", "b", 7)]).await;
    assert_eq!(days(&desk, Account, "a").await, [(2, 1, 1), (8, 1, 1)]);
    desk.send(&[account_of("a", "o", 1)]).await;
    assert_eq!(days(&desk, Organization, "o").await, [(2, 1, 1), (8, 1, 1)]);
}

/// Within one day a user may belong here first and there afterwards.
pub async fn a_day_on_which_a_user_moves<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let at = |account: &str, hour: u32| {
        format!(r#"{{"type":"user","userId":"u","accountId":"{account}","timestamp":"2024-01-02T{hour:02}:30:00Z"}}"#)
    };
    desk.send(&[joins("u", "a", 1), at_hour("u", "x", 5), at_hour("u", "x", 15), at_hour("u", "y", 20)]).await;
    desk.send(&[at("b", 10), at_hour("u", "x", 6), at_hour("v", "x", 6), joins("v", "a", 1)]).await;
    assert_eq!(days(&desk, Account, "a").await, [(2, 3, 2)]);
    assert_eq!(days(&desk, Account, "b").await, [(2, 2, 1)]);
    assert_eq!(days(&desk, User, "u").await, [(2, 4, 1)]);
    desk.send(&[at("a", 18), account_of("b", "o", 1)]).await;
    assert_eq!(days(&desk, Account, "a").await, [(2, 4, 2)]);
    assert_eq!(days(&desk, Account, "b").await, [(2, 1, 1)]);
    assert_eq!(days(&desk, Organization, "o").await, [(2, 1, 1)]);
}

/// An organization counts what its accounts have, what names it, and what its own users do without an account.
pub async fn days_of_an_organization<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let names = |user: &str, account: &str, day: u32| {
        format!(
            r#"{{"type":"track","event":"e","userId":"{user}","accountId":{account},"organizationId":"o","timestamp":"2024-01-{day:02}"}}"#
        )
    };
    desk.send(&[joins_organization("u", "o", 1), does("u", "e", 2), does_in("u", "alone", "e", 3)]).await;
    desk.send(&[names("stranger", "null", 4), names("v", "\"alone\"", 5), names("w", "\"elsewhere\"", 6)]).await;
    desk.send(&[account_of("elsewhere", "p", 1), does_in("u", "elsewhere", "e", 7)]).await;
    assert_eq!(days(&desk, Organization, "o").await, [(2, 1, 1), (3, 1, 1), (4, 1, 1), (5, 1, 1)]);
    assert_eq!(days(&desk, Organization, "p").await, [(6, 1, 1), (7, 1, 1)]);
    desk.send(&[account_of("alone", "p", 1), joins("stranger", "elsewhere", 1)]).await;
    assert_eq!(days(&desk, Organization, "o").await, [(2, 1, 1)]);
    assert_eq!(days(&desk, Organization, "p").await, [(3, 1, 1), (4, 1, 1), (5, 1, 1), (6, 1, 1), (7, 1, 1)]);
}

/// A clock that runs ahead does not move an event to another day than that of its receipt.
pub async fn the_day_of_a_wrong_clock<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[r#"{"type":"track","event":"e","userId":"u","timestamp":"2999-01-01"}"#]).await;
    let received = Day::of(desk.now());
    let user = (User, desk.id(User, "u"));
    for (range, expected) in [((received, received), 1), ((received.plus(1), Day(i32::MAX)), 0)] {
        let found = desk.store().activity(desk.workspace().id, user, range).await.expect("activity can be read");
        assert_eq!(found.len(), expected, "{range:?}");
    }
}
