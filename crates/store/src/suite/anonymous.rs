//! What someone anonymous did belongs to the user that it turns out to be.

use std::collections::BTreeSet;

use muster_model::{
    day::Day,
    deletion::{DeletionId, Part},
    id::RecordId,
    kind::RecordKind::{self, Account, Anonymous, Organization, User},
    ties::Stretch,
    time::Micros,
};

use super::{
    Desk, Pace, Subject,
    moments::scan,
    phrases::{account_of, does, is, joins, joins_organization, strolls, strolls_in},
    reads::{Times, render},
};
use crate::{
    activity::Activity,
    deletion::{Decree, Delete},
    history::EventsQuery,
    past::Past,
    receipt::Outcome,
    rows::Column,
    scan::{Scans, Wanted},
};

fn day(day: u32) -> Micros {
    Micros::parse(&format!("2024-01-{day:02}")).expect("a day of January")
}

/// Days of January between which a record was seen; and its profile says the same unless it says that it is stale.
async fn check_seen<S: Subject>(desk: &Desk<'_, S>, kind: RecordKind, name: &str, days: Option<(u32, u32)>) {
    let seen = desk.seen_of(kind, name).await;
    assert_eq!(seen.bounds(), days.map(|(first, last)| (day(first), day(last))), "{kind:?} {name}");
    let Some(profile) = desk.find(kind, name).await else { return };
    let (kept, exact) = crate::lists::kept_seen(&profile);
    assert!(!exact || kept == seen, "{name}: {kept:?} is called exact, {seen:?} is");
}

/// Days of January with their events and users.
async fn days<S: Subject>(desk: &Desk<'_, S>, kind: RecordKind, name: &str) -> Vec<(u32, u64, u64)> {
    let ever = (Day(i32::MIN), Day(i32::MAX));
    let days = desk.store().activity(desk.workspace().id, (kind, desk.id(kind, name)), ever).await;
    let first = Day::of(day(1)).0;
    let days = days.expect("activity can be read").into_iter();
    days.map(|one| ((one.day.0 - first) as u32 + 1, one.events, one.users)).collect()
}

/// Earlier events and later ones, with the account that follows from the user.
pub async fn earlier_and_later_events_belong_to_the_user<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[strolls("x", "e2", 2), strolls_in("x", "b", "e3", 3), strolls("y", "f3", 3)]).await;
    desk.send(&[joins("u", "a", 4), account_of("a", "o", 4), does("u", "e5", 5)]).await;
    assert_eq!(desk.timeline(User, "u").await, ["e5"]);
    check_seen(&desk, User, "u", Some((5, 5))).await;
    desk.send(&[is("u", "x", 6)]).await;
    assert_eq!(desk.timeline(User, "u").await, ["e5", "e3", "e2"]);
    assert_eq!(desk.timeline(Account, "a").await, ["e5", "e2"]);
    assert_eq!(desk.timeline(Account, "b").await, ["e3"]);
    assert_eq!(desk.timeline(Organization, "o").await, ["e5", "e2"]);
    desk.send(&[strolls("x", "e8", 8)]).await;
    assert_eq!(desk.timeline(User, "u").await, ["e8", "e5", "e3", "e2"]);
    assert_eq!(desk.timeline(Account, "a").await, ["e8", "e5", "e2"]);
    check_seen(&desk, User, "u", Some((2, 8))).await;
    check_seen(&desk, Account, "a", Some((2, 8))).await;
    check_seen(&desk, Account, "b", Some((3, 3))).await;
    let events = desk.events(desk.about(User, "u")).await;
    assert!(events.iter().all(|event| event.user.as_ref().is_some_and(|user| &*user.external_id == "u")));
}

