//! Where events belong.
//!
//! An event keeps the ids it was sent with; the rest follows from what is known now about its user at that instant,
//! whatever came first.

use muster_model::kind::RecordKind::{Account, Organization, User};

use super::{
    Desk, Pace, Subject,
    phrases::{account_of, does, does_in, joins, joins_organization, leaves},
};

/// The event and its account, oldest first, for every event of a user; checked against the accounts' own timelines.
async fn places<S: Subject>(desk: &Desk<'_, S>, user: &str) -> Vec<String> {
    let events = desk.events(desk.about(User, user)).await;
    let mut places = Vec::new();
    for event in events.iter().rev() {
        for (kind, parent) in [(Account, &event.account), (Organization, &event.organization)] {
            if let Some(parent) = parent {
                let timeline = desk.events(desk.about(kind, &parent.external_id)).await;
                assert!(timeline.contains(event), "{} is on the timeline of {}", event.name, parent.external_id);
                assert_eq!(parent.id, desk.id(kind, &parent.external_id));
            }
        }
        let name = |parent: &Option<muster_model::profile::Parent>| {
            parent.as_ref().map_or("-".to_owned(), |parent| parent.external_id.as_ref().to_owned())
        };
        places.push(format!("{} {} {}", event.name, name(&event.account), name(&event.organization)));
    }
    places
}

/// No statement about its user moves it.
pub async fn a_track_that_names_its_account_stays_there<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[joins("u", "b", 1), does_in("u", "a", "e2", 2), does("u", "e3", 3), joins("u", "c", 2)]).await;
    assert_eq!(places(&desk, "u").await, ["e2 a -", "e3 c -"]);
    assert_eq!(desk.timeline(Account, "a").await, ["e2"]);
    assert_eq!(desk.timeline(Account, "b").await, [""; 0]);
}

/// An event belongs nowhere until somebody says where its user was.
pub async fn a_link_that_comes_later_takes_its_events_along<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[does("u", "e2", 2), does("u", "e4", 4)]).await;
    assert_eq!(places(&desk, "u").await, ["e2 - -", "e4 - -"]);
    desk.send(&[joins("u", "a", 1)]).await;
    assert_eq!(places(&desk, "u").await, ["e2 a -", "e4 a -"]);
    desk.send(&[joins("u", "b", 3)]).await;
    assert_eq!(places(&desk, "u").await, ["e2 a -", "e4 b -"]);
    assert_eq!(desk.timeline(Account, "a").await, ["e2"]);
    assert_eq!(desk.timeline(Account, "b").await, ["e4"]);
}

/// Anonymous use before signing up belongs to whom one signed up with.
pub async fn before_the_first_link_the_first_one_counts<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[joins("u", "late", 9), does("u", "e1", 1), joins("u", "early", 5), does("u", "e5", 5)]).await;
    assert_eq!(places(&desk, "u").await, ["e1 early -", "e5 early -"]);
    desk.send(&[leaves("u", "early", 2)]).await;
    assert_eq!(places(&desk, "u").await, ["e1 early -", "e5 early -"], "an unlink before any link counts for nothing");
}

/// Of several accounts at once the one linked last; leaving it goes back to the one before.
pub async fn events_follow_the_account_linked_last<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let days: Vec<String> = (1..=9).map(|day| does("u", &format!("e{day}"), day)).collect();
    desk.send(&days).await;
    desk.send_each(&[leaves("u", "b", 6), joins("u", "b", 4), joins("u", "a", 2), leaves("u", "a", 8)]).await;
    desk.send(&[joins("u", "a", 5)]).await;
    let expected = ["e1 a -", "e2 a -", "e3 a -", "e4 b -", "e5 a -", "e6 a -", "e7 a -", "e8 a -", "e9 a -"];
    assert_eq!(places(&desk, "u").await, expected);
    desk.send(&[leaves("u", "a", 5)]).await;
    let outcome = places(&desk, "u").await;
    assert_eq!(outcome[..4], expected[..4]);
    assert!(outcome[4] == "e5 a -" || outcome[4] == "e5 b -", "a tie is decided by identity: {outcome:?}");
}

/// Somebody who left everything still belongs to the last one.
pub async fn after_the_last_unlink_the_last_account_counts<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[joins("u", "a", 1), joins("u", "b", 2), leaves("u", "b", 3), leaves("u", "a", 4)]).await;
    desk.send(&(1..=6).map(|day| does("u", &format!("e{day}"), day)).collect::<Vec<_>>()).await;
    assert_eq!(places(&desk, "u").await, ["e1 a -", "e2 b -", "e3 a -", "e4 b -", "e5 b -", "e6 b -"]);
}

/// It says where the user was not.
pub async fn an_unlink_alone_attributes_nothing<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[does("u", "e1", 1), leaves("u", "a", 2), does("u", "e3", 3)]).await;
    assert_eq!(places(&desk, "u").await, ["e1 - -", "e3 - -"]);
    desk.send(&[joins("u", "b", 9)]).await;
    assert_eq!(places(&desk, "u").await, ["e1 b -", "e3 b -"]);
}

