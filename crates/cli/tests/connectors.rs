//! Readers of Vitally's REST API, as they come from their package registry, read a Muster: only the host is another.
//!
//! Three families: Airbyte's own connector for Vitally, a Singer tap, and dlt's REST source. Each reads every record of a
//! workspace once, over many pages; the two that can go on from where they were read what changed, and no more. The versions
//! are pinned in `connectors/requirements.txt`.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

/// Installing what is pinned, once.
#[path = "senders/packages.rs"]
#[expect(dead_code, reason = "nothing of Node is needed here")]
mod packages;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::command::run;
use harness::files::of_tests;
use harness::home::Home;
use harness::http::Client;
use harness::server::{Launch, Server, TOKEN};
use serde_json::{Value, json};

const ORGANIZATIONS: usize = 230;
const ACCOUNTS: usize = 340;
const USERS: usize = 450;
const RESPONSES: usize = 215;
const INSTANCES: usize = 205;
const TEAM: [&str; 3] = ["ada@example.com", "bea@example.com", "cid@example.com"];
/// Records that change between two runs, of each kind.
const CHANGED: usize = 7;
/// One of so many accounts has churned, and is listed only when it is asked for.
const CHURNED_EVERY: usize = 9;

fn source(path: &str) -> PathBuf {
    of_tests("connectors").join(path)
}

/// External ids, each as often as it was read.
type Read = BTreeMap<String, Vec<String>>;

/// A server with several hundred records of each kind. Each was heard of at a second of its own, long ago.
struct Scene {
    home: Home,
    server: Server,
    python: PathBuf,
}

impl Scene {
    fn new() -> Scene {
        let python = packages::python("requirements.txt");
        let home = Home::new();
        let server = Launch::new(&home).restless(400).start();
        let scene = Scene { home, server, python };
        scene.import();
        let data_dir = scene.home.data_dir();
        for email in TEAM {
            run(scene.home.path(), &["team", "add", email, "--data-dir", data_dir.to_str().unwrap()]).succeeded();
        }
        scene
    }

    /// Imports records of every kind with the time of receipt that each has.
    fn import(&self) {
        let mut lines = Vec::new();
        let mut line = |mut message: Value| {
            let (minute, second) = (lines.len() / 60, lines.len() % 60);
            let received =
                format!("2024-01-{:02}T{:02}:{:02}:{second:02}Z", 1 + minute / 1_440, minute / 60 % 24, minute % 60);
            message["timestamp"] = json!("2024-01-01T00:00:00Z");
            message["messageId"] = json!(format!("m{}", lines.len()));
            lines.push(json!({"receivedAt": received, "message": message}).to_string());
        };
        for n in 0..ORGANIZATIONS {
            line(
                json!({"type": "organization", "organizationId": format!("o{n}"), "traits": {"name": format!("O {n}")}}),
            );
        }
        for n in 0..ACCOUNTS {
            let churned = if n % CHURNED_EVERY == 0 { json!("2024-01-05") } else { json!(null) };
            let traits = json!({"name": format!("A {n}"), "mrr": n, "churnedAt": churned, "nested": {"list": [1, "zwei", null]}});
            let organization = format!("o{}", n % ORGANIZATIONS);
            line(
                json!({"type": "account", "accountId": format!("a/{n}"), "organizationId": organization, "traits": traits}),
            );
        }
        for n in 0..USERS {
            let traits = json!({"name": format!("U {n}"), "email": format!("u{n}@example.com")});
            let account = format!("a/{}", n % ACCOUNTS);
            line(json!({"type": "user", "userId": format!("u {n}"), "accountId": account, "traits": traits}));
        }
        for n in 0..RESPONSES {
            let traits = json!({"score": n % 11, "respondedAt": "2024-02-01T00:00:00Z", "feedback": "größe 😀"});
            line(
                json!({"type": "npsresponse", "userId": format!("u {n}"), "externalId": format!("n{n}"), "traits": traits}),
            );
        }
        line(
            json!({"type": "customobject", "customObjectId": "ticket", "traits": {"name": "ticket", "label": "Ticket"}}),
        );
        for n in 0..INSTANCES {
            line(json!({
                "type": "customobjectinstance", "customObjectId": "ticket", "accountId": "a/1",
                "externalId": format!("t{n}"), "traits": {"n": n},
            }));
        }
        self.home.file("records.ndjson", lines.join("\n"));
        let url = format!("http://{}", self.server.address);
        run(self.home.path(), &["import", "records.ndjson", "--url", &url, "--token", TOKEN]).succeeded();
    }

