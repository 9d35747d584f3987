//! `muster export --follow`: nothing is lost and nothing twice, whoever is killed.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::choice::seed;
use super::harness::command::{run, run_with};
use super::harness::home::Home;
use super::harness::ledger::Ledger;
use super::harness::messages::track;
use super::harness::server::{Launch, TOKEN, muster};
use super::harness::traffic::{Sender, run_all};

/// Exit codes of the contract.
const UNREACHABLE: i32 = 5;
/// How long something in the background may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A command that is ended with the test.
struct Following(Child);

impl Following {
    fn start(home: &Home, arguments: &[&str]) -> Following {
        let mut command = muster(home.path());
        command.args(["export", "--follow"]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        Following(command.spawn().expect("the muster executable starts"))
    }

    fn kill(mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it can be waited for");
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        sleep(Duration::from_millis(20));
    }
}

fn whole_lines(path: &Path) -> usize {
    fs::read(path).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count())
}

/// Over checkpoints, at full speed, with the server stopped or killed and the command killed in between.
#[test]
fn a_file_has_every_message_once_whoever_is_killed() {
    let home = Home::new();
    let data_dir = home.data_dir();
    let ledger = Mutex::new(Ledger::default());
    let mut senders = Sender::several(3, seed());
    let out = home.path().join("all.ndjson");
    let data_dir = data_dir.to_str().unwrap();
    let arguments = ["--data-dir", data_dir, "--out", "all.ndjson", "--position", "place"];
    let mut following: Option<Following> = None;
    for round in 0..6 {
        let server = Launch::new(&home).restless([60, 400, 2_000][round % 3]).start();
        let stops = round % 2 == 0;
        run_all(&mut senders, server.address, &ledger, || {
            sleep(Duration::from_millis(300));
            let runs = following.take().unwrap_or_else(|| Following::start(&home, &arguments));
            sleep(Duration::from_millis(400));
            if round % 3 == 1 {
                runs.kill();
            } else {
                following = Some(runs);
            }
            if stops {
                server.ask_to_stop();
            } else {
                server.kill();
            }
        });
    }
    let server = Launch::new(&home).restless(300).start();
    let exported = run(home.path(), &["export", "--data-dir", data_dir]).succeeded();
    let promised = ledger.into_inner().unwrap().promised_count();
    assert!(promised > 300, "{promised} messages");
    let _following = following.unwrap_or_else(|| Following::start(&home, &arguments));
    wait_until("the file does not catch up", || whole_lines(&out) >= exported.lines().count());
    let found = fs::read_to_string(&out).unwrap();
    assert_eq!(sorted(&found), sorted(&exported));

    // What is stored later comes too, and a selection holds for it; on standard output.
    let url = format!("http://{}", server.address);
    let mut other = muster(home.path());
    other.args(["export", "--follow", "--url", &url, "--event", "wanted", "--token", TOKEN]);
    let mut other = Following(other.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(other.0.stdout.take().unwrap());
    wait_until("its tail is not made", || tails(&home, &url).len() == 2);
    for n in 0..5 {
        let two = [track("u", "wanted", &format!("w-{n}")), track("u", "other", &format!("o-{n}"))];
        server.client().batch(&two).unwrap().expect_success();
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["message"]["messageId"], json!(format!("w-{n}")));
    }
    wait_until("the file does not go on", || whole_lines(&out) >= exported.lines().count() + 10);
    server.stop();
}

