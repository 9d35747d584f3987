//! The client libraries that everybody has, unmodified, against the real program.
//!
//! Libraries of the Segment and RudderStack families, from Node, Python and a real browser, send through a proxy that
//! answers `503`, `429`, nothing at all, or cuts the connection after the server has stored what was sent. Everything
//! they send must be in the store, once, with the right meaning. The versions are pinned in `senders/node` and
//! `senders/python`; installed packages are kept outside the clone.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

/// Installing what is pinned, once.
#[path = "senders/packages.rs"]
mod packages;

/// A proxy that does to requests what networks do.
#[path = "senders/proxy.rs"]
mod proxy;

/// A real browser on a page of another origin.
#[path = "senders/browser.rs"]
mod browser;

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use harness::files::of_tests;
use harness::home::Home;
use harness::http::Client;
use harness::server::{Launch, Server, TOKEN};
use proxy::{Fault, Proxy};
use serde_json::{Value, json};

/// How long a library may take to send everything, waiting as it does between attempts.
const PATIENCE: Duration = Duration::from_secs(120);

/// What happens to the first requests; the others go through.
const FAULTS: [Fault; 5] =
    [Fault::Unavailable, Fault::Pass, Fault::CutAfterStoring, Fault::SilentAfterStoring, Fault::TooMany];

/// The same for a library that gives up when no answer comes in its time.
const FAULTS_HEARD: [Fault; 4] = [Fault::Unavailable, Fault::Pass, Fault::CutAfterStoring, Fault::TooMany];

fn source(path: &str) -> PathBuf {
    of_tests("senders").join(path)
}

/// One server behind a proxy.
struct Scene {
    home: Home,
    server: Server,
    proxy: Proxy,
}

impl Scene {
    fn new(faults: &[Fault]) -> Scene {
        let home = Home::new();
        let server = Launch::new(&home).restless(40).start();
        let proxy = Proxy::start(server.address, faults);
        Scene { home, server, proxy }
    }

