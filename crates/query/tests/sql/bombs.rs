//! Queries that would cost too much: each ends with an error that says so, within its bounds of time and memory.

use std::time::{Duration, Instant};

use muster_query::QueryError;

use super::ask::{texts, twin};

/// A statement, and the codes of errors that may come of it.
const BOMBS: [(&str, &[&str]); 25] = [
    ("with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n", &["query_too_slow"]),
    ("with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n", &["query_too_slow"]),
    (
        "with recursive n(i) as (select 1 union select i + 1 from n) select count(*) from n",
        &["query_too_slow", "query_too_large"],
    ),
    (
        "with recursive s(t) as (select 'x' union all select t || t from s) select length(t) from s order by t",
        &["query_too_large"],
    ),
    (
        "with recursive n(i) as (select 1 union all select i + 1 from n) select group_concat(i) from n",
        &["invalid_sql", "query_too_large", "query_too_slow"],
    ),
    (
        "with recursive n(i) as (select 1 union all select i + 1 from n) select json_group_array(i) from n",
        &["invalid_sql", "query_too_large", "query_too_slow"],
    ),
    (
        "with recursive n(i) as (select 1 union all select i + 1 from n) select i, randomblob(1000) from n order by 2",
        &["query_too_large", "query_too_slow"],
    ),
    (
        "with recursive n(i) as (select 1 union all select i + 1 from n) select i, count(*) from n group by randomblob(1000)",
        &["query_too_large", "query_too_slow"],
    ),
    (
        "with recursive n(i) as (select 1 union all select i + 1 from n limit 4000) select count(*) from n a, n b, n c",
        &["query_too_slow"],
    ),
    ("select zeroblob(1000000000)", &["query_too_large"]),
    ("select length(zeroblob(1000000000))", &["query_too_large"]),
    ("select randomblob(1000000000)", &["query_too_large"]),
    ("select hex(randomblob(4000000))", &["query_too_large"]),
    ("select printf('%.*c', 1000000000, 'x')", &["query_too_large"]),
    ("select format('%1000000000d', 1)", &["query_too_large"]),
    ("select replace(hex(zeroblob(1000000)), '0', hex(zeroblob(1000000)))", &["query_too_large"]),
    ("select count(*) from events a, events b, events c, events d, events e", &["query_too_slow"]),
    (
        "select count(*) from events a join events b join events c join events d where a.properties || b.properties || c.properties like '%' || d.event || 'x%'",
        &["query_too_slow"],
    ),
    (
        "with a as (select 1 x), b as (select * from a, a), c as (select * from b, b), d as (select * from c, c), e as (select * from d, d), f as (select * from e, e), g as (select * from f, f), h as (select * from g, g) select count(*) from h, h, h",
        &["invalid_sql", "query_too_large", "query_too_slow"],
    ),
    (
        "with a(x) as (values (1),(2),(3),(4),(5),(6),(7),(8)) select count(*) from a a, a b, a c, a d, a e, a f, a g, a h, a i, a j, a k, a l",
        &["query_too_slow"],
    ),
    (
        "select 'x' like '%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a'",
        &["invalid_sql"],
    ),
    (
        "select sum(length(replace(printf('%.*c', 1000000, 'a') || a.event, printf('%.*c', 500000, 'a') || 'b', ''))) from events a, events b",
        &["query_too_slow"],
    ),
    (
        "select sum(instr(printf('%.*c', 1000000, 'a') || a.event, printf('%.*c', 500000, 'a') || 'b')) from events a, events b",
        &["query_too_slow"],
    ),
    (
        "select sum(length(trim(printf('%.*c', 1000000, 'a') || a.event, printf('%.*c', 1000000, 'b') || 'a'))) from events a, events b",
        &["query_too_slow"],
    ),
    ("select json_extract(printf('%.*c', 1000000, '['), '$')", &["invalid_sql"]),
];

fn many_events() -> Vec<String> {
    (0..400)
        .map(|n| {
            format!(
                r#"{{"type":"track","event":"e{}","userId":"u{n}","messageId":"{n}","properties":{{"n":{n}}}}}"#,
                n % 7
            )
        })
        .collect()
}

#[tokio::test]
async fn each_ends_with_an_error_that_says_so() {
    let mut asked = twin(&many_events()).await;
    asked.limits.time_max = Duration::from_millis(150);
    asked.limits.memory_bytes_max = 32 << 20;
    for (sql, codes) in BOMBS {
        let started = Instant::now();
        let error = asked.error(sql);
        assert!(codes.contains(&error.code()), "{sql}: {error:?}");
        assert!(started.elapsed() < Duration::from_secs(30), "{sql} took {:?}", started.elapsed());
        if let QueryError::Sql { message, .. } = &error {
            assert!(!message.is_empty());
        }
    }
    // None of it is left: the next query has all of its budget.
    assert_eq!(asked.lines("select count(*) from events"), ["400"]);
}