    /// Where the instances of the custom object are listed.
    fn instances(&self) -> String {
        let objects = self.server.client().read("/resources/customObjects");
        format!("customObjects/{}/instances", objects["results"][0]["id"].as_str().expect("an id"))
    }

    fn host(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Everything of a kind, by the server's own word, newest last; and when each was last heard of.
    fn all(&self, list: &str) -> Vec<(String, String)> {
        let mut client = self.server.client();
        let (mut all, mut from) = (Vec::new(), String::new());
        loop {
            let page = client.read(&format!("/resources/{list}&sortBy=updatedAt&order=asc&from={from}"));
            let text = |record: &Value, name: &str| record[name].as_str().expect("a text").to_owned();
            let records = page["results"].as_array().expect("a list");
            all.extend(records.iter().map(|record| (text(record, "externalId"), text(record, "updatedAt"))));
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut from),
                None => return all,
            }
        }
    }

    /// Changes some records of each kind; which ones these are.
    fn change(&self, client: &mut Client) -> BTreeMap<&'static str, BTreeSet<String>> {
        let before = LISTS.map(|(kind, list)| (kind, self.all(list)));
        for n in 0..CHANGED {
            let of = |kind: &str, mut message: Value| {
                message["type"] = json!(kind);
                message["timestamp"] = json!("2024-06-01T00:00:00Z");
                message["traits"] = json!({"name": "new"});
                message
            };
            let account = format!("a/{}", n * 60 % ACCOUNTS);
            let messages = [
                of("organization", json!({"organizationId": format!("o{}", n * 30)})),
                of("account", json!({"accountId": format!("a/{}", n * 40 + 1)})),
                of("user", json!({"userId": format!("u {}", n * 60), "accountId": account})),
            ];
            client.batch(&messages).unwrap().expect_success();
        }
        let changed = before.map(|(kind, before)| {
            let before: BTreeSet<(String, String)> = before.into_iter().collect();
            let list = LISTS.iter().find(|(known, _)| *known == kind).expect("a list").1;
            let after = self.all(list).into_iter().filter(|record| !before.contains(record));
            (kind, after.map(|(id, _)| id).collect::<BTreeSet<String>>())
        });
        let changed = BTreeMap::from(changed);
        assert!(changed.values().all(|ids| (CHANGED..5 * CHANGED).contains(&ids.len())), "{changed:?}");
        changed
    }

    /// Runs a program of the packages; what it printed.
    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let program = self.python.parent().expect("a directory of programs").join(program);
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.home.path())
            .env("PYTHONUTF8", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        // Nothing is told to those who made the reader.
        command.env("DO_NOT_TRACK", "1").env("RUNTIME__DLTHUB_TELEMETRY", "false").env("HOME", self.home.path());
        let output = command.output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        said
    }
}

/// Lists of records that can change.
const LISTS: [(&str, &str); 3] =
    [("organizations", "organizations?"), ("accounts", "accounts?status=activeOrChurned"), ("users", "users?")];

/// The external ids of records that start with a letter and have numbers up to a count.
fn ids(beginning: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{beginning}{n}")).collect()
}