/// A link learnt of years later moves the events since then.
pub async fn a_statement_about_the_past_moves_events<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), joins("u", "c", 8)]).await;
    desk.send(&(2..=9).map(|day| does("u", &format!("e{day}"), day)).collect::<Vec<_>>()).await;
    let places_now = places(&desk, "u").await;
    assert_eq!(places_now[..6], ["e2 a -", "e3 a -", "e4 a -", "e5 a -", "e6 a -", "e7 a -"]);
    desk.send(&[joins("u", "b", 4)]).await;
    desk.send(&[leaves("u", "b", 6)]).await;
    assert_eq!(
        places(&desk, "u").await,
        ["e2 a -", "e3 a -", "e4 b -", "e5 b -", "e6 a -", "e7 a -", "e8 c -", "e9 c -"]
    );
    assert_eq!(desk.timeline(Account, "b").await, ["e5", "e4"]);
}

/// A clock that runs ahead does not keep events from the accounts linked afterwards.
pub async fn a_statement_in_the_future_counts_from_its_place_in_the_order<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let link = |account: &str, at: &str| {
        format!(r#"{{"type":"user","userId":"u","accountId":"{account}","timestamp":"{at}"}}"#)
    };
    let track =
        |event: &str, at: &str| format!(r#"{{"type":"track","event":"{event}","userId":"u","timestamp":"{at}"}}"#);
    desk.set_clock(0);
    desk.send(&[link("a", "2024-02-01"), link("ahead", "2999-01-01")]).await;
    desk.send(&[track("early", "2024-03-01T00:04:59Z"), track("ahead", "2998-01-01")]).await;
    desk.set_clock(3600);
    desk.send(&[track("late", "2024-03-01T01:00:00Z"), link("b", "2024-03-01T00:30:00Z")]).await;
    assert_eq!(places(&desk, "u").await, ["early a -", "late b -", "ahead ahead -"]);
}

/// Also over an organization that the track itself names.
pub async fn an_event_follows_its_accounts_organization<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[r#"{"type":"track","event":"both","userId":"u","accountId":"a","organizationId":"own","timestamp":"2024-01-01"}"#])
        .await;
    desk.send(&[does("u", "loose", 3), joins("u", "a", 2), joins_organization("u", "users", 1)]).await;
    assert_eq!(places(&desk, "u").await, ["both a own", "loose a users"]);
    desk.send(&[account_of("a", "o", 9)]).await;
    assert_eq!(places(&desk, "u").await, ["both a o", "loose a o"]);
    assert_eq!(desk.timeline(Organization, "o").await, ["loose", "both"]);
    assert_eq!(desk.timeline(Organization, "own").await, [""; 0]);
    assert_eq!(desk.timeline(Organization, "users").await, [""; 0]);
}

/// A track that names an organization and whose account has none.
pub async fn without_an_accounts_organization_the_one_named_counts<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins_organization("u", "users", 1), joins("u", "a", 1)]).await;
    let text = |fields: &str, event: &str| {
        format!(
            r#"{{"type":"track","event":"{event}",{fields}"organizationId":"named","timestamp":"2024-01-0{}"}}"#,
            event.len()
        )
    };
    desk.send(&[text(r#""userId":"u","#, "x"), text(r#""userId":"u","accountId":"b","#, "xx"), text("", "xxx")]).await;
    assert_eq!(places(&desk, "u").await, ["x a named", "xx b named"]);
    assert_eq!(desk.timeline(Organization, "named").await, ["xxx", "xx", "x"]);
    assert_eq!(desk.timeline(Organization, "users").await, [""; 0]);
}

/// A user's organizations follow the same rule as its accounts.
pub async fn without_either_the_users_organization_counts<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&(1..=6).map(|day| does("u", &format!("e{day}"), day)).collect::<Vec<_>>()).await;
    desk.send(&[joins_organization("u", "p", 5)]).await;
    desk.send(&[joins_organization("u", "o", 3)]).await;
    assert_eq!(places(&desk, "u").await, ["e1 - o", "e2 - o", "e3 - o", "e4 - o", "e5 - p", "e6 - p"]);
    assert_eq!(desk.timeline(Organization, "p").await, ["e6", "e5"]);
    desk.send(&[joins("u", "a", 1), account_of("a", "q", 1)]).await;
    assert_eq!(desk.timeline(Organization, "q").await.len(), 6);
    assert_eq!(desk.timeline(Organization, "o").await, [""; 0]);
}

/// Accounts have one organization, the latest stated, for all of their events.
pub async fn an_account_that_moves_takes_its_events_along<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), does("u", "e2", 2), does_in("v", "a", "f3", 3), account_of("a", "o", 4)]).await;
    assert_eq!(desk.timeline(Organization, "o").await, ["f3", "e2"]);
    desk.send(&[account_of("a", "p", 6)]).await;
    desk.send(&[does("u", "e5", 5)]).await;
    assert_eq!(desk.timeline(Organization, "o").await, [""; 0]);
    assert_eq!(desk.timeline(Organization, "p").await, ["e5", "f3", "e2"]);
    desk.send(&[account_of("a", "o", 5)]).await;
    assert_eq!(desk.timeline(Organization, "p").await, ["e5", "f3", "e2"]);
}
