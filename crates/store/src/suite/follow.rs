//! Followers: what they get, where they stand, and the letters they leave.

use std::time::Duration;

use muster_model::{kind::RecordKind, time::Micros};

use super::{
    Desk, Pace, Subject,
    desk::START,
    phrases::{does, does_in, joins},
};
use crate::{
    error::AdminError,
    follow::{
        FOLLOWERS_MAX, Follower, FollowerId, Followers, Letter, LetterId, NewFollower, PageLimit, Standing, Start,
    },
    record,
    rows::{Column, RowBatch},
    scan::{Scans as _, Wanted},
};

const LIMIT: PageLimit = PageLimit { messages: 2, bytes: 1 << 20 };

fn new<S: Subject>(desk: &Desk<'_, S>, name: &str, start: Start) -> NewFollower {
    let (workspace, name, settings) = (desk.workspace().id, name.to_owned(), b"{}".to_vec());
    NewFollower { workspace, name, settings, start, created_at: START }
}

async fn add<S: Subject>(desk: &Desk<'_, S>, name: &str, start: Start) -> FollowerId {
    let added = desk.store().add_follower(new(desk, name, start)).await;
    added.unwrap_or_else(|error| panic!("adding a follower failed: {error}")).id
}

/// What a message is called in these cases: the event's name, or the user's id.
fn called(record: &[u8]) -> String {
    let message = record::decode(record).expect("what is handed out is a message");
    let user = message.user.as_ref().map(|user| user.external_id.to_string());
    message.name.as_deref().map(str::to_owned).or(user).unwrap_or_default()
}

/// Reads and moves on until nothing is left.
fn take<S: Subject>(desk: &Desk<'_, S>, id: FollowerId) -> Vec<String> {
    let mut following = desk.store().follow(id).expect("the follower is there");
    let mut taken = Vec::new();
    loop {
        let page = following.read(LIMIT).expect("a page");
        assert!(page.records.len() <= LIMIT.messages, "a page holds at most what was asked for");
        taken.extend(page.records.iter().map(|record| called(record)));
        following.settle(page.records.len(), Vec::new(), true).expect("the place moves");
        if !page.more {
            assert_eq!(following.standing().expect("a standing").pending, 0);
            return taken;
        }
    }
}

/// In the order of arrival, each once, and nothing from before.
pub async fn a_follower_gets_what_is_accepted_from_now_on<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[does("u", "before", 1)]).await;
    let id = add(&desk, "theirs", Start::Now).await;
    assert_eq!(take(&desk, id), [""; 0]);
    desk.send(&[does("u", "e1", 9), does("u", "e2", 3)]).await;
    desk.send(&[does("u", "e1", 9), does("u", "e3", 4)]).await;
    assert_eq!(take(&desk, id), ["e1", "e2", "e3"], "what is sent again is handed on once");
    desk.send_each(&[does("u", "e4", 1), does("u", "e5", 1), does("u", "e6", 1)]).await;
    assert_eq!(take(&desk, id), ["e4", "e5", "e6"]);
    desk.pause().await;
    assert_eq!(take(&desk, id), [""; 0]);
}

/// All that there is, and then what comes.
pub async fn a_follower_may_begin_with_everything<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[does("u", "e1", 1), joins("u", "a", 1), does("u", "e2", 2)]).await;
    desk.send(&[does("u", "e3", 3)]).await;
    let id = add(&desk, "theirs", Start::Beginning).await;
    desk.send(&[does("u", "e4", 4), does("u", "e5", 5)]).await;
    let mut taken = take(&desk, id);
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken, ["e1", "e2", "e3", "e4", "e5", "u"]);
    desk.send(&[does("u", "e6", 6)]).await;
    assert_eq!(take(&desk, id), ["e6"]);
}