/// Every record was read, and once.
#[track_caller]
fn check(read: &Read, kind: &str, expected: impl IntoIterator<Item = String>) {
    let mut expected: Vec<String> = expected.into_iter().collect();
    let mut found = read.get(kind).cloned().unwrap_or_default();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "{kind}");
}

#[track_caller]
fn check_all(read: &Read) {
    check(read, "organizations", ids("o", ORGANIZATIONS));
    check(read, "accounts", ids("a/", ACCOUNTS));
    check(read, "users", ids("u ", USERS));
}

/// The ids of the records in a reader's lines, by their stream.
fn records(said: &str, id: &str) -> Read {
    let mut read = Read::new();
    for line in said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if line["type"] == "RECORD" {
            // Airbyte wraps a record once more.
            let (stream, record) = match line["record"]["data"].is_object() {
                true => (&line["record"]["stream"], &line["record"]["data"]),
                false => (&line["stream"], &line["record"]),
            };
            let name = record[id].as_str().or_else(|| record["email"].as_str()).expect("a text");
            read.entry(stream.as_str().expect("a stream").to_owned()).or_default().push(name.to_owned());
        }
    }
    read
}

/// The connector's own description of the API, from its package, with another host in it.
fn manifest(scene: &Scene, python: &Path) -> PathBuf {
    let packages = python.parent().and_then(Path::parent).expect("where packages lie").join("lib");
    let version = fs::read_dir(packages).expect("a directory").next().expect("a version").expect("an entry").path();
    let manifest =
        fs::read_to_string(version.join("site-packages/source_vitally/manifest.yaml")).expect("the manifest");
    let theirs = "https://rest.vitally.io";
    assert_eq!(manifest.matches(theirs).count(), 1, "one place names the host");
    scene.home.file("manifest.yaml", manifest.replace(theirs, &scene.host()))
}

fn airbyte(scene: &Scene) {
    let manifest = manifest(scene, &scene.python);
    let status = |status: &str| {
        scene.home.file("airbyte.json", json!({"api_key": TOKEN, "status": status}).to_string());
        let streams = ["accounts", "admins", "nps_responses", "organizations", "users"].map(|name| {
            let stream = json!({"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh"]});
            json!({"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"})
        });
        scene.home.file("catalog.json", json!({ "streams": streams }).to_string());
        let settings = ["--config", "airbyte.json", "--manifest-path", manifest.to_str().expect("a path in UTF-8")];
        let program = "source-declarative-manifest";
        assert!(scene.run(program, &[&["check"][..], &settings].concat()).contains(r#""status":"SUCCEEDED""#));
        records(&scene.run(program, &[&["read", "--catalog", "catalog.json"][..], &settings].concat()), "externalId")
    };
    let read = status("activeOrChurned");
    check_all(&read);
    check(&read, "nps_responses", ids("n", RESPONSES));
    check(&read, "admins", TEAM.map(str::to_owned));
    let active = (0..ACCOUNTS).filter(|n| n % CHURNED_EVERY > 0);
    check(&status("active"), "accounts", active.map(|n| format!("a/{n}")));
}

/// A tap's configuration: one key for all streams, `next` for the next page, and what is newer than the last run.
fn tap_settings(scene: &Scene) -> String {
    let stream = |name: &str, path: &str| json!({"name": name, "path": format!("/{path}"), "except_keys": ["traits"]});
    let mut accounts = stream("accounts", "accounts");
    accounts["params"] = json!({"status": "activeOrChurned"});
    let streams = [
        stream("organizations", "organizations"),
        accounts,
        stream("users", "users"),
        stream("nps_responses", "npsResponses"),
        stream("tickets", &scene.instances()),
    ];
    let settings = json!({
        "api_url": format!("{}/resources", scene.host()),
        "auth_method": "basic", "username": TOKEN, "password": "",
        "records_path": "$.results[*]", "primary_keys": ["id"],
        "pagination_request_style": "jsonpath_paginator",
        "next_page_token_path": "$.next", "pagination_next_page_param": "from",
        "replication_key": "updatedAt", "start_date": "1970-01-01T00:00:00Z",
        "source_search_field": "updatedAfter", "source_search_query": "${last_run_date}",
        "streams": streams,
    });
    settings.to_string()
}

fn singer(scene: &Scene) -> String {
    scene.home.file("tap.json", tap_settings(scene));
    let said = scene.run("tap-rest-api-msdk", &["--config", "tap.json"]);
    let read = records(&said, "externalId");
    check_all(&read);
    check(&read, "nps_responses", ids("n", RESPONSES));
    check(&read, "tickets", ids("t", INSTANCES));
    let mut backwards = said.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let state = backwards.find(|line| line["type"] == "STATE").expect("a tap says how far it has come");
    state["value"].to_string()
}

/// What a tap reads that goes on from a state: what changed, and what was heard of last in the run before.
#[track_caller]
fn singer_again(scene: &Scene, state: String, changed: &BTreeMap<&str, BTreeSet<String>>) {
    scene.home.file("state.json", state);
    let read =
        records(&scene.run("tap-rest-api-msdk", &["--config", "tap.json", "--state", "state.json"]), "externalId");
    for (kind, changed) in changed {
        let found = &read[*kind];
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "{kind}: each once");
        assert!(changed.iter().all(|id| found.contains(id)), "{kind}: {changed:?} in {found:?}");
        assert!(found.len() <= changed.len() + 2, "{kind}: {found:?}");
    }
}

