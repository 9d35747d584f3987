//! `muster move`: everything that is read from a directory is read from the cluster that took it over, byte by byte, and from the
//! directory that was made of the cluster; destinations get each message once; and nobody goes on with what was moved away.
//!
//! Needs the servers of `scripts/servers`.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

#[path = "forward/receiver.rs"]
#[allow(dead_code, reason = "each test file uses its part of this")]
mod receiver;

#[path = "moving/serving.rs"]
mod serving;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::audit::audit;
use harness::choice::seed;
use harness::cluster;
use harness::command::{Outcome, create_key, run};
use harness::home::Home;
use harness::http::{Answer, Client};
use harness::ledger::Ledger;
use harness::messages::track;
use harness::reads::Snapshot;
use harness::server::{Launch, Server, TOKEN, muster};
use harness::traffic::{Sender, run_all, until_promised};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use receiver::{Receiver, Reply};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// A directory, a cluster, and a directory again, of one home.
struct Places {
    home: Home,
}

impl Places {
    fn new() -> Places {
        let home = Home::new();
        for directory in ["first", "cluster", "second"] {
            fs::create_dir(home.path().join(directory)).unwrap();
        }
        cluster::wanted_in(&home.path().join("cluster"));
        Places { home }
    }

    fn at(&self, place: &str) -> PathBuf {
        self.home.path().join(place)
    }

    /// Where a server of a place keeps its data; on the cluster not much.
    fn data(&self, place: &str) -> PathBuf {
        self.at(place).join("data")
    }

    fn launch(&self, place: &str) -> Launch {
        Launch::at(&self.data(place), &self.at(place).join("server.log"))
            .restless(300)
            .set("MUSTER_FORWARD__RETRY_SECONDS_MAX", 1)
    }

    fn start(&self, place: &str) -> Server {
        self.launch(place).start()
    }

    fn try_to_move(&self, way: &str, directory: &Path) -> Outcome {
        run(&self.at("cluster"), &["move", way, directory.to_str().unwrap()])
    }

    #[track_caller]
    fn to_cluster(&self) {
        let said = self.try_to_move("--from", &self.data("first")).succeeded();
        assert!(said.contains("start servers with the settings of the cluster"), "{said}");
    }

    #[track_caller]
    fn back(&self) {
        let said = self.try_to_move("--into", &self.data("second")).succeeded();
        assert!(said.contains("start the server with --data-dir"), "{said}");
    }
}

/// What else there is to read of a workspace: everything that its pages and its owner's programs ask for.
const READS: [&str; 13] = [
    "/resources/refused?limit=100",
    "/resources/deletions?limit=100",
    "/resources/admins",
    "/resources/events/names",
    "/resources/customObjects",
    "/resources/customFields?model=accounts",
    "/resources/customFields?model=users",
    "/resources/npsResponses?target=accounts",
    "/admin/v1/keys",
    "/admin/v1/team",
    "/admin/v1/imports",
    "/admin/v1/saved-views",
    "/admin/v1/destinations/away/dead-letters",
];

/// Questions in SQL, whose answers are in an order.
const QUERIES: [&str; 7] = [
    "select * from messages order by received_at, message_id, kind, message",
    "select * from events order by timestamp, message_id, event",
    "select * from organizations order by uuid",
    "select * from accounts order by uuid",
    "select * from users order by uuid",
    "select * from links order by 1, 2, 3, 4",
    "select * from daily order by 1, 2, 3, 4, 5",
];

/// Everything that is read of a workspace.
fn everything(client: &mut Client) -> (Snapshot, Vec<String>) {
    let mut texts: Vec<String> = READS.iter().map(|target| client.get(target).unwrap().expect(200).text()).collect();
    for sql in QUERIES {
        let answer = client.post_json("/query", &json!({"sql": sql})).unwrap().expect(200).json();
        texts.push(answer["rows"].to_string());
    }
    let mut exported: Vec<String> =
        client.get("/export").unwrap().expect(200).text().lines().map(str::to_owned).collect();
    exported.sort_unstable();
    texts.extend(exported);
    (Snapshot::take(client), texts)
}

#[track_caller]
fn assert_same(before: &(Snapshot, Vec<String>), after: &(Snapshot, Vec<String>)) {
    before.0.assert_same(&after.0);
    for (one, two) in before.1.iter().zip(&after.1) {
        assert_eq!(one, two);
    }
    assert_eq!(before.1.len(), after.1.len());
}

