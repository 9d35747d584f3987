//! `muster import` of what is no file, cut short: standard input goes on only with the same stream, and what another server
//! has goes on with the page that had been reached.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::command::{Outcome, run_with};
use super::harness::home::Home;
use super::harness::messages::track;
use super::harness::server::{Launch, Server, TOKEN, muster};

const PATIENCE: Duration = Duration::from_secs(60);

/// A home with a server.
struct Place {
    home: Home,
    server: Server,
    url: String,
}

impl Place {
    fn new() -> Place {
        let home = Home::new();
        let server = Launch::new(&home).start();
        let url = format!("http://{}", server.address);
        Place { home, server, url }
    }

    /// Starts `muster import` with these arguments and this file as its standard input.
    fn spawn(&self, arguments: &[&str], input: Option<&str>) -> Child {
        let input = input.map_or(Stdio::null(), |name| File::open(self.home.path().join(name)).unwrap().into());
        let mut command = muster(self.home.path());
        command.args([&["import"], arguments, &["--url", &self.url]].concat());
        command.env("MUSTER_TOKEN", TOKEN).env("MUSTER_FROM_TOKEN", TOKEN);
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the muster executable starts")
    }

    /// The same to its end: what it says of itself first, and everything.
    fn import(&self, arguments: &[&str], input: Option<&str>) -> (String, Outcome) {
        let output = self.spawn(arguments, input).wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let outcome = Outcome { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) };
        (outcome.stderr.lines().next().unwrap_or_default().to_owned(), outcome)
    }

    fn query(&self, sql: &str) -> String {
        let arguments = ["query", sql, "--format", "csv", "--url", &self.url];
        run_with(self.home.path(), &arguments, &[("MUSTER_TOKEN", TOKEN)]).succeeded()
    }

    /// The newest import.
    fn newest(&self) -> Option<Value> {
        self.server.client().read("/admin/v1/imports")["results"].as_array().unwrap().first().cloned()
    }

    /// Waits until it has read so much, and kills who brings it.
    fn kill_at(&self, mut child: Child, read: u64) {
        let until = Instant::now() + PATIENCE;
        while self.newest().is_none_or(|one| one["read"].as_u64() < Some(read)) {
            assert!(Instant::now() < until, "the import does not come to {read}: {:?}", self.newest());
            sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Lines of tracks; from `other` on they are others.
fn tracks(count: usize, other: usize) -> String {
    let line = |n: usize| track("u", "e", &format!("{}{n}", if n < other { "m" } else { "other-" })).to_string();
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_stream_goes_on_only_where_it_is_the_same() {
    const ALL: usize = 16_000;
    const BEFORE: usize = 10_000;
    let place = Place::new();
    for (name, count, other) in [
        ("same", ALL, ALL),
        // It begins the same.
        ("alike", ALL, 1_500),
        ("short", 1_200, 1_200),
        ("another", 50, 0),
    ] {
        place.home.file(name, tracks(count, other));
    }
    // It waits for the rest of the stream when it is killed.
    let mut command = muster(place.home.path());
    command.args(["import", "-", "--url", &place.url]).env("MUSTER_TOKEN", TOKEN);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = tracks(BEFORE, ALL);
    child.stdin.as_mut().unwrap().write_all(begun.as_bytes()).unwrap();
    place.kill_at(child, BEFORE as u64 - 1_000);
    let position = place.newest().unwrap()["position"].as_u64().unwrap();
    assert!(position >= 2_000, "what was acknowledged was told with what came after it: {:?}", place.newest());

    for (name, how) in [("alike", "is another before message"), ("short", "ends before message")] {
        let (first, outcome) = place.import(&["-"], Some(name));
        assert_eq!(first, format!("import 1, going on after {position} messages"), "{name}");
        let said = outcome.failed();
        assert!(said.contains(how) && said.contains("--again"), "{name}: {said}");
        let known = place.newest().unwrap();
        assert_eq!((&known["id"], known["position"].as_u64()), (&json!(1), Some(position)), "nothing changed: {known}");
    }
    let (first, outcome) = place.import(&["-", "--json"], Some("another"));
    assert_eq!(first, "import 2", "what begins otherwise is another import");
    let said: Value = serde_json::from_str(&outcome.succeeded()).unwrap();
    assert_eq!(said["stored"], 50);
    let (first, outcome) = place.import(&["-", "--json"], Some("same"));
    assert_eq!(first, format!("import 1, going on after {position} messages"));
    let said: Value = serde_json::from_str(&outcome.succeeded()).unwrap();
    assert_eq!(said["messages"].as_u64(), Some(ALL as u64 - position), "{said}");
    let known = place.server.client().read("/admin/v1/imports/1");
    assert_eq!((&known["state"], &known["stored"], &known["duplicates"]), (&json!("complete"), &json!(ALL), &json!(0)));
    let (first, outcome) = place.import(&["-", "--again"], Some("same"));
    assert_eq!(first, "import 3");
    assert!(outcome.succeeded().contains("16000 there already"));
}

/// What a server with Vitally's REST API has, and what it was asked for.
struct Upstream {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    gate: Arc<Gate>,
}

/// Lets a number of pages through; whoever waits when it is shut gets none.
#[derive(Default)]
struct Gate {
    left: Mutex<Left>,
    changed: Condvar,
}

#[derive(Default)]
struct Left {
    pages: usize,
    shut: usize,
}

impl Gate {
    /// Waits for a page; false when it is shut meanwhile.
    fn pass(&self) -> bool {
        let left = self.left.lock().unwrap();
        let shut = left.shut;
        let mut left = self.changed.wait_while(left, |left| left.pages == 0 && left.shut == shut).unwrap();
        let passes = left.shut == shut;
        left.pages -= usize::from(passes);
        passes
    }

    fn open(&self, pages: usize) {
        self.left.lock().unwrap().pages += pages;
        self.changed.notify_all();
    }

    fn shut(&self) {
        let mut left = self.left.lock().unwrap();
        (left.pages, left.shut) = (0, left.shut + 1);
        self.changed.notify_all();
    }
}

/// Records of each collection, and of a page.
const COLLECTIONS: [(&str, usize); 4] =
    [("organizations", 130), ("accounts", 450), ("users", 720), ("npsResponses", 30)];
const PAGE: usize = 100;
const PAGES: usize = 2 + 5 + 8 + 1;

impl Upstream {
    fn start() -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, gate) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Gate>::default());
        let (noted, gates) = (Arc::clone(&asked), Arc::clone(&gate));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (asked, gate) = (Arc::clone(&noted), Arc::clone(&gates));
                thread::spawn(move || serve(&stream.unwrap(), &asked, &gate));
            }
        });
        Upstream { address, asked, gate }
    }

    fn times(&self, asked: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|one| *one == asked).count()
    }

    fn pages_asked(&self) -> usize {
        self.asked.lock().unwrap().iter().filter(|one| one.contains(" from ")).count()
    }
}