/// Whoever ends in the middle goes on there.
pub async fn a_place_moves_when_it_is_told_to<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let id = add(&desk, "theirs", Start::Now).await;
    desk.send(&[does("u", "e1", 1), does("u", "e2", 2), does("u", "e3", 3)]).await;
    let read = |desk: &Desk<'_, S>, done: usize| {
        let mut following = desk.store().follow(id).expect("the follower is there");
        let page = following.read(LIMIT).expect("a page");
        assert_eq!(following.read(LIMIT).expect("a page"), page, "it moved by itself");
        following.settle(done, Vec::new(), true).expect("the place moves");
        page.records.iter().map(|record| called(record)).collect::<Vec<_>>()
    };
    assert_eq!(read(&desk, 0), ["e1", "e2"]);
    desk.pause().await;
    assert_eq!(read(&desk, 1), ["e1", "e2"]);
    desk.pause().await;
    assert_eq!(read(&desk, 2), ["e2", "e3"]);
    desk.pause().await;
    assert_eq!(read(&desk, 0), [""; 0]);
    desk.send(&[does("u", "e4", 4)]).await;
    assert_eq!(read(&desk, 1), ["e4"]);
}

/// A reader that keeps places itself goes on from the last one it kept; older ones are over.
pub async fn a_reader_goes_on_from_a_place_it_kept<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let id = add(&desk, "theirs", Start::Now).await;
    desk.send(&[does("u", "e1", 1), does("u", "e2", 2)]).await;
    desk.send(&[does("u", "e3", 3), does("u", "e4", 4)]).await;
    let open = |desk: &Desk<'_, S>| desk.store().follow(id).expect("the follower is there");
    let read = |following: &mut Box<dyn crate::follow::Following>, done: usize| {
        let page = following.read(LIMIT).expect("a page");
        following.settle(done, Vec::new(), false).expect("the place moves");
        page.records.iter().map(|record| called(record)).collect::<Vec<_>>()
    };
    let mut following = open(&desk);
    let first = following.place();
    assert_eq!(read(&mut following, 1), ["e1", "e2"]);
    let second = following.place();
    assert_eq!(read(&mut following, 2), ["e2", "e3"]);
    let third = following.place();
    assert!(third.len() <= crate::follow::PLACE_BYTES_MAX);
    drop(following);
    desk.pause().await;
    // What was read since is read again, from another process too.
    let mut following = open(&desk);
    assert_eq!(following.go_to(&second), Ok(true));
    assert_eq!(read(&mut following, 0), ["e2", "e3"]);
    assert_eq!(following.go_to(&third), Ok(true));
    assert_eq!(read(&mut following, 0), ["e4"]);
    for over in [&first, &second] {
        assert_eq!(following.go_to(over), Ok(false), "what came after it may be gone");
    }
    for wrong in [&b""[..], &[0xff; 9], &[0xff; 100]] {
        assert_eq!(following.go_to(wrong), Ok(false));
    }
    assert_eq!(read(&mut following, 1), ["e4"], "nothing was changed");
    let last = following.place();
    drop(following);
    desk.settle().await;
    let mut following = open(&desk);
    assert_eq!(following.go_to(&last), Ok(true));
    assert_eq!(read(&mut following, 0), [""; 0]);
    drop(following);
    desk.send(&[does("u", "e5", 5)]).await;
    assert_eq!(read(&mut open(&desk), 1), ["e5"]);
}

/// Everything of a moment and everything after it is each message once, wherever the moment lies.
pub async fn a_moment_and_what_follows_it_are_everything_once<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[does("u", "e1", 1), does("u", "e2", 2)]).await;
    let id = add(&desk, "theirs", Start::Now).await;
    desk.send(&[does("u", "e3", 3)]).await;
    desk.pause().await;
    desk.send_each(&[does("u", "e4", 4), does("u", "e5", 5)]).await;
    let moment = desk.store().moment(desk.workspace().id).expect("a moment");
    let place = moment.place();
    let wanted = Wanted { columns: vec![Column::Event], ..Wanted::everything() };
    let mut scan = moment.scan(wanted).expect("a scan");
    let (mut batch, mut found) = (RowBatch::default(), Vec::new());
    while scan.next(&mut batch).expect("rows") {
        found.extend((0..batch.len()).filter_map(|row| batch.text(Column::Event, row).map(str::to_owned)));
    }
    found.sort_unstable();
    assert_eq!(found, ["e1", "e2", "e3", "e4", "e5"]);
    drop(scan);
    desk.send(&[does("u", "e6", 6)]).await;
    desk.settle().await;
    desk.send(&[does("u", "e7", 7)]).await;
    let mut following = desk.store().follow(id).expect("the follower is there");
    assert_eq!(following.go_to(&place), Ok(true));
    drop(following);
    assert_eq!(take(&desk, id), ["e6", "e7"]);
}

