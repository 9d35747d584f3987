//! What is kept for a while or in a bounded number goes when its time is over, whichever node sees to it, and nothing else does.

mod support;

use std::time::{Duration, Instant};

use muster_cluster::{Cluster, Options};
use muster_model::{id::IdSpace, time::Micros};
use muster_store::{
    batch::BatchBuilder,
    clock::{Clock, SystemClock},
    credentials::Workspace,
    follow::{Followers, Letter, NewFollower, PageLimit, Start},
    journal::Journal,
    receipt::Outcome::{self, Conflict, Duplicate, Stored},
    record,
    refused::Refusals,
    status::Status,
    suite::{
        Sent,
        desk::{START, workspace_named},
    },
};
use support::Place;

const LONG: Duration = Duration::from_secs(20);
const DAY: Duration = Duration::from_secs(86_400);
const NEVER: Duration = Duration::from_secs(3_600);

fn days(days: i64) -> Micros {
    START.plus_micros(days * DAY.as_micros() as i64)
}

/// Sends messages with one identity each, received when they say; what became of them.
async fn send(store: &Cluster, workspace: &Workspace, messages: &[(&str, &str, Micros)]) -> Vec<Outcome> {
    let mut batch = BatchBuilder::new(workspace.id, 0);
    for (id, event, received_at) in messages {
        let text = format!(
            r#"{{"type":"track","messageId":"{id}","event":"{event}","userId":"u","timestamp":"2024-02-01T00:00:00Z"}}"#
        );
        Sent::new(text, *received_at).add_to(&mut batch, IdSpace::new(&workspace.name));
    }
    store.append(batch.build()).await.expect("the store takes it").outcomes
}

/// When the messages were received that are set aside, newest first.
async fn set_aside(store: &Cluster, workspace: &Workspace) -> Vec<Micros> {
    let page = store.refused(workspace.id, None, 100).await.expect("a page");
    page.refused.iter().map(|refused| refused.received_at).collect()
}