fn serve(stream: &TcpStream, asked: &Mutex<Vec<String>>, gate: &Gate) {
    let mut lines = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap_or(0) > 2 {
            head.push(std::mem::take(&mut line));
        }
        let Some(first) = head.first() else { return };
        let target = first.split(' ').nth(1).unwrap().strip_prefix("/resources/").unwrap();
        let answer = match target.split_once('?') {
            Some((collection, query)) => {
                let from = query.split('&').find_map(|pair| pair.strip_prefix("from=")).unwrap_or_default();
                asked.lock().unwrap().push(format!("{collection} from {from}"));
                if !gate.pass() {
                    return;
                }
                page(collection, from.strip_prefix("at-").map_or(0, |at| at.parse().unwrap()))
            }
            None => {
                asked.lock().unwrap().push(target.to_owned());
                let (collection, id) = target.split_once('/').unwrap();
                record(collection, id.rsplit('-').next().unwrap().parse().unwrap())
            }
        };
        let body = answer.to_string();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let mut out = stream;
        if out.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn page(collection: &str, from: usize) -> Value {
    let (_, count) = COLLECTIONS.iter().find(|(name, _)| *name == collection).unwrap();
    let end = (from + PAGE).min(*count);
    let records: Vec<Value> = (from..end).map(|n| record(collection, n)).collect();
    let next = (end < *count).then(|| format!("at-{end}"));
    json!({"results": records, "next": next, "atEnd": next.is_none()})
}

fn record(collection: &str, n: usize) -> Value {
    let at =
        |seconds: usize| format!("2024-03-01T{:02}:{:02}:{:02}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut record = json!({
        "id": format!("{collection}-{n}"), "externalId": format!("ours-{n}"), "name": format!("N {n}"),
        "createdAt": at(n), "updatedAt": at(n + 5), "traits": {"n": n},
    });
    let more = match collection {
        "organizations" => json!({}),
        "accounts" => json!({"organizationId": format!("organizations-{}", n % 130)}),
        // Whoever has two accounts becomes two messages.
        "users" => {
            let account = |n: usize| format!("accounts-{}", n % 450);
            json!({"accounts": if n.is_multiple_of(10) { vec![account(n), account(n + 7)] } else { vec![account(n)] }})
        }
        _ => json!({"user": {"externalId": format!("ours-{n}")}, "score": 7, "respondedAt": at(n)}),
    };
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record
}

#[test]
fn what_another_server_has_goes_on_with_the_page_it_had_come_to() {
    const MESSAGES: u64 = 130 + 450 + 720 + 72 + 30;
    let (upstream, place) = (Upstream::start(), Place::new());
    let from = format!("http://{}", upstream.address);
    let fetch = ["--from-vitally", &from, "--json"];
    // Several parts may be on their way; what comes after them says that those before them are there.
    for (pages, read) in [(8, 690), (7, 700)] {
        let child = place.spawn(&fetch, None);
        upstream.gate.open(pages);
        place.kill_at(child, read);
        upstream.gate.shut();
    }
    upstream.gate.open(PAGES);
    let (first, outcome) = place.import(&fetch, None);
    let said: Value = serde_json::from_str(&outcome.succeeded()).unwrap();
    assert!(first.starts_with("import 1, going on after "), "{first}");
    assert_eq!(said["messages"].as_u64().unwrap() + said["resumed_at"].as_u64().unwrap(), MESSAGES, "{said}");
    let known = place.newest().unwrap();
    assert_eq!((&known["id"], &known["state"], &known["read"]), (&json!(1), &json!("complete"), &json!(MESSAGES)));
    assert_eq!((&known["stored"], &known["refused"]), (&json!(MESSAGES), &json!(0)), "{known}");
    assert_eq!(upstream.times("organizations from "), 1, "the first page is not asked for again");
    assert!(upstream.pages_asked() <= PAGES + 2 * 8, "{:?}", upstream.asked.lock().unwrap());

    let whole = Place::new();
    upstream.gate.open(PAGES);
    whole.import(&fetch, None).1.succeeded();
    for sql in [
        "select organization_id, name, traits, created_at from organizations order by organization_id",
        "select account_id, organization_id, name, traits, created_at from accounts order by account_id",
        "select user_id, name, traits, created_at from users order by user_id",
        "select user_id, account_id, organization_id from links order by user_id, account_id",
        "select count(*), count(distinct message_id) from messages",
    ] {
        assert_eq!(place.query(sql), whole.query(sql), "{sql}");
    }
}
