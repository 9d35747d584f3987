//! Moving a directory while its server goes on with it, and then with the cluster.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use postgres::NoTls;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::harness::audit::audit;
use super::harness::choice::seed;
use super::harness::cluster;
use super::harness::command::{Outcome, run};
use super::harness::http::Client;
use super::harness::ledger::Ledger;
use super::harness::messages::track;
use super::harness::server::Server;
use super::harness::traffic::{Sender, Stop, run_all, until_promised};
use super::receiver::{Receiver, Reply};
use super::{PATIENCE, Places, assert_same, create_key, destination, drop_refused, everything, furnish, wait_for};

/// Whoever operates a server, as its commands on the same machine do.
fn operator(server: &Server) -> Client {
    let local: Value = serde_json::from_slice(&fs::read(server.local_file()).unwrap()).unwrap();
    server.client_of(local["token"].as_str().unwrap())
}

/// How far a move is. Connections end in order when the server stops for the rest; whoever used one opens another.
fn stage(operator: &mut Client) -> String {
    let answer = operator.get("/admin/v1/move").or_else(|_| operator.get("/admin/v1/move"));
    answer.unwrap().expect(200).json()["stage"].as_str().unwrap().to_owned()
}

/// Waits until something has gone over: from then on nothing is taken but messages.
#[track_caller]
fn wait_until_begun(operator: &mut Client) {
    let until = Instant::now() + PATIENCE;
    while operator.read("/admin/v1/move")["workspaces"] == 0 {
        assert!(Instant::now() < until, "no move has begun");
        sleep(Duration::from_millis(2));
    }
}

/// Moves while senders send all the time; they send again what a connection that ended left in doubt. `meanwhile` runs beside the move.
fn move_under_traffic(
    places: &Places,
    address: SocketAddr,
    (senders, ledger): (&mut [Sender], &Mutex<Ledger>),
    meanwhile: impl FnOnce(&AtomicBool) + Send,
) -> Outcome {
    let stop = AtomicBool::new(false);
    scope(|scope| {
        for sender in senders {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    sender.run(address, ledger, stop);
                    sleep(Duration::from_millis(5));
                }
            });
        }
        let _stop = Stop(&stop);
        let moving = scope.spawn(|| places.try_to_move("--from", &places.data("first")));
        meanwhile(&stop);
        moving.join().unwrap()
    })
}

/// How often somebody was told the same message, of those that were told it more than once.
fn told_twice(receiver: &Receiver) -> Vec<String> {
    let mut took = receiver.took();
    took.sort_unstable();
    took.chunk_by(|one, next| one == next).filter(|same| same.len() > 1).map(|same| same[0].clone()).collect()
}