fn destination(client: &mut Client, name: &str, url: &str, from: &str) {
    let new = json!({"name": name, "kind": "vitally", "url": url, "secret": TOKEN, "from": from});
    client.post_json("/admin/v1/destinations", &new).unwrap().expect(200);
}

/// Waits until a destination says something of itself.
#[track_caller]
fn wait_for(client: &mut Client, name: &str, holds: impl Fn(&Value) -> bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        let stands = client.read(&format!("/admin/v1/destinations/{name}"));
        if holds(&stands) {
            return;
        }
        assert!(Instant::now() < until, "{stands}");
        sleep(Duration::from_millis(20));
    }
}

/// Waits until a destination has everything, and its place is kept: what was taken less than a second before may be sent again.
#[track_caller]
fn wait_until_settled(client: &mut Client, receiver: &Receiver, ledger: &Mutex<Ledger>) {
    let promised = ledger.lock().unwrap().as_of_now();
    receiver.wait("it has everything", |receiver| {
        let took: HashSet<String> = receiver.took().into_iter().collect();
        promised.is_subset(&took)
    });
    wait_for(client, "taking", |stands| stands["pending"] == 0);
    sleep(Duration::from_millis(1_500));
}

#[track_caller]
fn done(answer: std::io::Result<Answer>) -> Answer {
    let answer = answer.unwrap();
    assert!((200..300).contains(&answer.status), "{}: {}", answer.status, answer.text());
    answer
}

/// Things of every kind that a workspace keeps beside messages.
fn furnish(client: &mut Client) {
    client.batch(&[json!({"type": "user", "userId": "no parent", "messageId": "bad"})]).unwrap().expect(400);
    client
        .batch(&[json!({"type": "user", "userId": "u", "accountId": "a", "messageId": "twice", "traits": {"n": 1}})])
        .unwrap()
        .expect_success();
    let other = json!({"type": "user", "userId": "u", "accountId": "a", "messageId": "twice", "traits": {"n": 2}});
    client.batch(&[other]).unwrap();
    done(client.post_json("/admin/v1/team", &json!({"email": "ada@example.com", "name": "Ada"})));
    let view = json!({"kind": "accounts", "name": "Best", "text": "sortBy=mrr&order=desc"});
    let first = done(client.post_json("/admin/v1/saved-views", &view)).json();
    let view = json!({"kind": "query", "name": "All", "text": "select 1"});
    done(client.post_json("/admin/v1/saved-views", &view));
    let first = format!("/admin/v1/saved-views/{}", first["id"]);
    done(client.request("DELETE", &first, &[], b""));
    let key = done(client.post_json("/admin/v1/keys", &json!({"name": "gone", "scopes": ["read"]})));
    done(client.request("DELETE", &format!("/admin/v1/keys/{}", key.json()["id"]), &[], b""));
    let import = json!({"format": "muster", "name": "old.ndjson", "bytes": 10});
    done(client.post_json("/admin/v1/imports", &import));
    for response in 0..3 {
        let said = json!({"userId": "u", "score": 7 + response, "respondedAt": "2024-03-01T00:00:00Z", "externalId": format!("r{response}")});
        done(client.post_json("/resources/npsResponses", &said));
    }
    // An anonymous id becomes somebody, long after.
    let anonymous = json!({"type": "track", "anonymousId": "nobody", "event": "looked", "messageId": "t1"});
    done(client.post_json("/v1/track", &anonymous));
    let identify = json!({"type": "identify", "anonymousId": "nobody", "userId": "u", "messageId": "t2"});
    done(client.post_json("/v1/identify", &identify));
    let gone =
        json!({"type": "user", "userId": "gone", "accountId": "a", "messageId": "g", "traits": {"name": "Gone"}});
    client.batch(&[gone, track("gone", "left", "g2")]).unwrap().expect_success();
    done(client.request("DELETE", "/resources/users/gone", &[], b""));
    let until = Instant::now() + PATIENCE;
    while client.read("/resources/deletions")["results"][0]["finishedAt"].is_null() {
        assert!(Instant::now() < until, "{}", client.read("/resources/deletions"));
        sleep(Duration::from_millis(20));
    }
}

