//! Followers and moments where there is more than one node, and where connections die.

mod support;

use std::{
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use muster_cluster::{Cluster, Options};
use muster_model::id::{IdSpace, WorkspaceId};
use muster_store::{
    batch::{Batch, BatchBuilder},
    credentials::{Credentials, NewKey, Scopes, Workspace},
    error::{AppendError, ReadError},
    follow::{FollowerId, Followers, Following, Letter, NewFollower, PageLimit, Start},
    journal::Journal,
    record,
    scan::{Moment, Scans},
    status::Status,
    suite::{
        Sent,
        desk::{START, workspace_named},
    },
};
use support::Place;

const LIMIT: PageLimit = PageLimit { messages: 2, bytes: 1 << 20 };
const LONG: Duration = Duration::from_secs(20);
/// A node that said nothing for so long counts as gone.
const GONE_AFTER: Duration = Duration::from_secs(12);

fn batch(workspace: &Workspace, events: &[&str]) -> Batch {
    let mut batch = BatchBuilder::new(workspace.id, 0);
    for event in events {
        let text = format!(r#"{{"type":"track","event":"{event}","userId":"u","timestamp":"2024-01-01"}}"#);
        Sent::new(text, START).add_to(&mut batch, IdSpace::new(&workspace.name));
    }
    batch.build()
}

async fn send(store: &Cluster, workspace: &Workspace, events: &[&str]) {
    store.append(batch(workspace, events)).await.expect("the store takes it");
}

async fn add(store: &Cluster, workspace: &Workspace) -> FollowerId {
    let (name, settings, created_at) = ("theirs".to_owned(), b"{}".to_vec(), START);
    let new = NewFollower { workspace: workspace.id, name, settings, start: Start::Now, created_at };
    store.add_follower(new).await.expect("a follower").id
}

fn read(following: &mut Box<dyn Following>) -> Vec<String> {
    read_within(following, LIMIT)
}

fn read_within(following: &mut Box<dyn Following>, limit: PageLimit) -> Vec<String> {
    let page = following.read(limit).expect("a page");
    let name = |bytes: &Vec<u8>| record::decode(bytes).expect("a message").name.as_deref().map(str::to_owned);
    page.records.iter().filter_map(name).collect()
}

fn waited(following: &mut Box<dyn Following>, at_most: Duration) -> Duration {
    let began = Instant::now();
    following.wait(at_most);
    began.elapsed()
}

/// Parts of an import are offered one after the other, and none waits for the answer to the one before. They once came onto
/// the stream in the order in which threads got to them, and a record was as old as a later part said.
#[tokio::test(flavor = "multi_thread")]
async fn batches_are_taken_in_the_order_in_which_they_were_offered() {
    let place = Place::new();
    let store = place.open(place.options());
    let workspace = workspace_named(&store, "default", START).await;
    let id = add(&store, &workspace).await;
    let names: Vec<String> = (0..200).map(|n| format!("e{n}")).collect();
    let mut offered = Vec::new();
    for name in &names {
        let mut answer = store.append(batch(&workspace, &[name]));
        let waits = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context).is_pending())).await;
        assert!(waits, "an answer needs the stream");
        offered.push(answer);
    }
    for answer in offered {
        answer.await.expect("the store takes it");
    }
    let mut following = store.follow(id).expect("it is there");
    let all = PageLimit { messages: 1_000, bytes: 1 << 20 };
    assert_eq!(read_within(&mut following, all), names);
}

/// What is changed by one node counts on every other when it is answered. A key that was just made was once unknown to the server
/// that its holder asked.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_changes_counts_on_the_others_when_it_is_answered() {
    let place = Place::new();
    let serving = || place.open(Options { serves: true, ..place.options() });
    let (one, other) = (serving(), serving());
    let changing = place.open(place.options());
    let workspace = workspace_named(&one, "default", START).await;
    for round in 0..20 {
        let (hash, node) = ([round; 32], if round % 2 == 0 { &one } else { &changing });
        let new = NewKey {
            workspace_name: workspace.name.clone(),
            name: format!("key {round}"),
            scopes: Scopes::ALL,
            token_hash: hash,
            created_at: START,
        };
        let key = node.create_key(new).await.expect("a key");
        assert!([&one, &other].iter().all(|node| node.authenticate(&hash).is_some()), "round {round}");
        node.revoke_key(key.id, START).await.expect("it is there");
        assert!([&one, &other].iter().all(|node| node.authenticate(&hash).is_none()), "round {round}");
    }
    assert_eq!(place.count("node"), 2, "those that serve");
    // One that ends in order is waited for no more, and one that does not only for a while.
    other.close().await.expect("it ends");
    assert_eq!(place.count("node"), 1);
    drop(one);
    let began = Instant::now();
    changing.revoke_key(1, START).await.expect("it is there");
    assert!(
        began.elapsed() < GONE_AFTER,
        "what has died is waited for within a bound, and not until it counts as gone"
    );
}