async fn wait_for(store: &Cluster, workspace: &Workspace, wanted: &[Micros]) {
    let until = Instant::now() + LONG;
    loop {
        let found = set_aside(store, workspace).await;
        if found == wanted {
            return;
        }
        assert!(Instant::now() < until, "{found:?} instead of {wanted:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Of messages set aside the newest stay, so many of each workspace, and none that is much older than the newest.
#[tokio::test(flavor = "multi_thread")]
async fn messages_set_aside_are_bounded_in_number_and_time() {
    let place = Place::new();
    let bounded = |refused_max, trim_interval| Options {
        refused_max,
        refused_retention: 10 * DAY,
        trim_interval,
        ..place.options()
    };
    let store = place.open(bounded(3, Duration::from_millis(50)));
    let workspace = workspace_named(&store, "default", START).await;
    let other = workspace_named(&store, "other", START).await;
    for workspace in [&workspace, &other] {
        assert_eq!(send(&store, workspace, &[("m", "first", START)]).await, [Outcome::Stored]);
    }
    send(&store, &other, &[("m", "another", days(0))]).await;
    for day in 0..6 {
        let event = format!("e{day}");
        assert_eq!(send(&store, &workspace, &[("m", &event, days(day))]).await, [Outcome::Conflict]);
    }
    wait_for(&store, &workspace, &[days(5), days(4), days(3)]).await;
    send(&store, &workspace, &[("m", "late", days(14))]).await;
    wait_for(&store, &workspace, &[days(14), days(5), days(4)]).await;
    send(&store, &workspace, &[("m", "later", days(15))]).await;
    wait_for(&store, &workspace, &[days(15), days(14), days(5)]).await;
    send(&store, &workspace, &[("m", "latest", days(16))]).await;
    wait_for(&store, &workspace, &[days(16), days(15), days(14)]).await;
    assert_eq!(set_aside(&store, &other).await, [days(0)], "it has one, and nothing newer");
    drop(store);
    // Whoever gets the lane looks at once, whatever the one before has done.
    let store = place.open(bounded(1, NEVER));
    wait_for(&store, &workspace, &[days(16)]).await;
    assert_eq!(set_aside(&store, &other).await, [days(0)]);
    // The first is as old as may be, then it is older.
    send(&store, &other, &[("m", "later", days(10))]).await;
    drop(store);
    let store = place.open(bounded(5, Duration::from_millis(50)));
    assert_eq!(set_aside(&store, &other).await, [days(10), days(0)]);
    send(&store, &other, &[("m", "latest", days(10).plus_micros(1))]).await;
    wait_for(&store, &other, &[days(10).plus_micros(1), days(10)]).await;
}

/// What the duplicate check remembered long enough ago counts as new, and is a row of its own; the bytes of what nobody asks for
/// any more are removed.
#[tokio::test(flavor = "multi_thread")]
async fn identities_are_forgotten_when_their_time_is_over() {
    let place = Place::new();
    let remembers =
        |identity_retention, trim_interval| Options { identity_retention, trim_interval, ..place.options() };
    let store = place.open(remembers(Some(DAY + Duration::from_secs(1)), NEVER));
    let workspace = workspace_named(&store, "default", START).await;
    // What is removed is so by the node's clock.
    let now = SystemClock.now();
    let at = |days: i64| now.plus_micros(days * DAY.as_micros() as i64);
    assert_eq!(send(&store, &workspace, &[("m1", "e", at(0)), ("m2", "e", at(0))]).await, [Stored, Stored]);
    assert_eq!(send(&store, &workspace, &[("m1", "e", at(2)), ("m2", "f", at(2))]).await, [Duplicate, Conflict]);
    assert_eq!(send(&store, &workspace, &[("m1", "e", at(3)), ("m2", "f", at(3))]).await, [Stored, Stored]);
    assert_eq!(send(&store, &workspace, &[("m1", "e", at(5)), ("m2", "e", at(5))]).await, [Duplicate, Conflict]);
    let four = [("m3", "e", at(0)), ("m3", "e", at(2)), ("m3", "g", at(3)), ("m3", "g", at(4))];
    assert_eq!(send(&store, &workspace, &four).await, [Stored, Duplicate, Stored, Duplicate]);
    assert_eq!(send(&store, &workspace, &[("m3", "g", at(5)), ("m3", "g", at(6))]).await, [Duplicate, Stored]);
    let stored = store.sizes().iter().find(|(id, _)| *id == workspace.id).map(|(_, size)| size.messages);
    assert_eq!(stored, Some(7), "each that was stored");
    assert_eq!(send(&store, &workspace, &[("m4", "e", days(0)), ("m5", "e", days(1))]).await, [Stored, Stored]);
    drop(store);
    let store = place.open(remembers(Some(DAY), NEVER));
    let until = Instant::now() + LONG;
    while identities(&place) > 3 {
        assert!(Instant::now() < until, "{} identities are left", identities(&place));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(send(&store, &workspace, &[("m3", "g", at(6))]).await, [Duplicate], "what is remembered is left");
}

/// Dead letters that are much older than the newest one go, with it or later.
#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_kept_for_a_while() {
    let place = Place::new();
    let store = place.open(Options { letters_retention: 10 * DAY, ..place.options() });
    let workspace = workspace_named(&store, "default", START).await;
    let (name, settings, created_at) = ("theirs".to_owned(), b"{}".to_vec(), START);
    let new = NewFollower { workspace: workspace.id, name, settings, start: Start::Now, created_at };
    let id = store.add_follower(new).await.expect("a follower").id;
    let mut following = store.follow(id).expect("it is there");
    let kept_on = [0, 1, 10, 11, 12];
    let ids: Vec<String> = kept_on.iter().map(|day| format!("m{day}")).collect();
    let messages: Vec<(&str, &str, Micros)> = ids.iter().map(|id| (id.as_str(), "e", START)).collect();
    send(&store, &workspace, &messages).await;
    for (day, wanted) in kept_on.into_iter().zip([1, 2, 3, 3, 3]) {
        let record = following.read(PageLimit { messages: 1, bytes: 1 << 20 }).expect("a page").records.remove(0);
        let identity = record::peek(&record).expect("a message").identity;
        following.settle(1, vec![Letter::new(record, identity, "no", days(day))], false).expect("the place moves");
        assert_eq!(store.letter_count(id), wanted, "on day {day}");
    }
}

/// How many identities there are.
fn identities(place: &Place) -> i64 {
    let url = place.state_url.clone();
    let count = move || {
        let mut client = postgres::Client::connect(&url, postgres::NoTls).expect("PostgreSQL answers");
        client.batch_execute("set muster.workspace = '1'").expect("it is told whose rows these are");
        client.query_one("select count(*) from identity", &[]).expect("they are counted").get(0)
    };
    std::thread::spawn(count).join().expect("they are counted")
}