/// The tie may come before the account, and both before the events.
pub async fn an_account_that_comes_after_the_tie<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[is("u", "x", 6)]).await;
    desk.send(&[strolls("x", "e2", 2)]).await;
    desk.send(&[joins("u", "a", 9)]).await;
    assert_eq!(desk.timeline(Account, "a").await, ["e2"]);
    check_seen(&desk, Account, "a", Some((2, 2))).await;
    desk.send(&[joins_organization("u", "o", 9), strolls("x", "e7", 7)]).await;
    assert_eq!(desk.timeline(Organization, "o").await, ["e7", "e2"]);
    assert_eq!(desk.timeline(Account, "a").await, ["e7", "e2"]);
    check_seen(&desk, Account, "a", Some((2, 7))).await;
    desk.send(&[joins("u", "b", 5)]).await;
    assert_eq!(desk.timeline(Account, "a").await, [""; 0], "the first account of all is the one of the fifth");
    assert_eq!(desk.timeline(Account, "b").await, ["e7", "e2"]);
    check_seen(&desk, Account, "a", None).await;
    check_seen(&desk, Account, "b", Some((2, 7))).await;
}

/// One browser, two users: each has what happened until the other one took over, whichever tie came first.
pub async fn the_latest_tie_decides<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let events = [strolls("x", "e1", 1), strolls("x", "e4", 4), strolls("x", "e6", 6), strolls("x", "e9", 9)];
    desk.send(&[joins("u", "a", 1), joins("v", "b", 1)]).await;
    desk.send(&events).await;
    desk.send(&[is("v", "x", 5)]).await;
    assert_eq!(desk.timeline(User, "v").await, ["e9", "e6", "e4", "e1"]);
    check_seen(&desk, Account, "b", Some((1, 9))).await;
    desk.send(&[is("u", "x", 3)]).await;
    assert_eq!(desk.timeline(User, "u").await, ["e4", "e1"]);
    assert_eq!(desk.timeline(User, "v").await, ["e9", "e6"]);
    for (kind, name, seen) in [(User, "u", (1, 4)), (User, "v", (6, 9)), (Account, "a", (1, 4)), (Account, "b", (6, 9))]
    {
        check_seen(&desk, kind, name, Some(seen)).await;
    }
    desk.send(&[is("u", "x", 8)]).await;
    assert_eq!(desk.timeline(User, "u").await, ["e9", "e4", "e1"]);
    assert_eq!(desk.timeline(User, "v").await, ["e6"]);
    check_seen(&desk, User, "v", Some((6, 6))).await;
    check_seen(&desk, Account, "a", Some((1, 9))).await;
}

/// Kept and counted, and on nobody's timeline.
pub async fn nobody_has_what_is_not_tied<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let outcomes = desk.send(&[strolls("x", "e2", 2), strolls_in("x", "a", "e3", 3), does("x", "e4", 4)]).await;
    assert_eq!(outcomes, [Outcome::Stored; 3]);
    assert_eq!(desk.timeline(User, "x").await, ["e4"], "a user is not an anonymous id of the same name");
    assert_eq!(desk.timeline(Account, "a").await, ["e3"]);
    let names = desk.store().event_names(desk.workspace().id).await.expect("names can be read");
    assert_eq!(names.names.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["e2", "e3", "e4"]);
    assert_eq!(days(&desk, Account, "a").await, [(3, 1, 0)]);
    let query = EventsQuery { subject: (Anonymous, desk.id(Anonymous, "x")), ..desk.about(User, "x") };
    assert_eq!(desk.events(query).await, []);
}

/// Days and their users follow ties, also one within a day.
pub async fn days_follow_ties<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let at = |text: String, hour: u32| text.replace("\"}", &format!("T{hour:02}:30:00Z\"}}"));
    desk.send(&[joins("u", "a", 1), joins("v", "a", 1), account_of("a", "o", 1)]).await;
    desk.send(&[at(strolls("x", "e", 2), 5), at(strolls("x", "e", 2), 15), at(strolls_in("x", "b", "f", 2), 16)]).await;
    desk.send(&[does("u", "e", 3), strolls("x", "e", 3)]).await;
    assert_eq!(days(&desk, Account, "a").await, [(3, 1, 1)]);
    assert_eq!(days(&desk, Account, "b").await, [(2, 1, 0)]);
    desk.send(&[is("u", "x", 1)]).await;
    assert_eq!(days(&desk, User, "u").await, [(2, 3, 1), (3, 2, 1)]);
    assert_eq!(days(&desk, Account, "a").await, [(2, 2, 1), (3, 2, 1)]);
    assert_eq!(days(&desk, Account, "b").await, [(2, 1, 1)]);
    desk.send(&[at(is("v", "x", 2), 10)]).await;
    assert_eq!(days(&desk, User, "u").await, [(2, 1, 1), (3, 1, 1)]);
    assert_eq!(days(&desk, User, "v").await, [(2, 2, 1), (3, 1, 1)]);
    for (kind, name) in [(Account, "a"), (Organization, "o")] {
        assert_eq!(days(&desk, kind, name).await, [(2, 2, 2), (3, 2, 2)], "{name}");
    }
}

