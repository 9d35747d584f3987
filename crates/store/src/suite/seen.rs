//! First and last seen of accounts.
//!
//! A store may keep them with the account's profile and let them go stale there; what it answers when asked for them is
//! always exact, and what it calls not stale is exact as well.

use muster_model::{kind::RecordKind::Account, time::Micros};

use super::{
    Desk, Pace, Subject,
    phrases::{account, does, does_in, joins, joins_organization, leaves},
};

/// Days of January between which an account was seen; and the profile says the same unless it says that it is stale.
async fn check<S: Subject>(desk: &Desk<'_, S>, account: &str, days: Option<(u32, u32)>) {
    let day = |day: u32| Micros::parse(&format!("2024-01-{day:02}")).expect("a day of January");
    let expected = days.map(|(first, last)| (day(first), day(last)));
    let seen = desk.seen(account).await;
    assert_eq!(seen.bounds(), expected, "{account}");
    if let Some(profile) = desk.find(Account, account).await {
        let body = profile.as_account().expect("an account's profile has an account's body");
        assert!(body.seen_stale || body.seen == seen, "{account}: {:?} is called exact, {seen:?} is", body.seen);
    }
}

/// Neither does one that nobody named.
pub async fn an_account_without_tracks_was_never_seen<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[account("a", 1, "{}"), joins("u", "a", 1)]).await;
    check(&desk, "a", None).await;
    check(&desk, "nobody", None).await;
}

/// Both, and nobody else's.
pub async fn tracks_that_name_the_account_and_those_of_its_users<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), does("u", "e", 5)]).await;
    check(&desk, "a", Some((5, 5))).await;
    desk.send(&[does_in("v", "a", "e", 3), does_in("u", "b", "e", 9), does("v", "e", 1)]).await;
    check(&desk, "a", Some((3, 5))).await;
    check(&desk, "b", Some((9, 9))).await;
    desk.send(&[r#"{"type":"track","event":"e","accountId":"a","timestamp":"2024-01-07"}"#]).await;
    check(&desk, "a", Some((3, 7))).await;
}

/// Descriptions and links do not.
pub async fn only_tracks_move_it<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 3), does("u", "e", 5)]).await;
    desk.send(&[account("a", 1, "{}"), account("a", 9, "{}"), joins("v", "a", 8), leaves("v", "a", 9)]).await;
    desk.send(&[joins_organization("u", "o", 9)]).await;
    check(&desk, "a", Some((5, 5))).await;
}

/// A user's first account is that of all tracks before.
pub async fn the_first_link_brings_earlier_tracks<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[does("u", "e", 2)]).await;
    desk.send(&[does("u", "e", 7), does_in("u", "b", "e", 1)]).await;
    desk.send(&[leaves("u", "a", 1)]).await;
    check(&desk, "a", None).await;
    desk.send(&[joins("u", "a", 5)]).await;
    check(&desk, "a", Some((2, 7))).await;
    check(&desk, "b", Some((1, 1))).await;
}

/// Tracks change hands when it is learnt that the user was elsewhere.
pub async fn a_link_in_the_past_moves_tracks_away<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), joins("u", "c", 8)]).await;
    desk.send(&[does("u", "e", 2), does("u", "e", 5), does("u", "e", 9)]).await;
    check(&desk, "a", Some((2, 5))).await;
    check(&desk, "c", Some((9, 9))).await;
    desk.send(&[joins("u", "b", 4)]).await;
    check(&desk, "a", Some((2, 2))).await;
    check(&desk, "b", Some((5, 5))).await;
    check(&desk, "c", Some((9, 9))).await;
    desk.send(&[does("u", "e", 6), does("u", "e", 1)]).await;
    check(&desk, "a", Some((1, 2))).await;
    check(&desk, "b", Some((5, 6))).await;
}

/// Or that it had left.
pub async fn an_unlink_in_the_past_moves_tracks_away<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), joins("u", "b", 3), joins("u", "c", 9)]).await;
    desk.send(&[does("u", "e", 2), does("u", "e", 4), does("u", "e", 7)]).await;
    check(&desk, "b", Some((4, 7))).await;
    desk.send(&[leaves("u", "b", 6)]).await;
    check(&desk, "a", Some((2, 7))).await;
    check(&desk, "b", Some((4, 4))).await;
    desk.send(&[leaves("u", "b", 3)]).await;
    let (a, b) = (desk.seen("a").await.last(), desk.seen("b").await.last());
    assert_ne!(a, None);
    assert!(b.is_none() || a > b, "the tie of day 3 is decided by identity");
}

/// The newest statement of all may still be older than the tracks.
pub async fn a_link_moves_tracks_that_came_before_it<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), does("u", "e", 2), does("u", "e", 6)]).await;
    desk.send(&[joins("u", "b", 4)]).await;
    check(&desk, "a", Some((2, 2))).await;
    check(&desk, "b", Some((6, 6))).await;
    desk.send(&[leaves("u", "b", 5)]).await;
    check(&desk, "a", Some((2, 6))).await;
    check(&desk, "b", None).await;
}

/// Each user's tracks go their own way.
pub async fn tracks_of_several_users<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), joins("v", "a", 1), does("u", "e", 2), does("v", "e", 8)]).await;
    check(&desk, "a", Some((2, 8))).await;
    desk.send(&[joins("v", "b", 5)]).await;
    check(&desk, "a", Some((2, 2))).await;
    check(&desk, "b", Some((8, 8))).await;
    desk.send(&[does_in("w", "a", "e", 9)]).await;
    check(&desk, "a", Some((2, 9))).await;
}

/// An instant far ahead counts as a little after its receipt.
pub async fn a_clock_that_is_wrong_is_not_believed<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1)]).await;
    let received_at = desk.now();
    desk.send(&[
        r#"{"type":"track","event":"e","userId":"u","timestamp":"2999-01-01"}"#,
        r#"{"type":"track","event":"e","userId":"u","messageId":"m"}"#,
    ])
    .await;
    let within = Some((received_at, received_at.plus_micros(muster_model::limits::FUTURE_MICROS_MAX)));
    assert_eq!(desk.seen("a").await.bounds(), within);
    let user = desk.profile(muster_model::kind::RecordKind::User, "u").await;
    assert_eq!(user.as_user().and_then(|user| user.seen.bounds()), within);
}