/// One message may be larger than a page.
pub async fn a_page_is_bounded_in_bytes<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let id = add(&desk, "theirs", Start::Now).await;
    desk.send(&[does("u", "e1", 1), does("u", "e2", 2), does("u", "e3", 3)]).await;
    let mut following = desk.store().follow(id).expect("the follower is there");
    let counted = following.standing().expect("a standing");
    assert_eq!(counted.pending, 3);
    for left in [2, 1, 0] {
        let page = following.read(PageLimit { messages: 10, bytes: 1 }).expect("a page");
        assert_eq!((page.records.len(), page.more), (1, left > 0));
        following.settle(1, Vec::new(), false).expect("the place moves");
        assert_eq!(following.standing().map(|standing| standing.pending), Ok(left));
    }
}

/// What was deleted before it was handed on never is, and what is left of others goes without it.
pub async fn what_was_deleted_is_not_handed_out<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("old", "a", 1), does("old", "old", 2), does("other", "old-other", 2)]).await;
    let (now, all) = (add(&desk, "now", Start::Now).await, add(&desk, "all", Start::Beginning).await);
    desk.send(&[joins("u", "a", 1), does("u", "e1", 2), does("v", "e2", 3), joins("v", "a", 3), joins("v", "b", 3)])
        .await;
    desk.delete(RecordKind::User, "u").await;
    desk.delete(RecordKind::User, "old").await;
    desk.delete(RecordKind::Account, "a").await;
    desk.send(&[does("v", "e3", 3)]).await;
    let mut following = desk.store().follow(now).expect("the follower is there");
    let page = following.read(PageLimit { messages: 10, bytes: 1 << 20 }).expect("a page");
    let texts: Vec<String> =
        page.records.iter().map(|bytes| record::decode(bytes).expect("a message").as_sent()).collect();
    assert_eq!(page.records.iter().map(|record| called(record)).collect::<Vec<_>>(), ["e2", "v", "v", "e3"]);
    assert!(!texts[1].contains("accountId"), "{}", texts[1]);
    drop(following);
    let mut taken = take(&desk, all);
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken, ["e2", "e3", "old-other", "v"]);
}

fn letter<S: Subject>(desk: &Desk<'_, S>, record: &[u8], second: i64) -> Letter {
    let identity = record::peek(record).expect("a message").identity;
    assert_eq!(desk.store().followers().len(), 1);
    Letter::new(record.to_vec(), identity, "they did not want it", START.plus_micros(second))
}

async fn listed<S: Subject>(desk: &Desk<'_, S>, id: FollowerId, limit: usize) -> Vec<(LetterId, String, bool)> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = desk.store().letters(id, after, limit).await.expect("a page of letters");
        found.extend(page.letters.iter().map(|letter| (letter.id, called(&letter.record), letter.due)));
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(desk.store().letter_count(id), found.len() as u64);
    found
}