/// A scan of events tells whose they are, and finds them by that.
pub async fn a_scan_tells_whose_events_are<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), strolls("x", "e2", 2), strolls("y", "e3", 3), does("v", "e4", 4)]).await;
    desk.send(&[is("u", "x", 5)]).await;
    let moment = desk.store().moment(desk.workspace().id).expect("a moment can be taken");
    let found = |wanted: Wanted| {
        let columns = vec![Column::Event, Column::User, Column::Account];
        let rows = scan(&moment, Wanted { columns, ..wanted });
        let text = |row: &super::moments::Row, column| row.text(column).unwrap_or("-").to_owned();
        let mut found: Vec<[String; 3]> = rows
            .iter()
            .map(|row| [Column::Event, Column::User, Column::Account].map(|column| text(row, column)))
            .collect();
        found.sort();
        found
    };
    let all = [["e2", "u", "a"], ["e3", "-", "-"], ["e4", "v", "-"]].map(|row| row.map(str::to_owned));
    assert_eq!(found(Wanted::events()), all);
    let named = |name: &str| Some(BTreeSet::from([name.into()]));
    assert_eq!(found(Wanted { users: named("u"), ..Wanted::events() }), all[..1]);
    assert_eq!(found(Wanted { accounts: named("a"), ..Wanted::events() }), all[..1]);
    assert_eq!(found(Wanted { users: named("x"), ..Wanted::events() }), [[""; 3]; 0]);
    let sent = scan(
        &moment,
        Wanted { columns: vec![Column::User], kinds: vec![muster_model::kind::Kind::Track], ..Wanted::everything() },
    );
    assert_eq!(sent.iter().filter(|row| row.text(Column::User).is_some()).count(), 1, "messages say what was sent");
}

/// As of an instant only what was said by then counts.
pub async fn the_past_knows_the_ties_of_then<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[strolls("x", "e2", 2), does("u", "e4", 4), strolls("x", "e7", 7), is("u", "x", 6)]).await;
    for (at, seen) in [(3, None), (5, Some((4, 4))), (6, Some((2, 4))), (7, Some((2, 7)))] {
        let then = desk.store().as_of(desk.workspace().id, (User, desk.id(User, "u")), day(at)).await;
        let then = then.expect("the past can be read");
        let expected = seen.map(|(first, last)| (day(first), day(last)));
        assert_eq!(then.and_then(|then| then.as_user()?.seen.bounds()), expected, "as of the {at}th");
    }
}