/// Of two nodes one hands out; when it is gone the other one goes on from the place that was kept.
#[tokio::test(flavor = "multi_thread")]
async fn one_node_hands_out_and_the_other_stands_by() {
    let place = Place::new();
    let one = place.open(place.options());
    let workspace = workspace_named(&one, "default", START).await;
    let id = add(&one, &workspace).await;
    let other = place.open(place.options());
    send(&one, &workspace, &["e1", "e2", "e3"]).await;
    let (mut first, mut second) = (one.follow(id).expect("it is there"), other.follow(id).expect("it is there"));
    assert_eq!(read(&mut first), ["e1", "e2"]);
    assert_eq!(read(&mut second), [""; 0]);
    assert_eq!(second.due(LIMIT), Ok(Vec::new()));
    assert_eq!(second.settle(0, Vec::new(), true), Ok(()));
    assert!(matches!(second.go_to(&first.place()), Err(ReadError::Failed { .. })), "somebody else reads");
    first.settle(1, Vec::new(), true).expect("the place moves");
    assert_eq!(second.standing().map(|standing| standing.pending), Ok(2));
    first.settle(2, Vec::new(), false).expect("the place moves");
    drop((first, one));
    let until = Instant::now() + LONG;
    let mut found = read(&mut second);
    while found.is_empty() && Instant::now() < until {
        second.wait(LONG);
        found = read(&mut second);
    }
    assert_eq!(found, ["e2", "e3"], "from the place that was kept");
    assert!(second.is_kept());
}

/// Whoever waits hears of what another node took, folded in, or was asked to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_what_another_node_does() {
    let place = Place::new();
    let one = place.open(place.options());
    let workspace = workspace_named(&one, "default", START).await;
    let id = add(&one, &workspace).await;
    let other = place.open(Options { applies: false, ..place.options() });
    let mut following = other.follow(id).expect("it is there");
    assert_eq!(read(&mut following), [""; 0]);
    following.settle(0, Vec::new(), false).expect("the place moves");
    assert!(waited(&mut following, Duration::from_millis(300)) >= Duration::from_millis(300), "nothing is new");
    let waiting = tokio::task::spawn_blocking(move || (waited(&mut following, LONG), following));
    tokio::time::sleep(Duration::from_millis(200)).await;
    send(&one, &workspace, &["e1"]).await;
    let (took, mut following) = waiting.await.expect("it ends");
    assert!(took < LONG / 2, "{took:?}");
    assert_eq!(read(&mut following), ["e1"]);
    assert_eq!(waited(&mut following, LONG).as_secs(), 0, "it is not done with that");
    following.settle(1, Vec::new(), true).expect("the place moves");
    let waiting = tokio::task::spawn_blocking(move || (waited(&mut following, LONG), following));
    tokio::time::sleep(Duration::from_millis(200)).await;
    one.wake_follower(id);
    let (took, mut following) = waiting.await.expect("it ends");
    assert!(took < LONG / 2, "{took:?}");
    other.wake_follower(id);
    assert!(waited(&mut following, LONG) < LONG / 2, "the next one");
    one.remove_follower(id).await.expect("it was there");
    let until = Instant::now() + LONG;
    while following.read(LIMIT).is_ok() && Instant::now() < until {
        following.wait(Duration::from_millis(100));
    }
    assert!(following.read(LIMIT).is_err(), "it is gone");
    assert!(following.settle(0, vec![], true).is_err() || following.is_kept());
}

