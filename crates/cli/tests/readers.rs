//! Others read the history as it lies: DuckDB and PyArrow, from their package registry, count what `POST /query` counts,
//! in a data directory, an export and a cluster's bucket.
//!
//! The versions are pinned in `readers/requirements.txt`. The statements and the program that `docs/sql.md` shows under
//! "Heavy analysis" are run as they stand there, with the path of the test's own directory.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

/// Installing what is pinned, once.
#[path = "senders/packages.rs"]
#[expect(dead_code, reason = "nothing of Node is needed here")]
mod packages;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::cluster;
use harness::command::run;
use harness::files::{all_files, of_tests};
use harness::home::Home;
use harness::http::Client;
use harness::server::Launch;
use serde_json::{Value, json};

const DAY_MILLIS: i64 = 86_400_000;
/// 2024-01-01T00:00:00Z.
const FIRST_MILLIS: i64 = 1_704_067_200_000;
const EVENTS: [&str; 3] = ["report created", "log in", "größe \"ß\" 😀"];

fn source(path: &str) -> PathBuf {
    of_tests("readers").join(path)
}

/// What lies in `docs/sql.md` between fences of a language, under the heading of this section.
fn of_the_page(language: &str) -> Vec<String> {
    let page = fs::read_to_string(of_tests("../../../docs/sql.md")).expect("the page");
    let section = page.split_once("## Heavy analysis").expect("the page has the section").1;
    let section = section.split("\n## ").next().expect("a first part");
    let fence = format!("```{language}\n");
    section.split(&fence).skip(1).map(|part| part.split("```").next().expect("a first part").to_owned()).collect()
}

/// Messages over three months: names in several scripts, numeric ids, no user, no id, no properties, and every kind.
fn story(round: i64) -> Vec<Value> {
    let mut messages = Vec::new();
    for at in 0..300 {
        let number = round * 300 + at;
        let millis = FIRST_MILLIS + (number * 7 % 90) * DAY_MILLIS + number;
        let mut track = json!({
            "type": "track",
            "event": EVENTS[number as usize % EVENTS.len()],
            "messageId": format!("t{number}"),
            "timestamp": jiff::Timestamp::from_millisecond(millis).unwrap().to_string(),
        });
        match number % 5 {
            0 => track["userId"] = json!(number % 17),
            1 => track["accountId"] = json!(format!("a{}", number % 7)),
            _ => track["userId"] = json!(format!("Ünï {}", number % 23)),
        }
        if number % 4 != 0 {
            track["properties"] = json!({"n": number, "text": "it's, \"quoted\"\n"});
        }
        messages.push(track);
        let on = json!("2024-02-29T23:59:59.999Z");
        let user = format!("Ünï {}", number % 23);
        let account = format!("a{}", number % 7);
        let mut other = match number % 10 {
            0 => json!({"type": "user", "userId": user, "accountId": account, "traits": {"plan": number}}),
            3 => json!({"type": "account", "accountId": account, "organizationId": "o", "traits": {"seats": number}}),
            6 => json!({"type": "unlink", "userId": user, "accountId": account}),
            9 => json!({"type": "organization", "organizationId": "o", "traits": {"round": round}}),
            _ => continue,
        };
        other["messageId"] = json!(format!("m{number}"));
        other["timestamp"] = on;
        messages.push(other);
    }
    // Without an id.
    messages.push(json!({"type": "track", "event": "log in", "userId": 4, "timestamp": "2024-03-31T00:00:00.001Z", "properties": {"n": round}}));
    messages
}

#[track_caller]
fn rows(client: &mut Client, sql: &str) -> Value {
    client.post_json("/query", &json!({ "sql": sql })).expect("the server answers").expect(200).json()["rows"].clone()
}

/// The same questions, to Muster and to DuckDB.
const QUESTIONS: [(&str, &str); 4] = [
    (
        "select kind, count(*), count(distinct message_id), count(distinct user_id), count(distinct account_id), \
         count(distinct organization_id) from messages group by 1 order by 1",
        "select kind, count(*), count(distinct message_id), count(distinct user_id), count(distinct account_id), \
         count(distinct organization_id) from messages group by 1 order by 1",
    ),
    (
        "select substr(timestamp, 1, 7), event, count(*), count(distinct user_id), sum(properties ->> 'n') \
         from messages where kind = 'track' group by 1, 2 order by 1, 2",
        "select strftime(make_timestamp(epoch_us(timestamp)), '%Y-%m'), event, count(*), count(distinct user_id), \
         sum((properties ->> '$.n')::bigint)::bigint from messages where kind = 'track' group by 1, 2 order by 1, 2",
    ),
    (
        "select user_id, event, count(*) from messages where user_id in ('4', 'Ünï 4') and kind = 'track' group by 1, 2 order by 1, 2",
        "select user_id, event, count(*) from messages where user_id in ('4', 'Ünï 4') and kind = 'track' group by 1, 2 order by 1, 2",
    ),
    (
        "select account_id, max(traits ->> 'seats') from messages where kind = 'account' group by 1 order by 1",
        "select account_id, max((traits ->> '$.seats')::bigint) from messages where kind = 'account' group by 1 order by 1",
    ),
];

