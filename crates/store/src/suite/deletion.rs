//! Deletions: what goes, what stays, what starts anew, and the receipts.

use muster_model::{kind::RecordKind::*, time::Micros};

use super::{
    Desk, Pace, Subject,
    reads::{Times, render},
};
use crate::{
    deletion::{Decree, Deletion, Deletions, Stage, receipt},
    receipt::Outcome::{Deleted, Duplicate, Stored},
};
use muster_model::deletion::DeletionId;

const USER: &str = r#"{"type":"user","userId":"u","accountId":"a","messageId":"1","timestamp":"2024-01-01T00:00:00Z","traits":{"email":"u@example.com"}}"#;
const OTHER: &str = r#"{"type":"user","userId":"v","accountId":"a","messageId":"2","timestamp":"2024-01-01T00:00:00Z","traits":{"email":"v@example.com"}}"#;
const VIEW: &str = r#"{"type":"track","event":"view","userId":"u","messageId":"3","timestamp":"2024-01-02T00:00:00Z"}"#;
const CLICK: &str = r#"{"type":"track","event":"click","userId":"v","accountId":"a","messageId":"4","timestamp":"2024-01-03T00:00:00Z"}"#;
const ACCOUNT: &str = r#"{"type":"account","accountId":"a","organizationId":"o","messageId":"5","timestamp":"2024-01-01T00:00:00Z","traits":{"plan":"pro"}}"#;

const ORGANIZATION: &str =
    r#"{"type":"organization","organizationId":"o","messageId":"0","timestamp":"2024-01-01T00:00:00Z"}"#;

/// A user and everything about it, whatever it was named by.
pub async fn a_deleted_user_is_gone<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[USER, OTHER, VIEW, CLICK]).await;
    desk.delete(User, "u").await;
    assert_eq!(desk.find(User, "u").await, None);
    assert_eq!(desk.timeline(User, "u").await, [""; 0]);
    assert_eq!(desk.timeline(Account, "a").await, ["click"]);
    assert_eq!(desk.children((Account, "a"), User).await, [desk.id(User, "v")]);
    assert_eq!(desk.list_all(User, crate::profiles::ListOrder::CreatedAt, 1).await, ["v"]);
    assert_eq!(desk.list_all(User, crate::profiles::ListOrder::UpdatedAt, 1).await, ["v"]);
    let account = desk.profile(Account, "a").await;
    assert_eq!(account.as_account().map(|account| account.users_count), Some(1));
}

/// What arrives late about the time before is taken, and not stored.
pub async fn late_messages_about_the_time_before_are_not_stored<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[USER, OTHER]).await;
    desk.delete(User, "u").await;
    assert_eq!(desk.send(&[VIEW, OTHER, USER, CLICK]).await, [Deleted, Duplicate, Deleted, Stored]);
    assert_eq!(desk.find(User, "u").await, None);
    let conflicting = USER.replace("u@example", "other@example");
    assert_eq!(desk.send(&[conflicting]).await, [Deleted], "nothing of it is set aside either");
    assert!(desk.refused(10).await.is_empty());
}

