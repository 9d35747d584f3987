//! The history in a bucket behind the interface of S3: what lies there, who reads it, and what happens while it fails.

#[path = "support/relay.rs"]
mod relay;
mod support;

use std::{sync::Arc, time::Duration};

use muster_cluster::{Cluster, Options};
use muster_model::{
    deletion::DeletionId,
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
};
use muster_store::{
    batch::BatchBuilder,
    credentials::Workspace,
    deletion::{Decree, Delete},
    error::ReadError,
    follow::{Followers, NewFollower, PageLimit, Start},
    history::{EventsQuery, History},
    journal::Journal,
    rows::Column,
    scan::{Scans, Wanted},
    status::Status,
    suite::{
        Sent,
        desk::{START, workspace_named},
        moments,
    },
};
use relay::Relay;
use support::Place;

const S3: &str = "MUSTER_TEST_S3_URL";
const BUCKET: &str = "MUSTER_TEST_S3_BUCKET";

fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: start the servers that these tests need with eval \"$(scripts/servers start)\"")
    })
}

/// Options with a bucket behind a server of S3, below a prefix of the place's own.
fn options(place: &Place, s3: &str) -> Options {
    let asked = "region=local&allow_http=true&aws_access_key_id=k&aws_secret_access_key=s";
    let url = format!("s3://{}/{}?endpoint={s3}&{asked}", server(BUCKET), place.name());
    Options { freshness_timeout: Duration::from_secs(10), ..place.options_with(&url) }
}

/// Tracks of some users, a month apart.
async fn send(store: &Cluster, workspace: &Workspace, numbers: std::ops::Range<usize>) {
    let numbers: Vec<usize> = numbers.collect();
    for some in numbers.chunks(50) {
        let mut batch = BatchBuilder::new(workspace.id, 0);
        for number in some {
            let (user, month, day) = (number % 7, number % 3 + 1, number % 28 + 1);
            let text = format!(
                r#"{{"type":"track","messageId":"m{number}","event":"e{number}","userId":"u{user}","accountId":"a","timestamp":"2024-{month:02}-{day:02}"}}"#
            );
            Sent::new(text, START).add_to(&mut batch, IdSpace::new(&workspace.name));
        }
        store.append(batch.build()).await.expect("it is taken");
    }
}

async fn timeline(store: &Cluster, workspace: &Workspace, user: &str) -> Result<usize, ReadError> {
    let subject = (RecordKind::User, IdSpace::new(&workspace.name).record(RecordKind::User, user));
    let query = EventsQuery { subject, event: None, after: None, before: None, from: None, limit: 1_000 };
    store.events(workspace.id, query).await.map(|page| page.events.len())
}

async fn names(store: &Arc<Cluster>, workspace: WorkspaceId) -> Vec<String> {
    let store = Arc::clone(store);
    let read = move || {
        let moment = store.moment(workspace).expect("a moment");
        let wanted = Wanted { columns: vec![Column::Event], ..Wanted::everything() };
        let rows = moments::scan(&moment, wanted);
        let mut names: Vec<String> = rows.iter().filter_map(|row| row.text(Column::Event).map(str::to_owned)).collect();
        names.sort_unstable();
        names
    };
    tokio::task::spawn_blocking(read).await.expect("it does not panic")
}

fn expected(numbers: std::ops::Range<usize>) -> Vec<String> {
    let mut names: Vec<String> = numbers.map(|number| format!("e{number}")).collect();
    names.sort_unstable();
    names
}