/// What it did goes with the only user that it was, what is said of it as well; what arrives late about then stays away.
pub async fn a_user_that_goes_takes_its_anonymous_ids_along<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), joins("v", "a", 1), strolls("x", "e2", 2), strolls("y", "f1", 1)]).await;
    desk.send(&[
        r#"{"type":"user","callType":"identify","anonymousId":"x","timestamp":"2024-01-03","traits":{"city":"Ulm"}}"#,
    ])
    .await;
    desk.send(&[is("u", "x", 4), is("v", "y", 4), strolls_in("x", "b", "e5", 5)]).await;
    assert_eq!(desk.timeline(Account, "a").await, ["e2", "f1"]);
    let id = desk.delete(User, "u").await;
    assert_eq!(desk.timeline(Account, "a").await, ["f1"]);
    assert_eq!(desk.timeline(Account, "b").await, [""; 0]);
    let names = desk.store().event_names(desk.workspace().id).await.expect("names can be read");
    assert_eq!(names.names.iter().map(|one| (one.name.as_str(), one.events)).collect::<Vec<_>>(), [("f1", 1)]);
    check_seen(&desk, Account, "a", Some((1, 1))).await;
    let late = desk.send(&[strolls("x", "e3", 3), is("u", "x", 4), is("w", "x", 3)]).await;
    assert_eq!(late, [Outcome::Deleted, Outcome::Deleted, Outcome::Stored]);
    assert_eq!(desk.timeline(User, "w").await, [""; 0], "what is said of others loses the name alone");
    let removed = desk.finished(id).await.erasure().map(|erasure| erasure.removed).expect("it was carried out");
    assert_eq!((removed.users, removed.anonymous, removed.messages), (1, 1, 5));
    assert_eq!(desk.timeline(Account, "a").await, ["f1"]);
    check_seen(&desk, Account, "b", None).await;
    let text = render(desk.store(), desk.workspace().id, Times::Hidden).await;
    assert!(!text.contains("Ulm") && !text.contains("e5"), "{text}");
    desk.set_clock(900);
    desk.send(&[r#"{"type":"track","callType":"track","event":"anew","anonymousId":"x","messageId":"9"}"#]).await;
    desk.send(&[r#"{"type":"user","callType":"identify","userId":"w","anonymousId":"x","messageId":"10"}"#]).await;
    assert_eq!(desk.timeline(User, "w").await, ["anew"]);
}

/// Of an anonymous id that others were as well only the time of the one that goes.
pub async fn what_others_did_under_the_same_id_stays<S: Subject>(subject: &S, pace: Pace) {
    for (deleted, left) in [("u", ["", "e5"]), ("v", ["e9 e2", ""])] {
        let mut desk = Desk::open(subject, pace).await;
        desk.enter(&format!("without-{deleted}")).await;
        desk.send(&[joins("u", "a", 1), joins("v", "b", 1), strolls("x", "e2", 2), is("u", "x", 3)]).await;
        desk.send(&[is("v", "x", 4), strolls("x", "e5", 5), is("u", "x", 8), strolls("x", "e9", 9)]).await;
        assert_eq!(desk.timeline(User, "u").await, ["e9", "e2"]);
        let id: DeletionId = desk.delete(User, deleted).await;
        let check = async |desk: &Desk<'_, S>, when: &str| {
            for (user, left) in ["u", "v"].iter().zip(left) {
                assert_eq!(desk.timeline(User, user).await.join(" "), left, "{user} without {deleted}, {when}");
            }
            for (account, left) in ["a", "b"].iter().zip(left) {
                assert_eq!(
                    desk.timeline(Account, account).await.join(" "),
                    left,
                    "{account} without {deleted}, {when}"
                );
            }
        };
        check(&desk, "at once").await;
        let late = desk.send(&[strolls("x", "late2", 2), strolls("x", "late5", 5), strolls("x", "late9", 9)]).await;
        let gone = late.iter().filter(|outcome| **outcome == Outcome::Deleted).count();
        assert_eq!(gone, if deleted == "u" { 2 } else { 1 }, "{late:?}");
        let removed = desk.finished(id).await.erasure().map(|erasure| erasure.removed).expect("it was carried out");
        assert_eq!((removed.users, removed.anonymous), (1, 0));
        let others: Vec<String> =
            if deleted == "u" { desk.timeline(User, "v").await } else { desk.timeline(User, "u").await };
        let expected: &[&str] = if deleted == "u" { &["late5", "e5"] } else { &["late9", "e9", "late2", "e2"] };
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let expected = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(sorted(others), sorted(expected), "without {deleted}");
        let (kept, seen) = if deleted == "u" { ("v", (5, 5)) } else { ("u", (2, 9)) };
        check_seen(&desk, User, kept, Some(seen)).await;
    }
}

/// Forgets what an anonymous id did and said on a day, beside an account of which nothing is known besides.
async fn forget_a_day<S: Subject>(desk: &mut Desk<'_, S>, anonymous: &str, of_january: u32) -> DeletionId {
    desk.send(&[joins("z", "elsewhere", 1)]).await;
    let root = (Account, desk.id(Account, "elsewhere"));
    let (at, subjects) = (desk.now(), vec![root]);
    let stretch = Stretch { first: day(of_january), last: day(of_january) };
    let parts = vec![Part { anonymous: desk.id(Anonymous, anonymous), stretch }];
    let id = DeletionId::of(root, at);
    desk.decree(&Decree::Delete(Delete { id, root, requested_at: at, key_id: 1, at, subjects, parts })).await;
    id
}

/// A message loses the anonymous id that it says a user is, and both stay: the id is found from nowhere by it any more.
pub async fn a_tie_that_goes_takes_along_where_the_id_is_found_from<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), joins_organization("u", "o", 1)]).await;
    desk.send(&[strolls("x", "e2", 2), is("u", "x", 4), strolls("x", "e9", 9)]).await;
    let from = [(User, "u"), (Account, "a"), (Organization, "o")];
    let x = desk.id(Anonymous, "x");
    let check = async |desk: &Desk<'_, S>, expected: &[RecordId], timeline: &[&str], when: &str| {
        for parent in from {
            assert_eq!(desk.children(parent, Anonymous).await, expected, "from {parent:?}, {when}");
            assert_eq!(desk.timeline(parent.0, parent.1).await, timeline, "{parent:?}, {when}");
        }
    };
    check(&desk, &[x], &["e9", "e2"], "before").await;
    let id = forget_a_day(&mut desk, "x", 4).await;
    desk.finished(id).await;
    check(&desk, &[], &[], "afterwards").await;
    desk.send(&[is("u", "x", 5)]).await;
    check(&desk, &[x], &["e9", "e2"], "said again").await;
}