#[tokio::test]
async fn long_and_deep_statements_are_refused_at_once() {
    let asked = twin(&[]).await;
    let codes = |sql: String| asked.error(&sql).code();
    assert_eq!(codes(format!("select '{}'", "x".repeat(1 << 20))), "sql_too_long");
    assert_eq!(codes(format!("select {}1{}", "(".repeat(10_000), ")".repeat(10_000))), "invalid_sql");
    assert_eq!(codes(format!("select {}1", "not ".repeat(10_000))), "invalid_sql");
    assert_eq!(codes(format!("select 1{}", " + 1".repeat(10_000))), "invalid_sql");
    assert_eq!(codes(format!("select 1{}", " union all select 1".repeat(1_000))), "invalid_sql");
    assert_eq!(codes(format!("select 1{}", ", 1".repeat(5_000))), "invalid_sql");
    assert_eq!(codes(format!("select max(1{})", ", 1".repeat(5_000))), "invalid_sql");
    assert_eq!(codes(format!("select {}1{}", "(select ".repeat(3_000), ")".repeat(3_000))), "invalid_sql");
    assert_eq!(codes(format!("select * from {}", vec!["events"; 70].join(","))), "invalid_sql");
    assert_eq!(codes("select ?99999".to_owned()), "invalid_sql");
}

/// A bound on memory is a bound for each query by itself.
#[tokio::test]
async fn memory_is_bounded_for_each_query() {
    let mut asked = twin(&many_events()).await;
    let sql = "select a.message_id, b.message_id, a.properties || b.properties p from events a, events b order by p limit 1 offset 150000";
    assert_eq!(asked.rows(sql).len(), 1);
    asked.limits.memory_bytes_max = 4 << 20;
    assert_eq!(asked.error(sql), QueryError::TooMuchMemory { bytes: 4 << 20 });
    asked.limits.memory_bytes_max = 256 << 20;
    assert_eq!(asked.rows(sql).len(), 1);
}

/// With a place for files a query sorts and groups more than fits in memory, up to a bound, and leaves nothing behind.
#[tokio::test]
async fn what_does_not_fit_in_memory_goes_to_files() {
    let home = tempfile::tempdir().unwrap();
    let mut asked = twin(&many_events()).await;
    let pairs = "from events a, events b";
    let statements = [
        format!(
            "select a.message_id, b.message_id, a.properties || b.properties as p {pairs} order by 3, 1, 2 limit 9 offset 150000"
        ),
        format!(
            "select a.message_id || b.event as k, count(*), count(distinct b.message_id) {pairs} group by 1 order by 1 limit 9 offset 700"
        ),
        format!("select count(*) from (select distinct printf('%060d', a.message_id) || '-' || b.message_id {pairs})"),
    ];
    let expected: Vec<Vec<String>> = statements.iter().map(|sql| asked.lines(sql)).collect();
    asked.limits.memory_bytes_max = 4 << 20;
    for sql in &statements {
        assert_eq!(asked.error(sql), QueryError::TooMuchMemory { bytes: 4 << 20 }, "{sql}");
    }
    let dir = home.path().join("temporary");
    asked.limits.spill = Some(muster_query::Spill { dir: dir.clone(), free_bytes_min: 0 });
    for (sql, expected) in statements.iter().zip(&expected) {
        assert_eq!(&asked.lines(sql), expected, "{sql}");
    }
    assert_eq!(std::fs::read_dir(&dir).expect("it was made").count(), 0);
    asked.limits.spill_bytes_max = 1 << 20;
    assert_eq!(asked.error(&statements[0]), QueryError::TooMuchSorted);
    // What cannot be a file is no error while nothing has to go there.
    std::fs::remove_dir(&dir).unwrap();
    std::fs::write(&dir, "in the way").unwrap();
    assert_eq!(asked.lines("select count(*) from events group by event order by 1 limit 1"), ["57"]);
    assert!(asked.answer(muster_query::Format::Json, &statements[0], muster_query::Params::None).is_err());
}

#[tokio::test]
async fn answers_end_at_their_bounds() {
    let mut asked = twin(&texts(&[])).await;
    asked.limits.rows_max = 10;
    let sql = "with recursive n(i) as (select 1 union all select i + 1 from n limit 11) select i from n";
    let (out, summary) = asked.answer(muster_query::Format::Json, sql, muster_query::Params::None).unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((summary.rows, summary.truncated), (10, true));
    assert_eq!((&answer["truncated"], &answer["rowCount"]), (&true.into(), &10.into()));
    for format in [muster_query::Format::Csv, muster_query::Format::Parquet] {
        let error = asked.answer(format, sql, muster_query::Params::None).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), "answer_too_large");
    }
    asked.limits.rows_max = 11;
    let (_, summary) = asked.answer(muster_query::Format::Csv, sql, muster_query::Params::None).unwrap();
    assert_eq!((summary.rows, summary.truncated), (11, false));
    asked.limits.answer_bytes_max = 100;
    let (_, summary) = asked
        .answer(muster_query::Format::Json, "select hex(zeroblob(200)) union all select 1", muster_query::Params::None)
        .unwrap();
    assert_eq!((summary.rows, summary.truncated), (1, true));
}