/// Nobody who sends, reads or is told has to know of it.
#[test]
fn a_server_goes_on_while_its_directory_is_moved_and_then_with_the_cluster() {
    let places = Places::new();
    let (ledger, mut senders) = (Mutex::new(Ledger::default()), Sender::several(3, seed()));
    let (taking, away) = (Receiver::new(|_, _| Reply::ok()), Receiver::new(|_, _| Reply::status(503)));
    let server = places.start("first");
    let mut client = server.client();
    destination(&mut client, "taking", &taking.url(), "now");
    run_all(&mut senders, server.address, &ledger, || until_promised(3_000, Duration::from_millis(300), &ledger));
    destination(&mut client, "away", &away.url(), "now");
    run_all(&mut senders, server.address, &ledger, || until_promised(300, Duration::from_millis(100), &ledger));
    furnish(&mut client);
    let mut operator = operator(&server);
    assert_eq!(stage(&mut operator), "none");
    let mut key = String::new();
    let mut other = None;
    let moved = move_under_traffic(&places, server.address, (&mut senders, &ledger), |_| {
        wait_until_begun(&mut operator);
        // What is there to be read is read, and a workspace is made and filled; what is more than that waits.
        key = create_key(&places.at("first"), &places.data("first"), "late", "write,read", "late");
        server.client_of(&key).batch(&[track("u", "late", "1")]).unwrap().expect_success();
        client.read("/resources/accounts");
        let refused = client.request("DELETE", "/resources/users/u", &[], b"").unwrap();
        let refused = if refused.status == 503 { Some(refused) } else { None };
        let later =
            json!({"name": "later", "kind": "vitally", "url": "http://127.0.0.1:9", "secret": "s", "from": "now"});
        let also = client.post_json("/admin/v1/destinations", &later).unwrap();
        if stage(&mut operator) == "copying" {
            let refused = refused.expect("it is said that it has to wait");
            assert!(refused.header("retry-after").is_some() && refused.text().contains("moved"), "{}", refused.text());
            assert_eq!(also.status, 503, "{}", also.text());
        }
        // Whoever asks once more is told how it ends; one that comes too late finds the cluster in use.
        other = Some(places.try_to_move("--from", &places.data("first")));
        let until = Instant::now() + PATIENCE;
        while stage(&mut operator) != "moved" {
            assert!(Instant::now() < until, "it does not end");
            sleep(Duration::from_millis(20));
        }
        until_promised(300, Duration::from_millis(200), &ledger);
    });
    let other = other.unwrap();
    let joined = other.status.success() && other.said().contains("a move is under way already");
    assert!(joined || other.said().contains("a node of the cluster is running"), "{}", other.said());
    let (said, mut client) = (moved.succeeded(), server.client());
    assert!(said.contains("the server goes on with the cluster"), "{said}");
    assert_eq!(server.client_of(&key).read("/resources/users/u/events")["results"].as_array().map(Vec::len), Some(1));
    // Nothing more is to be moved, and the directory is nobody's any more.
    let again = operator.post_json("/admin/v1/move", &json!({"stateUrl": "", "journalUrl": ""})).unwrap();
    assert_eq!(again.status, 404, "{}", again.text());
    let failure = places.launch("first").spawn().ready().map(|_| ()).expect_err("it does not start");
    assert!(failure.log.contains("was moved into a cluster"), "{}", failure.log);
    drop_refused(&mut client);
    audit(&mut client, &ledger.lock().unwrap());
    away.answer(|_, _| Reply::ok());
    for name in ["taking", "away"] {
        wait_for(&mut client, name, |stands| stands["pending"] == 0 && stands["state"] == "delivering");
    }
    assert_eq!((told_twice(&taking), told_twice(&away)), (Vec::new(), Vec::new()));
    let (promised, took) = (ledger.lock().unwrap().as_of_now(), taking.took().into_iter().collect::<HashSet<_>>());
    assert_eq!(promised.difference(&took).collect::<Vec<_>>(), Vec::<&String>::new());
    let before = everything(&mut client);
    server.stop();
    // What followed what there was at first makes a cluster as any other: from there it goes back, and is the same.
    places.back();
    let server = places.start("second");
    assert_same(&before, &everything(&mut server.client()));
    server.stop();
}

/// What came while everything was moved is read from the cluster as from the directory, byte by byte.
#[test]
fn what_comes_meanwhile_is_the_same_on_both_sides() {
    for attempt in 0..5 {
        let places = Places::new();
        let (ledger, mut senders) = (Mutex::new(Ledger::default()), Sender::several(3, seed().wrapping_add(attempt)));
        let server = places.start("first");
        let mut client = server.client();
        destination(&mut client, "behind", "http://127.0.0.1:9", "start");
        destination(&mut client, "away", "http://127.0.0.1:9", "now");
        run_all(&mut senders, server.address, &ledger, || until_promised(4_000, Duration::from_millis(300), &ledger));
        furnish(&mut client);
        let (mut operator, before) = (operator(&server), ledger.lock().unwrap().promised_count());
        let mut in_time = false;
        let moved = move_under_traffic(&places, server.address, (&mut senders, &ledger), |stop| {
            wait_until_begun(&mut operator);
            while stage(&mut operator) == "copying" {
                sleep(Duration::from_millis(2));
            }
            stop.store(true, Ordering::Relaxed);
            // Requests that are under way end meanwhile.
            sleep(Duration::from_millis(30));
            in_time = stage(&mut operator) == "following";
        });
        moved.succeeded();
        let later = ledger.lock().unwrap().promised_count() - before;
        let here = everything(&mut server.client());
        server.stop();
        if !in_time {
            continue;
        }
        assert!(later > 20, "only {later} messages came meanwhile");
        fs::remove_file(places.data("first").join("moved")).unwrap();
        let server = places.start("first");
        assert_same(&everything(&mut server.client()), &here);
        server.stop();
        return;
    }
    panic!("the move was over before the senders had stopped, each time");
}

/// A server that is killed while its directory is moved starts on it again, or the move is made again; whatever was promised is there.
#[test]
fn a_server_that_is_killed_while_it_moves_has_lost_nothing() {
    let (places, mut rng) = (Places::new(), StdRng::seed_from_u64(seed()));
    let (ledger, mut senders) = (Mutex::new(Ledger::default()), Sender::several(3, seed()));
    let server = places.start("first");
    run_all(&mut senders, server.address, &ledger, || until_promised(2_000, Duration::from_millis(300), &ledger));
    server.stop();
    let mut cut = 0;
    for _ in 0..5 {
        if places.data("first").join("moved").exists() {
            break;
        }
        let server = places.start("first");
        let pause = Duration::from_millis(rng.random_range(100..2_500));
        let moved = move_under_traffic(&places, server.address, (&mut senders, &ledger), |stop| {
            sleep(pause);
            server.kill();
            stop.store(true, Ordering::Relaxed);
        });
        cut += u32::from(!moved.status.success());
    }
    if !places.data("first").join("moved").exists() || cut > 0 {
        let _ = places.try_to_move("--from", &places.data("first"));
    }
    let server = places.start("cluster");
    audit(&mut server.client(), &ledger.lock().unwrap());
    server.stop();
    println!("{cut} moves were cut");
}