/// What was refused on purpose is none of the senders', whose ledger knows nothing of it.
fn drop_refused(client: &mut Client) {
    for refused in client.read("/resources/refused")["results"].as_array().unwrap() {
        let target = format!("/resources/refused/{}", refused["id"].as_str().unwrap());
        done(client.request("DELETE", &target, &[], b""));
    }
}

#[test]
fn all_that_is_read_is_the_same_on_the_cluster_and_back_in_a_directory() {
    let places = Places::new();
    let (ledger, mut senders) = (Mutex::new(Ledger::default()), Sender::several(3, seed()));
    let (taking, away) = (Receiver::new(|_, _| Reply::ok()), Receiver::new(|_, _| Reply::status(503)));
    let server = places.start("first");
    let other = create_key(&places.at("first"), &places.data("first"), "other", "write,read,admin", "other");
    let mut client = server.client();
    destination(&mut client, "taking", &taking.url(), "now");
    run_all(&mut senders, server.address, &ledger, || until_promised(1_500, Duration::from_millis(300), &ledger));
    // One that reads the history from its beginning, and one that only gets what comes; both are away.
    destination(&mut client, "away", &away.url(), "now");
    destination(&mut client, "behind", &away.url(), "start");
    run_all(&mut senders, server.address, &ledger, || until_promised(1_500, Duration::from_millis(300), &ledger));
    furnish(&mut client);
    let mut second = server.client_of(&other);
    second.batch(&[track("u", "elsewhere", "1")]).unwrap().expect_success();
    destination(&mut second, "away", &away.url(), "now");
    wait_until_settled(&mut client, &taking, &ledger);
    let before = (everything(&mut client), everything(&mut second));
    assert!(before.0.0.results() > 200, "{}", before.0.0.results());
    server.stop();

    places.to_cluster();
    let server = places.start("cluster");
    let (mut client, mut second) = (server.client(), server.client_of(&other));
    assert_same(&before.0, &everything(&mut client));
    assert_same(&before.1, &everything(&mut second));
    // What comes again is known, and what is sent with the same identity and says something else is refused as before.
    let again = json!({"type": "user", "userId": "u", "accountId": "a", "messageId": "twice", "traits": {"n": 1}});
    client.batch(&[again]).unwrap().expect_success();
    assert_same(&before.0, &everything(&mut client));
    run_all(&mut senders, server.address, &ledger, || until_promised(300, Duration::from_millis(200), &ledger));
    wait_until_settled(&mut client, &taking, &ledger);
    let before = (everything(&mut client), everything(&mut second));
    server.stop();

    places.back();
    let server = places.start("second");
    let (mut client, mut second) = (server.client(), server.client_of(&other));
    assert_same(&before.0, &everything(&mut client));
    assert_same(&before.1, &everything(&mut second));
    run_all(&mut senders, server.address, &ledger, || until_promised(300, Duration::from_millis(200), &ledger));
    drop_refused(&mut client);
    audit(&mut client, &ledger.lock().unwrap());
    // Whoever was there all the time was told each message once, and whoever was away is told now, each message once as well.
    away.answer(|_, _| Reply::ok());
    for name in ["taking", "away", "behind"] {
        wait_for(&mut client, name, |stands| stands["pending"] == 0 && stands["state"] == "delivering");
    }
    let twice = |receiver: &Receiver, times: usize| {
        let mut took = receiver.took();
        took.sort_unstable();
        took.chunk_by(|one, next| one == next)
            .filter(|same| same.len() > times)
            .map(|same| same[0].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(twice(&taking, 1), Vec::<String>::new());
    // Three stand behind one address, in two workspaces: of one workspace one gets all and the other what came after it.
    assert_eq!(twice(&away, 2), Vec::<String>::new());
    let took: HashSet<String> = away.took().into_iter().collect();
    let ledger = ledger.into_inner().unwrap();
    let missing = ledger.events().filter(|(message, _)| ledger.is_promised(&message.id) && !took.contains(&message.id));
    assert_eq!(missing.map(|(message, _)| message.id.clone()).collect::<Vec<_>>(), Vec::<String>::new());
    server.stop();
}

/// Killed at any point, it is begun anew by the same command; nobody starts on half of it, and what is there is not harmed.
#[test]
fn a_move_that_is_cut_is_made_again() {
    let mut rng = StdRng::seed_from_u64(seed());
    let places = Places::new();
    let (ledger, mut senders) = (Mutex::new(Ledger::default()), Sender::several(3, seed()));
    let server = places.start("first");
    let mut client = server.client();
    destination(&mut client, "away", "http://127.0.0.1:9", "start");
    run_all(&mut senders, server.address, &ledger, || until_promised(3_000, Duration::from_millis(1_500), &ledger));
    let before = everything(&mut client);
    server.stop();
    let mut halves = 0;
    for _ in 0..12 {
        let whole = cut(&places, "--from", "first", &mut rng);
        if whole {
            break;
        }
        let failure = places.launch("cluster").spawn().ready().map(Server::stop);
        match failure {
            Err(failure) if failure.log.contains("run `muster move` again") => halves += 1,
            Err(failure) => panic!("{}", failure.log),
            // It was done with all but its end.
            Ok(()) if places.data("first").join("moved").exists() => break,
            // It had not begun: the server is one on a cluster that holds nothing, and makes its first workspace.
            Ok(()) => cluster::remove_below(&places.at("cluster")),
        }
    }
    if !places.data("first").join("moved").exists() {
        places.to_cluster();
    }
    let server = places.start("cluster");
    assert_same(&before, &everything(&mut server.client()));
    server.stop();
    for _ in 0..12 {
        if cut(&places, "--into", "second", &mut rng) {
            break;
        }
        assert!(!places.data("second").exists(), "it appears when it is whole");
    }
    if !places.data("second").exists() {
        places.back();
    }
    let server = places.start("second");
    assert_same(&before, &everything(&mut server.client()));
    server.stop();
    println!("{halves} times half of it was in the cluster");
}

/// Moves, and kills it after a while; whether it was done before.
fn cut(places: &Places, way: &str, directory: &str, rng: &mut StdRng) -> bool {
    let mut command = muster(&places.at("cluster"));
    command.args(["move", way]).arg(places.data(directory)).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    sleep(Duration::from_millis(rng.random_range(50..700)));
    let _ = child.kill();
    child.wait().unwrap().success()
}

#[test]
fn nobody_goes_on_with_what_was_moved_away_and_nothing_is_moved_over_something() {
    let places = Places::new();
    let server = places.start("first");
    server.client().batch(&[track("u", "first", "1")]).unwrap().expect_success();
    server.stop();
    let nowhere = places.try_to_move("--from", &places.at("second"));
    assert!(nowhere.failed().contains("no data directory"));
    places.to_cluster();

    let again = places.try_to_move("--from", &places.data("first")).failed();
    assert!(again.contains("holds 1 workspaces already"), "{again}");
    let examined = run(&places.at("first"), &["doctor", "--data-dir", places.data("first").to_str().unwrap()]);
    assert!(examined.status.code() == Some(7) && examined.said().contains("was moved"), "{}", examined.said());
    let failure = places.launch("first").spawn().ready().map(|_| ()).expect_err("it does not start");
    assert!(failure.log.contains("was moved into a cluster"), "{}", failure.log);
    // A person who insists has it as it was then; that is nothing for a cluster that holds something.
    fs::remove_file(places.data("first").join("moved")).unwrap();
    let taken = places.try_to_move("--from", &places.data("first")).failed();
    assert!(taken.contains("holds 1 workspaces already"), "{taken}");
    places.start("first").stop();
    // What was left for good is not moved to yet another cluster, and that one is none the worse for the attempt.
    fs::write(places.data("first").join("moved"), "").unwrap();
    let elsewhere = places.at("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    cluster::wanted_in(&elsewhere);
    for _ in 0..2 {
        let left = run(&elsewhere, &["move", "--from", places.data("first").to_str().unwrap()]).failed();
        assert!(left.contains("was moved into a cluster"), "{left}");
    }
    places.start("elsewhere").stop();

    let server = places.start("cluster");
    let busy = places.try_to_move("--into", &places.data("second"));
    assert_eq!(busy.status.code(), Some(4), "{}", busy.said());
    assert!(!places.data("second").exists());
    server.stop();
    let full = places.try_to_move("--into", &places.data("first")).failed();
    assert!(full.contains("is not empty"), "{full}");
    places.back();
    let failure = places.launch("cluster").spawn().ready().map(|_| ()).expect_err("it does not start");
    assert!(failure.log.contains("was moved into a data directory"), "{}", failure.log);
    let server = places.start("second");
    assert_eq!(server.client().read("/resources/users/u/events")["results"].as_array().map(Vec::len), Some(1));
    server.stop();
}