/// The same id, and a record that knows nothing of the one before.
pub async fn messages_about_the_time_after_start_anew<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[USER, VIEW]).await;
    desk.delete(User, "u").await;
    desk.set_clock(600);
    let again = r#"{"type":"user","userId":"u","accountId":"b","messageId":"9","traits":{"plan":"new"}}"#;
    assert_eq!(desk.send(&[again]).await, [Stored]);
    desk.send(&[r#"{"type":"track","event":"back","userId":"u","messageId":"10"}"#]).await;
    let user = desk.profile(User, "u").await;
    assert_eq!(user.created_at, super::desk::START.plus_micros(600_000_000));
    assert_eq!(user.traits.iter().collect::<Vec<_>>(), [("plan", "\"new\"")]);
    assert_eq!(desk.accounts_of("u").await, ["b"]);
    assert_eq!(desk.timeline(User, "u").await, ["back"]);
    assert_eq!(desk.timeline(Account, "a").await, [""; 0]);
    assert_eq!(desk.list_all(User, crate::profiles::ListOrder::CreatedAt, 1).await, ["u"]);
}

/// A message without a timestamp that was deleted is a new one when it is sent again.
pub async fn a_message_sent_again_after_the_deletion_starts_anew<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let text = r#"{"type":"user","userId":"u","accountId":null,"messageId":"1","traits":{"plan":"pro"}}"#;
    assert_eq!(desk.send(&[text]).await, [Stored]);
    desk.delete(User, "u").await;
    assert_eq!(desk.send(&[text, text]).await, [Stored, Duplicate]);
    assert_eq!(desk.send(&[text]).await, [Duplicate]);
    assert_eq!(desk.profile(User, "u").await.traits.get("plan"), Some("\"pro\""));
}

/// A timestamp after the deletion does not save what was received before it.
pub async fn what_was_received_ahead_of_its_time_goes_too<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let ahead = r#"{"type":"user","userId":"u","accountId":"a","messageId":"1","timestamp":"2024-03-01T00:04:00Z"}"#;
    desk.send(&[ahead]).await;
    desk.delete(User, "u").await;
    assert_eq!(desk.find(User, "u").await, None);
    assert!(desk.children((Account, "a"), User).await.is_empty());
}

/// An account goes with the users whom no other account has, and with what was said of it.
pub async fn a_deleted_account_takes_its_own_users_along<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let instance = r#"{"type":"customobjectinstance","externalId":"x","customObjectId":"deal","accountId":"a","messageId":"6","traits":{"n":1}}"#;
    desk.send_each(&[ORGANIZATION, ACCOUNT, USER, OTHER, VIEW, CLICK, instance]).await;
    desk.delete(Account, "a").await;
    for (kind, id) in [(Account, "a"), (User, "u"), (User, "v")] {
        assert_eq!(desk.find(kind, id).await, None, "{id}");
    }
    assert_eq!(desk.find_id(Instance, desk.ids().instance("deal", "x")).await, None);
    let organization = desk.profile(Organization, "o").await;
    assert_eq!(organization.as_organization().map(|organization| organization.accounts_count), Some(0));
    assert!(desk.children((Organization, "o"), Account).await.is_empty());
}

/// A user whom another account has loses the link and keeps everything else.
pub async fn a_user_of_several_accounts_stays<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let elsewhere =
        r#"{"type":"user","userId":"u","accountId":"b","messageId":"7","timestamp":"2023-01-01T00:00:00Z"}"#;
    desk.send_each(&[USER, elsewhere, VIEW, CLICK]).await;
    assert_eq!(desk.timeline(Account, "a").await, ["click", "view"]);
    desk.delete(Account, "a").await;
    assert_eq!(desk.accounts_of("u").await, ["b"]);
    assert_eq!(desk.profile(User, "u").await.traits.get("email"), Some("\"u@example.com\""));
    assert_eq!(desk.timeline(User, "u").await, ["view"]);
    assert_eq!(desk.timeline(Account, "b").await, ["view"]);
    assert_eq!(desk.seen("b").await.first(), Micros::parse("2024-01-02T00:00:00Z"));
}

/// What arrives late is kept as far as it is about the user that stays.
pub async fn a_user_that_stays_keeps_its_traits_when_told_again<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let account = r#"{"type":"account","accountId":"a","messageId":"8","timestamp":"2023-01-01T00:00:00Z"}"#;
    desk.send(&[account]).await;
    desk.delete(Account, "a").await;
    assert_eq!(desk.send(&[USER, CLICK]).await, [Stored, Deleted]);
    assert_eq!(desk.find(Account, "a").await, None);
    assert_eq!(desk.profile(User, "u").await.traits.get("email"), Some("\"u@example.com\""));
    assert!(desk.accounts_of("u").await.is_empty());
    assert_eq!(desk.send(&[USER]).await, [Duplicate]);
}