/// Loads the workspace with dlt; what was read in this run, and the names that the database then has.
fn dlt(scene: &Scene) -> (Read, BTreeMap<String, BTreeMap<String, String>>) {
    let at = |name: &str| scene.home.path().join(name);
    let asked = json!({
        "host": scene.host(), "token": TOKEN,
        "database": at("warehouse.duckdb"), "pipelines": at("pipelines"), "answers": at("loaded.json"),
    });
    scene.home.file("load.json", asked.to_string());
    scene.run("python", &[source("load.py").to_str().expect("a path in UTF-8"), "load.json"]);
    let answers: Value = serde_json::from_slice(&fs::read(at("loaded.json")).expect("answers")).expect("JSON");
    let part = |name: &str| answers[name].clone();
    let loaded: BTreeMap<String, Vec<(String, String)>> = serde_json::from_value(part("loaded")).expect("rows");
    let loaded = loaded.into_iter().map(|(kind, rows)| (kind, rows.into_iter().collect())).collect();
    (serde_json::from_value(part("read")).expect("ids"), loaded)
}

#[track_caller]
fn dlt_again(scene: &Scene, changed: &BTreeMap<&str, BTreeSet<String>>) {
    let (read, loaded) = dlt(scene);
    for (kind, changed) in changed {
        let found = &read[*kind];
        assert!(changed.iter().all(|id| found.contains(id)), "{kind}: {changed:?} in {found:?}");
        // Newest first, it stops within the page on which it meets what it had.
        assert!(found.len() <= changed.len() + if *kind == "users" { 100 } else { 1 }, "{kind}: {found:?}");
    }
    let renamed = |kind: &str| loaded[kind].values().filter(|name| *name == "new").count();
    assert_eq!(["organizations", "accounts", "users"].map(renamed), [CHANGED; 3]);
}

#[test]
fn connectors_read_every_record_once_and_then_what_changed() {
    let scene = Scene::new();
    airbyte(&scene);
    let state = singer(&scene);
    let (read, loaded) = dlt(&scene);
    check_all(&read);
    assert_eq!(["organizations", "accounts", "users"].map(|kind| loaded[kind].len()), [ORGANIZATIONS, ACCOUNTS, USERS]);
    let changed = scene.change(&mut scene.server.client());
    singer_again(&scene, state, &changed);
    dlt_again(&scene, &changed);
}