    /// Runs a library's program to its end.
    #[track_caller]
    fn send(&self, mut command: Command) {
        let said = self.home.path().join("library.log");
        let file = std::fs::File::create(&said).expect("a log file");
        command.stdout(file.try_clone().expect("a second handle")).stderr(file);
        let mut child = command.spawn().expect("the program starts");
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                break Some(status);
            }
            if Instant::now() > until {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            thread::sleep(Duration::from_millis(20));
        };
        let said = std::fs::read_to_string(said).unwrap_or_default();
        assert!(status.is_some_and(|status| status.success()), "{status:?} after {:?}:\n{said}", self.proxy.seen());
    }

    /// The rows of a query in JSON.
    #[track_caller]
    fn rows(&self, sql: &str) -> Value {
        rows(&mut self.server.client(), sql)
    }

    /// Everything that `calls.json` holds is there, once, with its meaning.
    #[track_caller]
    fn check_calls(&self, faults: &[Fault]) {
        let met = self.proxy.seen();
        assert!(faults.iter().all(|fault| met.contains(fault)), "the library met every fault: {met:?}");
        let kinds = self.rows("select kind, count(*), count(distinct message_id) from messages group by 1 order by 1");
        assert_eq!(kinds, json!([["account", 1, 1], ["track", 43, 43], ["user", 3, 3]]), "{met:?}");
        let mut client = self.server.client();
        assert_eq!(client.read("/resources/refused")["results"], json!([]));
        let user = client.read("/resources/users/ada");
        assert_eq!((&user["email"], &user["name"]), (&json!("ada@example.com"), &json!("Ada Löw")));
        assert_eq!((&user["traits"]["größe"], &user["traits"]["plan"]), (&json!("ß"), &json!("free")));
        assert_eq!(user["accounts"][0]["externalId"], "acme");
        let account = client.read("/resources/accounts/acme");
        assert_eq!((&account["name"], &account["traits"]["seats"]), (&json!("Acme"), &json!(12)));
        let organizations = client.read("/resources/organizations");
        assert_eq!(organizations["results"][0]["externalId"], "holding");
        let events = "select event, count(*), count(distinct properties ->> 'n') from events group by 1 order by 1";
        let expected = json!([
            ["Order Completed", 40, 40],
            ["Signed Up Later", 1, 0],
            ["Viewed Home Page", 1, 0],
            ["Viewed Welcome Screen", 1, 0]
        ]);
        assert_eq!(self.rows(events), expected);
        let one = "select properties ->> 'emoji', properties -> 'nested' from events where properties ->> 'n' = 7";
        assert_eq!(self.rows(one), json!([["😀", r#"{"list":[1,"two",null]}"#]]));
        let said =
            "select properties ->> 'category', properties ->> 'name' from events where event like 'Viewed%' order by 1";
        assert_eq!(self.rows(said), json!([["Docs", "Home"], ["Phone", "Welcome"]]));
        // One of them came before the library knew who it was.
        let whose = "select distinct user_id, account_id from events";
        assert_eq!(self.rows(whose), json!([["ada", "acme"]]));
        assert_eq!(client.read("/resources/users/ada/events?limit=100")["results"].as_array().map(Vec::len), Some(43));
        let off = "select count(*) from events where abs(julianday(timestamp) - julianday(received_at)) > 1.0 / 24";
        assert_eq!(self.rows(off), json!([[0]]), "clocks agree here");
    }
}

#[track_caller]
fn rows(client: &mut Client, sql: &str) -> Value {
    client.post_json("/query", &json!({ "sql": sql })).expect("the server answers").expect(200).json()["rows"].clone()
}

#[track_caller]
fn node(program: &str, packing: &str, faults: &[Fault]) {
    let modules = packages::node();
    let scene = Scene::new(faults);
    let mut command = Command::new("node");
    command.arg(source(program)).arg(scene.proxy.url()).arg(TOKEN).arg(source("calls.json")).arg(packing);
    command.env("NODE_PATH", modules);
    scene.send(command);
    scene.check_calls(faults);
}

#[track_caller]
fn python(library: &str, packing: &str) {
    let interpreter = packages::python("python/requirements.txt");
    let scene = Scene::new(&FAULTS);
    let mut command = Command::new(interpreter);
    command.arg(source("python/send.py")).arg(library).arg(scene.proxy.url()).arg(TOKEN);
    command.arg(source("calls.json")).arg(packing).env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    scene.send(command);
    scene.check_calls(&FAULTS);
}

/// They wait more than they work, so they run side by side.
#[test]
fn libraries_for_node() {
    thread::scope(|scope| {
        scope.spawn(|| node("node/segment.cjs", "plain", &FAULTS));
        scope.spawn(|| node("node/rudder.cjs", "plain", &FAULTS_HEARD));
        scope.spawn(|| node("node/rudder.cjs", "gzip", &FAULTS_HEARD));
    });
}

#[test]
fn libraries_for_python() {
    thread::scope(|scope| {
        scope.spawn(|| python("segment.analytics", "plain"));
        scope.spawn(|| python("segment.analytics", "gzip"));
        scope.spawn(|| python("rudderstack.analytics", "gzip"));
    });
}

/// The first thing that a page sends is stored, and sent again when the user is known.
const PAGE_FAULTS: [Fault; 2] = [Fault::CutAfterStoring, Fault::Unavailable];

/// What both pages send: messages of each kind, and the events with their number.
#[track_caller]
fn check_page(page: &str, faults: &[Fault], users: u64, from: &str) {
    let scene = Scene::new(faults);
    let expected = json!([["account", 1], ["track", 7], ["user", users]]);
    let by_kind = "select kind, count(*) from messages group by 1 order by 1";
    let mut client = scene.server.client();
    browser::visit(page, &scene.proxy, &scene.home, || rows(&mut client, by_kind) == expected);
    let met = scene.proxy.seen();
    assert_eq!(scene.rows(by_kind), expected, "{met:?}");
    assert!(faults.iter().all(|fault| met.contains(fault)), "the page met every fault: {met:?}");
    assert!(scene.proxy.preflights() > 0, "the browser asked before it sent");
    let events = "select event, count(*), count(distinct properties ->> 'n') from events group by 1 order by 1";
    let expected = json!([["Order Completed", 5, 5], ["Viewed Home Page", 1, 0], ["Visited Before", 1, 1]]);
    assert_eq!(scene.rows(events), expected);
    let mut client = scene.server.client();
    assert_eq!(client.read("/resources/refused")["results"], json!([]));
    let user = client.read("/resources/users/ada");
    assert_eq!((&user["email"], &user["accounts"][0]["externalId"]), (&json!("ada@example.com"), &json!("acme")));
    assert_eq!(client.read("/resources/accounts/acme")["name"], "Acme");
    let anonymous =
        "select count(*), count(distinct message ->> 'anonymousId') from messages where event = 'Visited Before'";
    assert_eq!(scene.rows(anonymous), json!([[1, 1]]));
    // It belongs to whom the page turned out to be for, and so does everything else.
    assert_eq!(scene.rows("select distinct user_id, account_id from events"), json!([["ada", "acme"]]));
    assert_eq!(scene.rows("select count(*) from events where user_id = 'ada'"), json!([[7]]));
    let orders = "select distinct user_id from messages where event = 'Order Completed'";
    assert_eq!(scene.rows(orders), json!([["ada"]]));
    let origin = format!("select count(*) from messages where message ->> '$.context.page.url' like '{from}%'");
    assert_ne!(scene.rows(&origin), json!([[0]]));
}

#[test]
fn libraries_in_a_browser() {
    thread::scope(|scope| {
        scope.spawn(|| check_page("browser/segment.js", &PAGE_FAULTS, 3, "http://127.0.0.1:"));
        scope.spawn(|| check_page("browser/rudder.js", &PAGE_FAULTS, 2, "http://127.0.0.1:"));
    });
}