/// What PyArrow is asked, in Muster's SQL.
const OF_PYARROW: &str = "select kind, count(*), count(distinct message_id), count(distinct user_id), \
     min(round((julianday(timestamp) - 2440587.5) * 86400000)), max(round((julianday(timestamp) - 2440587.5) * 86400000)), \
     coalesce(sum(properties ->> 'n'), 0) from messages group by 1 order by 1";

/// What the statements on the page ask, in Muster's SQL.
const OF_THE_PAGE: [&str; 2] = [
    "select event, count(*), count(distinct user_id) from messages where kind = 'track' group by 1 order by 2 desc, 1",
    "select date(timestamp, 'weekday 0', '-6 days'), count(distinct user_id) from messages where kind = 'track' and timestamp >= '2024-01-01' \
     group by 1 order by 1",
];

const PROGRAM_ON_THE_PAGE: &str =
    "select event, count(distinct user_id), count(*) from messages where kind = 'track' group by 1 order by 1";

/// What Muster answers to all of them.
#[derive(Default)]
struct Answers {
    duckdb: Vec<Value>,
    pyarrow: Value,
    page: Value,
}

impl Answers {
    #[track_caller]
    fn of(client: &mut Client) -> Answers {
        let asked = QUESTIONS.iter().map(|(ours, _)| *ours).chain(OF_THE_PAGE);
        let duckdb = asked.map(|sql| rows(client, sql)).collect();
        Answers { duckdb, pyarrow: rows(client, OF_PYARROW), page: rows(client, PROGRAM_ON_THE_PAGE) }
    }

    /// Compares them with what others find in the files of a directory.
    #[track_caller]
    fn check(&self, home: &Home, files: &Path, python: &Path) {
        let path = files.to_str().expect("a path in UTF-8");
        let here = |text: &str| text.replace("muster-data/history/workspace=default", path);
        let page = of_the_page("sql");
        let (view, questions) = page.split_first().expect("the page makes a view first");
        assert_eq!(questions.len(), OF_THE_PAGE.len(), "the page asks what is compared here");
        let theirs = QUESTIONS.iter().map(|(_, theirs)| (*theirs).to_owned());
        let statements: Vec<Value> =
            theirs.chain(questions.iter().cloned()).map(|sql| json!([here(view), here(&sql)])).collect();
        let programs = of_the_page("python");
        let [program] = &programs[..] else { panic!("the page has one program: {programs:?}") };
        let answers = home.path().join("answers.json");
        let asked = json!({
            "statements": statements,
            "workspace": files,
            "program": here(program),
            "answers": answers,
        });
        let asked = home.file("asked.json", asked.to_string());
        let mut command = Command::new(python);
        command.arg(source("read.py")).arg(asked).env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        // Days are days of UTC, wherever the reader sits.
        let output = command.env("TZ", "Asia/Kathmandu").output().expect("Python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&fs::read(answers).expect("answers")).expect("JSON");
        for (at, ours) in self.duckdb.iter().enumerate() {
            assert_eq!(alike(&found["duckdb"][at]), alike(ours), "DuckDB, {}", statements[at][1]);
        }
        assert_eq!(alike(&found["pyarrow"]), alike(&self.pyarrow), "PyArrow");
        assert_eq!(alike(&found["page"]), alike(&self.page), "the program on the page");
    }
}

/// Numbers by their value: SQLite's sum of texts and `round` are real numbers.
fn alike(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(alike).collect(),
        Value::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    }
}

#[test]
fn duckdb_and_pyarrow_count_what_queries_count() {
    let python = packages::python("requirements.txt");
    let home = Home::new();
    let launch = Launch::new(&home).restless(60);
    let mut answers = Answers::default();
    for round in 0..3 {
        let server = launch.start();
        let mut client = server.client();
        let story = story(round);
        for batch in story.chunks(50) {
            client.batch(batch).unwrap().expect_success();
        }
        // What is sent again is not counted again, whatever file it lies in.
        client.batch(&story[..100]).unwrap().expect_success();
        answers = Answers::of(&mut client);
        assert!(answers.pyarrow.as_array().is_some_and(|kinds| kinds.len() == 5), "{}", answers.pyarrow);
        server.stop();
        answers.check(&home, &home.data_dir().join("history/workspace=default"), &python);
        let data_dir = home.data_dir();
        let at = ["--data-dir", data_dir.to_str().expect("a path in UTF-8")];
        let export = ["export", "--out", "exported/", "--format", "parquet", "--replace"];
        run(home.path(), &[&export[..], &at].concat()).succeeded();
        answers.check(&home, &home.path().join("exported"), &python);
    }
    let files = all_files(&home.data_dir().join("history"));
    let lies_in = |month: &str| files.iter().any(|file| file.to_string_lossy().contains(month));
    assert!(lies_in("month=2024-01") && lies_in("month=2024-03"), "some of it was merged into months: {files:?}");
    run(home.path(), &["doctor", "--data-dir", home.data_dir().to_str().unwrap()]).succeeded();
    // And in the bucket of a cluster.
    let directory = home.path().join("cluster");
    fs::create_dir(&directory).expect("a fresh directory");
    cluster::wanted_in(&directory);
    run(&directory, &["move", "--from", home.data_dir().to_str().unwrap()]).succeeded();
    let bucket = cluster::bucket_of(&directory).expect("the command is on a cluster");
    answers.check(&home, &bucket.join("workspace=default"), &python);
}