/// A backup of a cluster is a directory that a server starts on, with everything that was promised before it.
#[test]
fn a_backup_of_a_cluster_is_a_directory_of_its_own() {
    let places = Places::new();
    let (ledger, mut senders) = (Mutex::new(Ledger::default()), Sender::several(3, seed()));
    let server = places.start("cluster");
    run_all(&mut senders, server.address, &ledger, || until_promised(1_500, Duration::from_millis(300), &ledger));
    let mut client = server.client();
    destination(&mut client, "away", "http://127.0.0.1:9", "start");
    furnish(&mut client);
    let backup = || {
        let directory = places.data("second");
        let arguments = ["backup", directory.to_str().unwrap(), "--json"];
        let said = run(&places.at("cluster"), &arguments).succeeded();
        serde_json::from_str::<Value>(&said).unwrap()
    };
    // At rest it is the same, byte by byte.
    let before = everything(&mut client);
    let said = backup();
    assert!(said["entries"].as_u64() > Some(1_000) && said["historyFiles"].as_u64() > Some(0), "{said}");
    let copy = places.start("second");
    assert_same(&before, &everything(&mut copy.client()));
    copy.stop();
    let again = run(&places.at("cluster"), &["backup", places.data("second").to_str().unwrap()]).failed();
    assert!(again.contains("is not empty"), "{again}");
    fs::remove_dir_all(places.data("second")).unwrap();
    // Under traffic it has what was promised before, and of what came meanwhile any part.
    let mut promised = HashSet::new();
    run_all(&mut senders, server.address, &ledger, || {
        until_promised(300, Duration::from_millis(100), &ledger);
        promised = ledger.lock().unwrap().as_of_now();
        backup();
        until_promised(100, Duration::from_millis(100), &ledger);
    });
    let copy = places.start("second");
    let mut client = copy.client();
    drop_refused(&mut client);
    audit(&mut client, &ledger.lock().unwrap().with_promises_of(&promised));
    copy.stop();
    // The cluster is none the worse for it.
    server.stop();
    places.start("cluster").stop();
}

/// If the cluster fails while everything goes over, the server goes on as before; and the move is made another time.
#[test]
fn a_server_goes_on_as_before_when_the_cluster_fails() {
    let places = Places::new();
    let (ledger, mut senders) = (Mutex::new(Ledger::default()), Sender::several(3, seed()));
    let server = places.start("first");
    run_all(&mut senders, server.address, &ledger, || until_promised(3_000, Duration::from_millis(300), &ledger));
    // The first command to name the cluster makes it.
    run(&places.at("cluster"), &["config"]).succeeded();
    let state_url = cluster::shown_below(&places.at("cluster")).remove(0);
    let database = state_url.rsplit_once('/').unwrap().1;
    let mut administrator =
        postgres::Client::connect(&std::env::var("MUSTER_TEST_POSTGRESQL_URL").unwrap(), NoTls).unwrap();
    let mut operator = operator(&server);
    let moved = move_under_traffic(&places, server.address, (&mut senders, &ledger), |_| {
        wait_until_begun(&mut operator);
        administrator.batch_execute(&format!("alter database {database} allow_connections false")).unwrap();
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
        let until = Instant::now() + PATIENCE;
        while stage(&mut operator) != "failed" {
            administrator.execute(end, &[&database]).unwrap();
            assert!(Instant::now() < until, "it does not fail");
            sleep(Duration::from_millis(20));
        }
        until_promised(200, Duration::from_millis(100), &ledger);
    });
    assert_eq!(moved.status.code(), Some(1), "{}", moved.said());
    assert!(!places.data("first").join("moved").exists());
    // What had to wait meanwhile is taken again.
    let mut client = server.client();
    destination(&mut client, "away", "http://127.0.0.1:9", "now");
    furnish(&mut client);
    administrator.batch_execute(&format!("alter database {database} allow_connections true")).unwrap();
    places.try_to_move("--from", &places.data("first")).succeeded();
    let mut client = server.client();
    drop_refused(&mut client);
    audit(&mut client, &ledger.lock().unwrap());
    server.stop();
}