/// A connection that dies is replaced; what was done with before is kept once.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_outlives_its_connection() {
    let place = Place::new();
    let store = place.open(place.options());
    let workspace = workspace_named(&store, "default", START).await;
    let id = add(&store, &workspace).await;
    send(&store, &workspace, &["e1", "e2", "e3"]).await;
    let mut following = store.follow(id).expect("it is there");
    let page = following.read(LIMIT).expect("a page");
    cut_connections(&place);
    let letter = Letter::new(page.records[0].clone(), record::peek(&page.records[0]).unwrap().identity, "no", START);
    following.settle(1, vec![letter], false).expect("the place moves");
    assert_eq!(read(&mut following), ["e2", "e3"]);
    cut_connections(&place);
    assert_eq!(read(&mut following), ["e2", "e3"]);
    assert_eq!(store.letter_count(id), 1);
    following.settle(2, Vec::new(), false).expect("the place moves");
    cut_connections(&place);
    assert_eq!(read(&mut following), [""; 0], "nobody else moved it");
    let at = following.place();
    assert_eq!(following.go_to(&at), Ok(true));
}

/// As many as may be held at once, and again when they were let go of, on the same connections.
#[tokio::test(flavor = "multi_thread")]
async fn moments_are_bounded_and_give_back_what_they_took() {
    let place = Place::new();
    let store = place.open(Options { moments_max: 2, ..place.options() });
    let workspace = workspace_named(&store, "default", START).await;
    send(&store, &workspace, &["e1"]).await;
    for round in 0..3 {
        let held: Vec<Arc<dyn Moment>> = (0..2).map(|_| store.moment(workspace.id).expect("a moment")).collect();
        assert!(matches!(store.moment(workspace.id), Err(ReadError::Failed { .. })), "there are as many as may be");
        drop(held);
        if round == 1 {
            cut_connections(&place);
        }
        let until = Instant::now() + LONG;
        while store.moment(workspace.id).is_err() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let moment = store.moment(workspace.id).expect("a moment");
    drop(store);
    assert_eq!(moment.place().len(), 8, "it outlives the engine");
}

/// Ends every connection to the database of a test, as a server that restarts does.
fn cut_connections(place: &Place) {
    let url = place.state_url.clone();
    std::thread::spawn(move || {
        let mut client = postgres::Client::connect(&url, postgres::NoTls).expect("PostgreSQL answers");
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        client.batch_execute(cut).expect("connections end");
    })
    .join()
    .expect("connections end");
}

/// What is no batch is kept aside, and the lane goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_batch_is_kept_and_the_lane_goes_on() {
    let place = Place::new();
    let store = place.open(place.options());
    let workspace = workspace_named(&store, "default", START).await;
    send(&store, &workspace, &["e1"]).await;
    let client = async_nats::connect(place.nats()).await.expect("NATS answers");
    let stream = async_nats::jetstream::new(client);
    // A parcel of this workspace: the form's version, what it is, whose, by which key, from which node and request.
    let version = muster_store::record::VERSION as u8;
    let parcel = |tag: u8, body: &[u8]| [&[version, tag][..], &workspace.id.0.to_le_bytes(), &[0; 24], body].concat();
    let strange = [b"no parcel".to_vec(), Vec::new(), parcel(1, b"no batch"), parcel(2, b""), parcel(9, b"")];
    for lane in 0..2 {
        for bytes in &strange {
            let subject = format!("{}.lane.{lane}", place.name());
            stream.publish(subject, bytes.clone().into()).await.expect("it is sent").await.expect("it is taken");
        }
    }
    // A replica that takes PostgreSQL's place may not have heard of a workspace.
    let mut unknown = BatchBuilder::new(WorkspaceId(99), 0);
    let text = r#"{"type":"track","event":"e","userId":"u","timestamp":"2024-01-01"}"#;
    Sent::new(text, START).add_to(&mut unknown, IdSpace::new("unknown"));
    assert!(matches!(store.append(unknown.build()).await, Err(AppendError::Hindered { .. })));
    let mut following = store.follow(add(&store, &workspace).await).expect("it is there");
    send(&store, &workspace, &["e2"]).await;
    assert_eq!(read(&mut following), ["e2"]);
    let url = place.state_url.clone();
    let kept = std::thread::spawn(move || {
        let mut client = postgres::Client::connect(&url, postgres::NoTls).expect("PostgreSQL answers");
        let rows = client.query("select body from unreadable order by lane, sequence", &[]).expect("they are kept");
        rows.iter().map(|row| row.get(0)).collect::<Vec<Vec<u8>>>()
    });
    let kept = kept.join().expect("they are kept");
    assert_eq!(kept.len(), 2 * strange.len() + 1);
    assert!(strange.iter().all(|bytes| kept.iter().filter(|kept| *kept == bytes).count() == 2));
}