/// Kept with the place, listed from old to new, handed out again when asked for, and dropped.
pub async fn letters_are_kept<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let id = add(&desk, "theirs", Start::Now).await;
    desk.send(&[does("u", "e1", 1), does("v", "e2", 2), does("u", "e3", 3)]).await;
    let mut following = desk.store().follow(id).expect("the follower is there");
    let page = following.read(PageLimit { messages: 9, bytes: 1 << 20 }).expect("a page");
    let letters = (0..3).map(|n| letter(&desk, &page.records[n as usize], n)).collect();
    following.settle(3, letters, false).expect("letters are kept");
    drop(following);
    desk.pause().await;
    assert_eq!(take(&desk, id), [""; 0], "the place was kept with them");
    let kept = listed(&desk, id, 2).await;
    assert_eq!(
        kept.iter().map(|(_, name, due)| (name.as_str(), *due)).collect::<Vec<_>>(),
        [("e1", false), ("e2", false), ("e3", false)]
    );
    let nothing = LetterId { kept_at: Micros(0), ..kept[0].0 };
    let unknown = desk.store().resend_letters(id, Some(nothing)).await;
    assert!(matches!(unknown, Err(AdminError::NotFound(_))), "{unknown:?}");
    assert_eq!(desk.store().resend_letters(id, Some(kept[1].0)).await, Ok(1));
    desk.pause().await;
    let mut following = desk.store().follow(id).expect("the follower is there");
    following.wait(Duration::ZERO);
    let due = following.due(LIMIT).expect("letters that are due");
    assert_eq!(due.iter().map(|letter| called(&letter.record)).collect::<Vec<_>>(), ["e2"]);
    let again = letter(&desk, &due[0].record, 9);
    following.settle_due(&[due[0].id], vec![again]).expect("it is kept again");
    assert!(following.due(LIMIT).expect("none is due").is_empty());
    drop(following);
    desk.pause().await;
    assert_eq!(
        listed(&desk, id, 1).await.iter().map(|(_, name, _)| name.as_str()).collect::<Vec<_>>(),
        ["e1", "e3", "e2"]
    );
    assert_eq!(desk.store().drop_letters(id, Some(kept[0].0)).await, Ok(1));
    desk.delete(RecordKind::User, "v").await;
    assert_eq!(desk.store().resend_letters(id, None).await.map(|count| count > 0), Ok(true));
    let mut following = desk.store().follow(id).expect("the follower is there");
    let due = following.due(LIMIT).expect("letters that are due");
    assert_eq!(due.iter().map(|letter| called(&letter.record)).collect::<Vec<_>>(), ["e3"]);
    following.settle_due(&[due[0].id], Vec::new()).expect("it was delivered");
    drop(following);
    desk.settle().await;
    assert_eq!(listed(&desk, id, 5).await, []);
}

/// They are remembered with their settings, in their workspaces, until they are removed.
pub async fn followers_come_and_go<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let id = add(&desk, "theirs", Start::Now).await;
    let twice = desk.store().add_follower(new(&desk, "theirs", Start::Now)).await;
    assert!(matches!(twice, Err(AdminError::Exists(_))), "{twice:?}");
    let wrong = desk.store().add_follower(new(&desk, "The Irs", Start::Now)).await;
    assert!(matches!(wrong, Err(AdminError::Invalid(_))), "{wrong:?}");
    desk.send(&[does_in("u", "a", "e1", 1)]).await;
    let changed = desk.store().change_follower(id, b"other".to_vec()).await.expect("it is there");
    assert_eq!(changed.settings, b"other");
    desk.enter("other").await;
    let second = add(&desk, "theirs", Start::Now).await;
    desk.send(&[does("u", "not-theirs", 1)]).await;
    let names: Vec<Follower> = desk.store().followers();
    assert_eq!(
        names.iter().map(|one| (one.id, &one.settings[..])).collect::<Vec<_>>(),
        [(id, &b"other"[..]), (second, &b"{}"[..])]
    );
    assert_eq!(take(&desk, id), ["e1"], "a workspace's follower gets its messages alone");
    desk.store().remove_follower(id).await.expect("it was there");
    desk.pause().await;
    let again = desk.store().remove_follower(id).await;
    assert!(matches!(again, Err(AdminError::NotFound(_))), "{again:?}");
    assert!(desk.store().follow(id).is_err());
    assert_eq!(take(&desk, second), ["not-theirs"]);
    for n in 1..FOLLOWERS_MAX {
        add(&desk, &format!("more-{n}"), Start::Now).await;
    }
    let full = desk.store().add_follower(new(&desk, "one-more", Start::Now)).await;
    assert!(matches!(full, Err(AdminError::Invalid(_))), "{full:?}");
    let standing = desk.store().follow(second).and_then(|mut following| following.standing());
    assert_eq!(standing.map(|standing: Standing| standing.pending), Ok(0));
}