/// An organization goes with its accounts and what belongs to them alone.
pub async fn a_deleted_organization_takes_its_accounts_along<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let outside = r#"{"type":"user","userId":"v","accountId":"b","messageId":"7","timestamp":"2023-01-01T00:00:00Z"}"#;
    desk.send_each(&[ACCOUNT, USER, OTHER, outside, VIEW]).await;
    desk.delete(Organization, "o").await;
    assert_eq!(desk.find(Organization, "o").await, None);
    assert_eq!(desk.find(Account, "a").await, None);
    assert_eq!(desk.find(User, "u").await, None);
    assert_eq!(desk.accounts_of("v").await, ["b"]);
}

/// They carry the user's data, so they go; the account's first and last instant follow.
pub async fn events_of_a_deleted_user_leave_the_account<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[USER, OTHER, VIEW, CLICK]).await;
    let id = desk.delete(User, "u").await;
    desk.finished(id).await;
    let click = Micros::parse("2024-01-03T00:00:00Z");
    assert_eq!((desk.seen("a").await.first(), desk.seen("a").await.last()), (click, click));
}

/// Neither by the account nor by its organization.
pub async fn answers_of_a_deleted_user_are_not_counted<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[ACCOUNT, USER, OTHER]).await;
    for (user, score) in [("u", 10), ("v", 3)] {
        let text = format!(
            r#"{{"type":"npsresponse","externalId":"n-{user}","userId":"{user}","messageId":"n","traits":{{"score":{score}}}}}"#
        );
        desk.send(&[text]).await;
    }
    desk.delete(User, "u").await;
    let account = desk.profile(Account, "a").await;
    let tally = account.as_account().map(|account| account.nps).unwrap_or_default();
    assert_eq!((tally.promoters, tally.detractors), (0, 1));
    let organization = desk.profile(Organization, "o").await;
    let tally = organization.as_organization().map(|organization| organization.nps).unwrap_or_default();
    assert_eq!((tally.promoters, tally.detractors), (0, 1));
    assert_eq!(desk.find(NpsResponse, "n-u").await, None);
}