/// Deletes a record, and waits until that is done.
async fn delete(store: &Cluster, workspace: &Workspace, subject: (RecordKind, RecordId)) {
    let (id, at, subjects) = (DeletionId(9), START.plus_micros(40 * 86_400_000_000), vec![subject]);
    let delete = Delete { id, root: subject, requested_at: at, key_id: 1, at, subjects, parts: Vec::new() };
    let mut batch = BatchBuilder::new(workspace.id, 0);
    batch.decree(&Decree::Delete(delete));
    store.append(batch.build()).await.expect("it is carried out");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_filed_is_read_from_the_bucket_by_every_node() {
    let place = Place::new();
    let s3 = server(S3);
    let one = Arc::new(place.open(options(&place, &s3)));
    let workspace = workspace_named(&*one, "default", START).await;
    send(&one, &workspace, 0..300).await;
    one.file_everything().await.expect("it is filed");
    assert_eq!(place.count("message"), 0, "nothing is left in the table");
    assert!(one.sizes().iter().any(|(_, size)| size.history_bytes > 0));
    send(&one, &workspace, 300..340).await;
    let other = Arc::new(place.open(options(&place, &s3)));
    for store in [&one, &other] {
        assert_eq!(names(store, workspace.id).await, expected(0..340));
        assert_eq!(timeline(store, &workspace, "u3").await.expect("a timeline"), 49);
    }
    // Whoever begins at the beginning has all of it, in the order of arrival.
    let (name, settings) = ("theirs".to_owned(), b"{}".to_vec());
    let new = NewFollower { workspace: workspace.id, name, settings, start: Start::Beginning, created_at: START };
    let id = other.add_follower(new).await.expect("a follower").id;
    let reader = Arc::clone(&other);
    let followed = tokio::task::spawn_blocking(move || {
        let mut following = reader.follow(id).expect("a follower");
        let mut names = Vec::new();
        loop {
            let page = following.read(PageLimit { messages: 37, bytes: 1 << 20 }).expect("a page");
            let name = |bytes: &Vec<u8>| {
                muster_store::record::decode(bytes).expect("a message").name.as_deref().map(str::to_owned)
            };
            names.extend(page.records.iter().filter_map(name));
            following.settle(page.records.len(), Vec::new(), true).expect("the place moves");
            if !page.more {
                return names;
            }
        }
    });
    let in_order: Vec<String> = (0..340).map(|number| format!("e{number}")).collect();
    assert_eq!(followed.await.expect("it does not panic"), in_order);
    // Sent again, all of it is known.
    send(&other, &workspace, 0..340).await;
    assert_eq!(names(&one, workspace.id).await.len(), 340);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_bucket_fails_messages_are_taken_and_nothing_is_made_up() {
    let place = Place::new();
    let relay = Relay::before(&server(S3));
    let store = Arc::new(place.open(options(&place, &relay.url)));
    let workspace = workspace_named(&*store, "default", START).await;
    send(&store, &workspace, 0..100).await;
    store.file_everything().await.expect("it is filed");
    relay.fail();
    // What is kept in memory goes with the node.
    let node = Arc::new(place.open(options(&place, &relay.url)));
    send(&node, &workspace, 100..200).await;
    let failed = timeline(&node, &workspace, "u3").await.expect_err("files cannot be read");
    assert!(matches!(failed, ReadError::Failed { .. }), "{failed}");
    assert!(node.file_everything().await.is_err());
    relay.heal();
    relay.delay(Duration::from_millis(100));
    node.file_everything().await.expect("it is filed");
    assert_eq!(names(&node, workspace.id).await, expected(0..200));
    assert_eq!(place.count("message"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_waits_for_the_bucket_and_leaves_nothing_in_files_that_count() {
    let place = Place::new();
    let relay = Relay::before(&server(S3));
    let store = Arc::new(place.open(options(&place, &relay.url)));
    let workspace = workspace_named(&*store, "default", START).await;
    send(&store, &workspace, 0..100).await;
    store.file_everything().await.expect("it is filed");
    relay.fail();
    let user = (RecordKind::User, IdSpace::new("default").record(RecordKind::User, "u3"));
    let deleting = {
        let (store, workspace) = (Arc::clone(&store), workspace.clone());
        tokio::spawn(async move { delete(&store, &workspace, user).await })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!deleting.is_finished(), "what is promised is not known to be done");
    relay.heal();
    deleting.await.expect("it does not panic");
    assert_eq!(timeline(&store, &workspace, "u3").await.expect("a timeline"), 0);
    let left: Vec<String> =
        expected(0..100).into_iter().filter(|name| name[1..].parse::<usize>().unwrap() % 7 != 3).collect();
    assert_eq!(names(&store, workspace.id).await, left);
    assert!(place.count("segment_gone") > 0, "files that were written anew are to be removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_count_no_more_go_once_nobody_can_read_them() {
    let place = Place::new();
    let options = Options { stream_retention: Duration::ZERO, ..place.options() };
    let store = Arc::new(place.open(options));
    let workspace = workspace_named(&*store, "default", START).await;
    send(&store, &workspace, 0..100).await;
    store.file_everything().await.expect("it is filed");
    let (holder, id) = (Arc::clone(&store), workspace.id);
    let moment = tokio::task::spawn_blocking(move || holder.moment(id)).await.unwrap().expect("a moment");
    delete(&store, &workspace, (RecordKind::User, IdSpace::new("default").record(RecordKind::User, "u3"))).await;
    store.file_everything().await.expect("it is filed");
    assert!(place.files() > place.count("segment") as usize, "the moment reads what was deleted since");
    let read = move || {
        let rows = moments::scan(&moment, Wanted { columns: vec![Column::Event], ..Wanted::everything() });
        drop(moment);
        rows.len()
    };
    assert_eq!(tokio::task::spawn_blocking(read).await.expect("it does not panic"), 100);
    store.file_everything().await.expect("it is filed");
    assert_eq!((place.files() as i64, place.count("segment_gone")), (place.count("segment"), 0));
    assert_eq!(names(&store, workspace.id).await.len(), 86);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_belongs_to_one_cluster_and_is_needed_from_then_on() {
    let (place, other) = (Place::new(), Place::new());
    let store = place.open(place.options());
    let workspace = workspace_named(&store, "default", START).await;
    send(&store, &workspace, 0..10).await;
    store.file_everything().await.expect("it is filed");
    for (options, says) in [
        (other.options_with(&place.history_url()), "another cluster"),
        (Options { history: None, ..place.options() }, "say which one"),
    ] {
        let opened = tokio::task::spawn_blocking(move || Cluster::open(options).map(drop)).await.unwrap();
        let refused = opened.expect_err("it is refused").to_string();
        assert!(refused.contains(says), "{refused}");
    }
}
