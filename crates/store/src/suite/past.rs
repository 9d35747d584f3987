//! What was said of a trait, and what was true of a record at an instant.

use muster_model::{
    kind::RecordKind::{self, Account, Organization, User},
    profile::Profile,
    time::Micros,
};

use super::{
    Desk, Pace, Subject,
    phrases::{account, account_of, does, joins, leaves},
    tellings::trait_history,
};
use crate::past::Past;

fn day(day: u32) -> Micros {
    Micros::parse(&format!("2024-01-{day:02}")).expect("a day of January")
}

/// Days of January and values, latest first.
async fn said<S: Subject>(desk: &Desk<'_, S>, kind: RecordKind, external_id: &str, key: &str) -> Vec<(u32, String)> {
    let subject = (kind, desk.id(kind, external_id));
    let statements = trait_history(desk.store(), desk.workspace().id, subject, key, 2).await;
    let number = |at: Micros| ((at.0 - day(1).0) / 86_400_000_000) as u32 + 1;
    statements.into_iter().map(|one| (number(one.timestamp), one.value.unwrap_or_else(|| "-".to_owned()))).collect()
}

async fn then<S: Subject>(desk: &Desk<'_, S>, kind: RecordKind, external_id: &str, at: Micros) -> Option<Profile> {
    let found = desk.store().as_of(desk.workspace().id, (kind, desk.id(kind, external_id)), at).await;
    found.unwrap_or_else(|error| panic!("reading the past failed: {error}")).map(|profile| Profile::clone(&profile))
}

fn owned(said: &[(u32, &str)]) -> Vec<(u32, String)> {
    said.iter().map(|(day, value)| (*day, (*value).to_owned())).collect()
}

/// Every statement about the key, whichever came first, removals included; and of no other key or record.
pub async fn every_statement_about_a_trait<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[account("a", 5, r#"{"plan":"pro","seats":3}"#), account("b", 6, r#"{"plan":"other"}"#)]).await;
    desk.send(&[account("a", 2, r#"{"plan":"free"}"#)]).await;
    desk.send(&[account("a", 9, r#"{"plan":null}"#), account("a", 7, r#"{"seats":4}"#)]).await;
    desk.send(&[account("a", 5, r#"{"plan":"pro","seats":3}"#)]).await;
    let plans = owned(&[(9, "-"), (5, r#""pro""#), (2, r#""free""#)]);
    assert_eq!(said(&desk, Account, "a", "plan").await, plans);
    assert_eq!(said(&desk, Account, "a", "seats").await, owned(&[(7, "4"), (5, "3")]));
    assert_eq!(said(&desk, Account, "a", "PLAN").await, []);
    assert_eq!(said(&desk, User, "a", "plan").await, []);
    assert_eq!(said(&desk, Account, "nobody", "plan").await, []);
}

/// A statement shows the message it came in.
pub async fn a_statement_shows_its_message<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let text = r#"{"type":"user","userId":"u","accountId":null,"messageId":7,"timestamp":"2024-01-05T01:02:03.456789Z","traits":{"a b": {"x" : [1, 2.50]},"n":0}}"#;
    let received_at = desk.now();
    desk.send(&[text]).await;
    let key = (User, desk.id(User, "u"));
    let [statement] = &trait_history(desk.store(), desk.workspace().id, key, "a b", 10).await[..] else {
        panic!("one statement")
    };
    assert_eq!(statement.identity, desk.identity(text));
    assert_eq!((statement.message_id.as_deref(), statement.received_at), (Some("7"), received_at));
    assert_eq!(Some(statement.timestamp), Micros::parse("2024-01-05T01:02:03.456789Z"));
    assert_eq!(statement.value.as_deref(), Some(r#"{"x" : [1, 2.50]}"#));
}

/// Traits, names and removals as they stood; before anything was known there is no record.
pub async fn traits_as_they_stood<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[account("a", 9, r#"{"plan":null,"seats":9}"#)]).await;
    desk.send(&[account("a", 2, r#"{"plan":"free","seats":2}"#), account("a", 5, r#"{"plan":"pro"}"#)]).await;
    let stood = [
        (day(2).plus_micros(-1), None),
        (day(2), Some((Some(r#""free""#), Some("2")))),
        (day(5).plus_micros(-1), Some((Some(r#""free""#), Some("2")))),
        (day(5), Some((Some(r#""pro""#), Some("2")))),
        (day(9), Some((None, Some("9")))),
        (Micros::MAX, Some((None, Some("9")))),
    ];
    for (at, expected) in stood {
        let found = then(&desk, Account, "a", at).await;
        let found = found.as_ref().map(|profile| (profile.traits.get("plan"), profile.traits.get("seats")));
        assert_eq!(found, expected, "{at:?}");
    }
    assert_eq!(then(&desk, Account, "nobody", Micros::MAX).await, None);
}

/// Whoever was only named then exists then, without being described.
pub async fn who_was_only_named_is_not_described<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 3), account("a", 6, r#"{"plan":"pro"}"#), account_of("a", "o", 7)]).await;
    let named = then(&desk, Account, "a", day(3)).await.expect("it was named");
    assert!(!named.stated && named.traits.get("plan").is_none());
    assert_eq!(named.created_at, desk.profile(Account, "a").await.created_at);
    assert!(then(&desk, Account, "a", day(6)).await.is_some_and(|account| account.stated));
    assert_eq!(then(&desk, Organization, "o", day(6)).await, None);
    assert!(then(&desk, Organization, "o", day(7)).await.is_some_and(|organization| !organization.stated));
}

/// Memberships as they stood.
pub async fn links_as_they_stood<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[leaves("u", "a", 6), joins("u", "b", 4)]).await;
    desk.send(&[joins("u", "a", 2), account_of("a", "o", 3), account_of("a", "p", 8)]).await;
    for (number, expected) in [(2, vec!["a"]), (4, vec!["a", "b"]), (6, vec!["b"]), (9, vec!["b"])] {
        let user = then(&desk, User, "u", day(number)).await.expect("the user is known");
        let standing = user.as_user().expect("a user").accounts.standing();
        let standing: Vec<&str> = standing.into_iter().map(|link| link.external_id.as_ref()).collect();
        assert_eq!(standing, expected, "day {number}");
    }
    for (number, expected) in [(2, None), (3, Some("o")), (7, Some("o")), (8, Some("p"))] {
        let account = then(&desk, Account, "a", day(number)).await.expect("the account is known");
        let organization = account.as_account().expect("an account").parent().cloned();
        assert_eq!(organization.map(|parent| parent.external_id.to_string()).as_deref(), expected, "day {number}");
    }
}

/// A user's first and last track up to then; what others would have to tell is left empty.
pub async fn tracks_and_counts_as_of_then<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), does("u", "x", 7), does("u", "y", 3)]).await;
    desk.send(&[does("u", "z", 5), account_of("a", "o", 1)]).await;
    for (number, expected) in [(2, None), (3, Some((3, 3))), (6, Some((3, 5))), (8, Some((3, 7)))] {
        let user = then(&desk, User, "u", day(number)).await.expect("the user is known");
        let expected = expected.map(|(first, last)| (day(first), day(last)));
        assert_eq!(user.as_user().expect("a user").seen.bounds(), expected, "day {number}");
    }
    let account = then(&desk, Account, "a", day(8)).await.expect("the account is known");
    let account = account.as_account().expect("an account");
    assert_eq!((account.users_count, account.seen.bounds()), (0, None));
    let organization = then(&desk, Organization, "o", day(8)).await.expect("the organization is known");
    assert_eq!(organization.as_organization().expect("an organization").accounts_count, 0);
}