/// Those that name the record, however they spell it.
pub async fn messages_set_aside_about_it_go<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[USER, OTHER]).await;
    desk.send(&[r#"{"type":"user","userId":"u"}"#, r#"{"type":"user","userId":"v"}"#]).await;
    desk.delete(User, "u").await;
    let left: Vec<Vec<u8>> = desk.refused(10).await.into_iter().map(|one| one.body.into_owned()).collect();
    assert_eq!(left, [br#"{"type":"user","userId":"v"}"#.to_vec()]);
}

/// Those that name somebody of whom there is no record.
pub async fn messages_set_aside_about_nobody_known_go<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[USER]).await;
    desk.send(&[r#"{"type":"user","userId":"w"}"#, r#"{"type":"user","userId":"v"}"#]).await;
    let (root, at) = ((User, desk.id(User, "w")), desk.now());
    let id = DeletionId::of(root, at);
    let (subjects, parts) = (vec![root], Vec::new());
    let delete = crate::deletion::Delete { id, root, requested_at: at, key_id: 1, at, subjects, parts };
    desk.decree(&Decree::Delete(delete)).await;
    let check = async |desk: &Desk<'_, S>| {
        let left: Vec<Vec<u8>> = desk.refused(10).await.into_iter().map(|one| one.body.into_owned()).collect();
        assert_eq!(left, [br#"{"type":"user","userId":"v"}"#.to_vec()]);
    };
    check(&desk).await;
    let removed = desk.finished(id).await.erasure().map(|erasure| erasure.removed).expect("it was carried out");
    assert_eq!((removed.users, removed.refused), (0, 1));
    check(&desk).await;
}

/// Another kind, another id, another workspace.
pub async fn others_are_left_alone<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[USER, VIEW]).await;
    let elsewhere = render(desk.store(), desk.workspace().id, Times::Shown).await;
    desk.enter("other").await;
    let same_name = r#"{"type":"account","accountId":"u","messageId":"1","timestamp":"2024-01-01T00:00:00Z"}"#;
    desk.send_each(&[USER, OTHER, VIEW, same_name]).await;
    desk.delete(User, "u").await;
    assert!(desk.find(Account, "u").await.is_some());
    assert!(desk.find(User, "v").await.is_some());
    desk.enter("default").await;
    assert_eq!(render(desk.store(), desk.workspace().id, Times::Shown).await, elsewhere);
}

/// The same decree again, and one that was called off, change nothing.
pub async fn a_deletion_is_carried_out_once<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[USER]).await;
    let root = (User, desk.id(User, "u"));
    let (requested_at, subjects) = (desk.now(), vec![root]);
    let id = DeletionId::of(root, requested_at);
    let delete =
        crate::deletion::Delete { id, root, requested_at, key_id: 1, at: requested_at, subjects, parts: Vec::new() };
    desk.decree(&Decree::Delete(delete.clone())).await;
    desk.set_clock(900);
    desk.send(&[r#"{"type":"user","userId":"u","accountId":null,"messageId":"9"}"#]).await;
    desk.decree(&Decree::Delete(delete)).await;
    assert!(desk.find(User, "u").await.is_some(), "what came after the first one stays");
    assert_eq!(desk.finished(id).await.erasure().map(|erasure| erasure.removed.users), Some(1));
}

/// A schedule is listed until its day, and can be called off.
pub async fn a_schedule_is_kept_and_called_off<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[USER]).await;
    let (root, requested_at) = ((User, desk.id(User, "u")), desk.now());
    let id = DeletionId::of(root, requested_at);
    let due = requested_at.plus_micros(86_400_000_000);
    desk.decree(&Decree::Schedule { id, root, requested_at, key_id: 3, due }).await;
    let waiting = desk.store().scheduled().await.expect("schedules can be read");
    let waiting: Vec<_> =
        waiting.into_iter().map(|(workspace, deletion)| (workspace, deletion.id, deletion.due)).collect();
    assert_eq!(waiting, [(desk.workspace().id, id, Some(due))]);
    assert!(desk.find(User, "u").await.is_some());
    desk.decree(&Decree::Cancel { id, at: desk.now(), by: Some(5) }).await;
    assert!(desk.store().scheduled().await.expect("schedules can be read").is_empty());
    assert!(matches!(desk.finished(id).await.stage, Stage::Cancelled { by: Some(5), .. }));
}

/// In the order in which they finished, each with the hash of the one before; listed newest first.
pub async fn receipts_form_a_chain<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[ACCOUNT, USER, OTHER, VIEW, CLICK]).await;
    let mut ids = Vec::new();
    for user in ["u", "v"] {
        ids.push(desk.delete(User, user).await);
    }
    ids.push(desk.delete(Account, "a").await);
    let mut sealed: Vec<Deletion> = Vec::new();
    for id in &ids {
        let deletion = desk.finished(*id).await;
        assert!(deletion.seal().is_some(), "{deletion:?}");
        sealed.push(deletion);
    }
    let removed = sealed[0].erasure().map(|erasure| erasure.removed).unwrap_or_default();
    assert_eq!((removed.users, removed.messages, removed.identities), (1, 2, 2));
    sealed.sort_by_key(|deletion| deletion.seal().map(|seal| seal.number));
    assert_eq!(receipt::verify(&sealed), Ok(()));
    let (mut listed, mut from) = (Vec::new(), None);
    loop {
        let page = desk.store().deletions(desk.workspace().id, from, 2).await.expect("deletions can be read");
        listed.extend(page.deletions.into_iter().map(|deletion| deletion.id));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    ids.reverse();
    assert_eq!(listed, ids);
}
