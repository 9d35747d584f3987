//! Orders that a table hands out its rows in: SQLite sorts nothing then, and the answers are the same.

use std::time::Duration;

use muster_embedded::{Embedded, Options};
use muster_query::{Limits, Spill};
use muster_store::{Store, status::Status};

use super::ask::{Asked, START, twin};

/// Users of accounts with events over some weeks, of names of this many bytes.
fn events(users: usize, bytes: usize) -> Vec<String> {
    let event = |n: usize| {
        let (user, day) = (n % users, 1 + n * 7 % 27);
        let padding = "x".repeat(bytes);
        format!(
            r#"{{"type":"track","event":"e{}","userId":"{padding}{user}","accountId":"a{}","messageId":"{n}","timestamp":"2024-02-{day:02}T0{}:00:00Z"}}"#,
            n % 3,
            user % 5,
            n % 9,
        )
    };
    (0..users * 3).map(event).collect()
}

/// Questions, and whether tables put the rows into their order.
const QUESTIONS: [(&str, bool); 14] = [
    ("select event, count(*), count(distinct user_id) from events group by 1", true),
    ("select event, count(*) from events group by 1 order by 1 desc", true),
    ("select account_id, event, max(timestamp) from events where timestamp >= '2024-02-05' group by 1, 2", true),
    ("select week, count(distinct user_id) from events group by 1 order by 1", true),
    ("select day, account_id, count(*) from events group by 1, 2 order by 1 desc, 2 desc", true),
    ("select distinct account_id, day from events", true),
    ("select day, sum(events), sum(users) from daily group by 1 order by 1", true),
    ("select event, sum(events), max(users) from daily group by 1", true),
    ("select account_id, day, event, events, users from daily order by account_id desc, day", true),
    ("select * from daily where day = '2024-02-08' and event = 'e1' order by account_id", true),
    // What is not in memory as numbers, or is of few.
    ("select event, count(distinct message_id) from events group by 1", false),
    ("select event, count(*) from events where user_id = '1' group by 1", false),
    ("select strftime('%Y-%W', timestamp), count(*) from events group by 1", false),
    ("select timestamp, event from events order by timestamp, event", false),
];

/// Whether SQLite sorts rows of a table. The groups of a `GROUP BY` may be sorted once more; they are few.
fn sorts<S: Store>(asked: &Asked<S>, sql: &str) -> bool {
    let plan = asked.lines(&format!("explain query plan {sql}"));
    let whys = if sql.contains("group by") { &["GROUP BY"][..] } else { &["ORDER BY", "DISTINCT"] };
    whys.iter().any(|why| plan.iter().any(|line| line.contains(&format!("B-TREE FOR {why}"))))
}

/// The rows of an answer, in some order.
fn rows<S: Store>(asked: &Asked<S>, sql: &str) -> Vec<String> {
    let mut rows = asked.lines(sql);
    rows.sort_unstable();
    rows
}

/// Little memory, and a place for what SQLite sorts in files.
fn narrow(place: &tempfile::TempDir) -> Limits {
    let spill = Some(Spill { dir: place.path().to_owned(), free_bytes_min: 0 });
    Limits { spill, memory_bytes_max: 600 << 10, time_max: Duration::from_secs(60), ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_in_the_order_that_a_query_groups_them_by() {
    let asked = twin(&events(60, 0)).await;
    for (sql, by_table) in QUESTIONS {
        assert_eq!(sorts(&asked, sql), !by_table, "{sql}");
        assert!(!rows(&asked, sql).is_empty(), "{sql}");
    }
    assert_eq!(asked.lines(QUESTIONS[0].0), ["e0|60|20", "e1|60|20", "e2|60|20"]);
    assert_eq!(asked.lines(QUESTIONS[1].0), ["e2|60", "e1|60", "e0|60"]);
    let mondays = ["2024-01-29", "2024-02-05", "2024-02-12", "2024-02-19", "2024-02-26"];
    assert_eq!(asked.lines("select week from events group by 1 order by 1"), mondays);
    let other = "select date(timestamp, '-6 days', 'weekday 1') as monday, count(*) from events group by 1 order by 1";
    assert_eq!(asked.lines("select week, count(*) from events group by 1 order by 1"), asked.lines(other));
}

/// What is known to be too much when a statement is compiled is left to SQLite from the beginning.
#[tokio::test(flavor = "multi_thread")]
async fn many_events_are_left_to_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, _) = Embedded::open(Options::new(dir.path()), START).unwrap();
    let mut asked = Asked::over(engine, &events(13_000, 0)).await;
    assert!(QUESTIONS.iter().all(|(sql, by_table)| sorts(&asked, sql) != *by_table));
    let place = tempfile::tempdir().unwrap();
    asked.limits = narrow(&place);
    // 39 000 events of 16 bytes each; of 8 they would fit.
    let by_table = QUESTIONS.map(|(sql, _)| !sorts(&asked, sql));
    assert!(by_table[0] && !by_table[2] && by_table[3] && !by_table[6] && !by_table[8], "{by_table:?}");
    asked.store.close().await.unwrap();
}

/// Where the names turn out to be too many, the query begins anew and nobody sees it.
#[tokio::test]
async fn what_does_not_fit_is_left_to_sqlite() {
    let mut asked = twin(&events(2_000, 300)).await;
    let expected: Vec<Vec<String>> = QUESTIONS.iter().map(|(sql, _)| rows(&asked, sql)).collect();
    let place = tempfile::tempdir().unwrap();
    // The records fit, the names of users do not.
    asked.limits = narrow(&place);
    assert!(!sorts(&asked, QUESTIONS[0].0), "it looks as if they fitted");
    for ((sql, _), expected) in QUESTIONS.iter().zip(expected) {
        assert_eq!(rows(&asked, sql), expected, "{sql}");
    }
}