/// What the journal keeps for readers has a bound. One that is away for longer goes on with the history, in which everything
/// is: nothing is missing, though some may be in its file twice.
#[test]
fn what_the_journal_has_let_go_of_comes_from_the_history() {
    let home = Home::new();
    let launch = Launch::new(&home).restless(300).set("MUSTER_FORWARD__KEPT_BYTES_MAX", 60_000);
    let server = launch.start();
    let launch = launch.listening_on(server.address);
    let send = |range: std::ops::Range<u32>| {
        let mut client = server.client();
        let messages: Vec<Value> = range.map(|n| track(&format!("u{}", n % 50), "e", &format!("m{n}"))).collect();
        messages.chunks(100).for_each(|batch| drop(client.batch(batch).unwrap().expect_success()));
    };
    let data_dir = home.data_dir();
    let at = ["--data-dir", data_dir.to_str().unwrap()];
    let arguments = [&at[..], &["--out", "all.ndjson", "--position", "place"]].concat();
    let out = home.path().join("all.ndjson");
    send(0..1_000);
    let following = Following::start(&home, &arguments);
    wait_until("the file does not begin", || whole_lines(&out) >= 1_000);
    send(1_000..1_250);
    wait_until("the file does not go on", || whole_lines(&out) >= 1_250);
    following.kill();
    send(1_250..6_000);
    wait_until("nothing is let go of", || home.log_text().contains("a file kept for destinations goes"));
    server.kill();
    let server = launch.start();
    let more: Vec<Value> = (6_000..6_050).map(|n| track("late", "e", &format!("m{n}"))).collect();
    server.client().batch(&more).unwrap().expect_success();
    let exported = run(home.path(), &[&["export"][..], &at].concat()).succeeded();
    assert_eq!(exported.lines().count(), 6_050);
    let _following = Following::start(&home, &arguments);
    let found = || fs::read_to_string(&out).unwrap();
    let whole = |text: &str| text.lines().collect::<HashSet<_>>().len() >= 6_050 && text.ends_with('\n');
    wait_until("the file does not catch up", || whole(&found()));
    let found = found();
    let mut once = sorted(&found);
    once.dedup();
    assert_eq!(once, sorted(&exported));
}

fn tails(home: &Home, url: &str) -> Vec<Value> {
    let asked = url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut client = super::harness::http::Client::new(asked, Some(&format!("Bearer {TOKEN}")));
    assert!(home.path().is_dir());
    client.read("/export/tails")["results"].as_array().unwrap().clone()
}

#[test]
fn what_cannot_be_followed_says_what_to_do() {
    let home = Home::new();
    let data_dir = home.data_dir();
    let at = ["--data-dir", data_dir.to_str().unwrap()];
    let server = Launch::new(&home).start();
    let url = format!("http://{}", server.address);
    let check = |arguments: &[&str], says: &str| {
        let said = run(home.path(), &[&["export"], arguments, &at].concat()).failed();
        assert!(said.contains(says), "{arguments:?}: {said}");
    };
    check(&["--follow", "--format", "csv"], "ndjson");
    check(&["--follow", "--out", "x.zst"], "not compressed");
    check(&["--follow", "--out", "."], "one file");
    check(&["--position", "p"], "--follow");
    home.file("there.ndjson", "mine");
    check(&["--follow", "--out", "there.ndjson"], "is there already");
    home.file("p", "mine");
    check(&["--follow", "--position", "p"], "no position of ours");
    check(&["--follow", "--kind", "page", "--position", "new"], "kind must be some of");

    // A position is ended, and is over then.
    let position = fs::read(home.path().join("new")).unwrap();
    assert_eq!(tails(&home, &url).len(), 1);
    run_with(home.path(), &["export", "--forget", "--position", "new", "--url", &url], &[("MUSTER_TOKEN", TOKEN)])
        .succeeded();
    assert_eq!(tails(&home, &url), Vec::<Value>::new());
    assert!(!home.path().join("new").exists());
    fs::write(home.path().join("new"), position).unwrap();
    check(&["--follow", "--position", "new"], "begin with a new export");

    server.stop();
    let outcome = run(home.path(), &[&["export", "--follow"][..], &at].concat());
    assert_eq!(outcome.status.code(), Some(UNREACHABLE), "{}", outcome.said());
    assert!(outcome.said().contains("muster serve"), "{}", outcome.said());
}