/// A tie goes, and what the id did is another user's, also what arrives between the deletion and the end of carrying it out.
pub async fn a_tie_that_goes_leaves_what_the_id_did_to_others<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), joins("v", "b", 1), is("u", "x", 4), is("v", "x", 6)]).await;
    desk.send(&[strolls("x", "e5", 5)]).await;
    check_seen(&desk, User, "u", Some((5, 5))).await;
    let id = forget_a_day(&mut desk, "x", 4).await;
    desk.reopen().await;
    desk.send(&[strolls("x", "e2", 2)]).await;
    desk.finished(id).await;
    for when in ["when it is carried out", "settled", "opened again"] {
        assert_eq!(desk.timeline(User, "u").await, [""; 0], "{when}");
        assert_eq!(desk.timeline(User, "v").await, ["e5", "e2"], "{when}");
        for (kind, name, seen) in
            [(User, "u", None), (Account, "a", None), (User, "v", Some((2, 5))), (Account, "b", Some((2, 5)))]
        {
            check_seen(&desk, kind, name, seen).await;
        }
        if when == "settled" { desk.reopen().await } else { desk.settle().await }
    }
}

/// A tie that was said twice stands from when it was said first by what is left.
pub async fn a_tie_said_twice_of_which_one_goes<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), joins("v", "b", 1), is("u", "x", 4), is("v", "x", 6), is("u", "x", 8)]).await;
    desk.send(&[strolls("x", "e2", 2), strolls("x", "e5", 5), strolls("x", "e7", 7), strolls("x", "e9", 9)]).await;
    assert_eq!(desk.timeline(User, "u").await, ["e9", "e5", "e2"]);
    let id = forget_a_day(&mut desk, "x", 4).await;
    desk.finished(id).await;
    for when in ["when it is carried out", "settled", "opened again"] {
        assert_eq!(desk.timeline(User, "u").await, ["e9"], "{when}");
        assert_eq!(desk.timeline(User, "v").await, ["e7", "e5", "e2"], "{when}");
        for (kind, name, seen) in
            [(User, "u", (9, 9)), (Account, "a", (9, 9)), (User, "v", (2, 7)), (Account, "b", (2, 7))]
        {
            check_seen(&desk, kind, name, Some(seen)).await;
        }
        if when == "settled" { desk.reopen().await } else { desk.settle().await }
    }
}

/// An anonymous id that was never anybody goes with all that it did and said.
pub async fn someone_whom_nobody_identified_can_be_deleted<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let said = r#"{"type":"user","callType":"identify","anonymousId":"x","traits":{"city":"Ulm"},"messageId":"1"}"#;
    desk.send(&[joins("u", "a", 1), strolls("x", "strolled", 2), strolls_in("x", "a", "visited", 3), said.to_owned()])
        .await;
    desk.send(&[strolls("y", "passed by", 2)]).await;
    assert_eq!(desk.timeline(Account, "a").await, ["visited"]);
    let id = desk.delete(Anonymous, "x").await;
    assert!(desk.find(Anonymous, "x").await.is_none());
    assert_eq!(desk.timeline(Account, "a").await, [""; 0]);
    let removed = desk.finished(id).await.erasure().map(|erasure| erasure.removed).expect("it was carried out");
    assert_eq!((removed.users, removed.anonymous, removed.messages), (0, 1, 3));
    // Nothing tells which accounts its events named, so theirs are put right when the history was looked through.
    check_seen(&desk, Account, "a", None).await;
    let text = render(desk.store(), desk.workspace().id, Times::Hidden).await;
    assert!(!text.contains("Ulm") && !text.contains("strolled") && text.contains("passed by"), "{text}");
    assert_eq!(desk.send(&[strolls("x", "late", 4)]).await, [Outcome::Deleted], "what comes late goes too");
    desk.send(&[is("u", "x", 9)]).await;
    assert_eq!(desk.timeline(User, "u").await, [""; 0], "nothing is left for whoever it turns out to be");
    check_seen(&desk, Account, "a", None).await;
    // One that did nothing and only said something is there, too, and goes.
    desk.send(&[said.replace(r#""x""#, r#""z""#).replace(r#""1""#, r#""2""#)]).await;
    assert!(desk.find(Anonymous, "z").await.is_some());
    let id = desk.delete(Anonymous, "z").await;
    assert!(desk.find(Anonymous, "z").await.is_none());
    let removed = desk.finished(id).await.erasure().map(|erasure| erasure.removed).expect("it was carried out");
    assert_eq!((removed.users, removed.anonymous, removed.messages), (0, 1, 1));
    let text = render(desk.store(), desk.workspace().id, Times::Hidden).await;
    assert!(!text.contains("Ulm") && text.contains("passed by"), "{text}");
}

/// One workspace's ties say nothing in another.
pub async fn ties_stay_in_their_workspace<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[strolls("x", "here", 2), is("u", "x", 3)]).await;
    desk.enter("other").await;
    desk.send(&[strolls("x", "there", 2), joins("u", "a", 3)]).await;
    assert_eq!(desk.timeline(User, "u").await, [""; 0]);
    desk.enter("default").await;
    assert_eq!(desk.timeline(User, "u").await, ["here"]);
}

/// Each of them is looked for, and pages are whole.
pub async fn a_user_of_many_devices<S: Subject>(subject: &S, pace: Pace) {
    const DEVICES: u32 = 300;
    let mut desk = Desk::open(subject, pace).await;
    let device = |number: u32| format!("d{number}");
    let messages: Vec<String> = (0..DEVICES)
        .flat_map(|number| {
            let event = strolls(&device(number), &format!("e{number}"), number % 28 + 1);
            [event, is("u", &device(number), 28)]
        })
        .collect();
    desk.send(&messages).await;
    desk.send(&[joins("u", "a", 1)]).await;
    for (kind, name) in [(User, "u"), (Account, "a")] {
        let found = desk.events(EventsQuery { limit: 7, ..desk.about(kind, name) }).await;
        let names: BTreeSet<String> = found.into_iter().map(|event| event.name).collect();
        assert_eq!(names.len(), DEVICES as usize, "{name}");
    }
}

/// An alias is about its previous id; an id that is none, and one in a message of another contract, are content.
pub async fn what_ties_and_what_does_not<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let all: Vec<String> = ["x", "y", "z", "5"].map(|one| strolls(one, one, 2)).to_vec();
    desk.send(&all).await;
    let says = |members: &str| format!(r#"{{"type":"user","accountId":null,"timestamp":"2024-01-03",{members}}}"#);
    desk.send(&[
        says(r#""callType":"alias","userId":"u","previousId":"x","anonymousId":"y""#),
        says(r#""userId":"v","anonymousId":"y""#),
        says(r#""callType":"group","userId":"v","anonymousId":"y""#),
        says(r#""callType":"identify","userId":"w","anonymousId":["z"]"#),
        says(r#""callType":"alias","userId":"w","previousId":"","anonymousId":5"#),
    ])
    .await;
    for (user, events) in [("u", &["x"][..]), ("v", &[]), ("w", &["5"])] {
        assert_eq!(desk.timeline(User, user).await, events, "{user}");
    }
}
