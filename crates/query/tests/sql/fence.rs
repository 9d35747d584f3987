//! What no query may do: change anything, reach a file, the network, SQLite's own tables or another workspace.

use std::collections::BTreeSet;

use muster_query::{DENIED_FUNCTIONS, Format, Params, QueryError, allowed_functions};

use super::ask::{texts, twin};

fn messages() -> Vec<String> {
    texts(&[
        r#"{"type":"user","userId":"u","accountId":"a","messageId":"1","traits":{"name":"mine"}}"#,
        r#"{"type":"track","event":"mine","userId":"u","messageId":"2"}"#,
    ])
}

/// Statements that are refused.
const REFUSED: [&str; 52] = [
    "attach 'x.db' as x",
    "attach ':memory:' as x",
    "detach main",
    "pragma table_list",
    "pragma temp_store = file",
    "pragma writable_schema = on",
    "select * from pragma_table_list",
    "select * from pragma_database_list()",
    "select name from sqlite_schema",
    "select name from sqlite_master",
    "select name from sqlite_temp_master",
    "select * from dbstat",
    "select * from sqlite_stmt",
    "select count(*) from sqlite_schema",
    "create table t(x)",
    "create temp table t(x)",
    "create temp view v as select 1",
    "create view v as select 1",
    "create virtual table t using fts5(x)",
    "create virtual table t using csv(filename='/etc/passwd')",
    "create temp trigger t after insert on users begin select 1; end",
    "create index i on users(name)",
    "insert into users(user_id) values ('x')",
    "update users set name = 'x'",
    "delete from users",
    "drop view daily",
    "drop table users",
    "alter table users rename to x",
    "vacuum into '/tmp/muster-stolen.db'",
    "vacuum",
    "reindex",
    "analyze",
    "begin",
    "commit",
    "savepoint s",
    "select load_extension('x')",
    "select readfile('/etc/passwd')",
    "select writefile('/tmp/x', 'y')",
    "select edit('x')",
    "select fts3_tokenizer('simple')",
    "select sqlite_compileoption_get(1)",
    "select sqlite_log(1, 'x')",
    "select sqlite_offset(name) from users",
    "select unhex('00', 'x')",
    "with x as (select * from sqlite_schema) select * from x",
    "select (select sql from sqlite_schema)",
    "select 1; select 2",
    "select 1; drop table users",
    "",
    "-- nothing",
    ";",
    "explain query plan select * from sqlite_schema",
];

#[tokio::test]
async fn nothing_but_reading_the_tables() {
    let asked = twin(&messages()).await;
    for sql in REFUSED {
        let error = asked.error(sql);
        assert!(matches!(error, QueryError::NotAllowed { .. } | QueryError::Sql { .. }), "{sql}: {error:?}");
        assert_eq!(asked.lines("select count(*) from users"), ["1"]);
    }
    assert!(!std::path::Path::new("/tmp/muster-stolen.db").exists());
    for (sql, code) in [
        ("attach 'x.db' as x", "not_allowed"),
        ("pragma table_list", "not_allowed"),
        ("select load_extension('x')", "not_allowed"),
        ("select * from sqlite_schema", "not_allowed"),
        ("delete from users", "not_allowed"),
        ("selec 1", "invalid_sql"),
    ] {
        assert_eq!(asked.error(sql).code(), code, "{sql}: {:?}", asked.error(sql));
    }
}

/// A plan may be looked at: it names our tables and nothing else.
#[tokio::test]
async fn a_plan_may_be_looked_at() {
    let asked = twin(&messages()).await;
    assert!(!asked.rows("explain query plan select * from users where user_id = 'u'").is_empty());
}

#[tokio::test]
async fn no_query_reaches_another_workspace() {
    let mut asked = twin(&messages()).await;
    asked.enter("other").await;
    for table in ["organizations", "accounts", "users", "links", "events", "messages", "traits", "daily"] {
        assert_eq!(asked.lines(&format!("select count(*) from {table}")), ["0"], "{table}");
    }
    for sql in ["select * from users where user_id = 'u'", "select * from events where account_id = 'a'"] {
        assert_eq!(asked.rows(sql), [serde_json::Value::Null; 0], "{sql}");
    }
    // A name before the table's means nothing: there is one set of tables, the caller's.
    for sql in
        ["select user_id from \"default\".users", "select user_id from other.users", "select user_id from main.users"]
    {
        let rows = asked.answer(Format::Json, sql, Params::None).map(|(_, summary)| summary.rows);
        assert!(matches!(rows, Ok(0) | Err(QueryError::Sql { .. })), "{sql}: {rows:?}");
    }
}

/// An error says where it is.
#[tokio::test]
async fn errors_have_a_place() {
    let asked = twin(&[]).await;
    let place = |sql: &str| match asked.error(sql) {
        QueryError::Sql { message, position } => (message, position),
        other => panic!("{sql}: {other:?}"),
    };
    assert_eq!(place("select nonsense from users"), ("no such column: nonsense".to_owned(), Some(7)));
    assert_eq!(place("select 1 from userz").0, "no such table: userz");
    assert_eq!(place("select , 1").1, Some(7));
    assert_eq!(
        place("select \"misspelt\" from users").0,
        "no such column: \"misspelt\" - should this be a string literal in single-quotes?"
    );
    let (message, position) = place("select nosuch(1)");
    assert!(message.contains("no such function: nosuch") && position == Some(7), "{message} {position:?}");
}

/// Every function of the SQLite that is built in has been looked at.
#[test]
fn functions_are_allowed_or_denied_by_name() {
    muster_query::install_allocator();
    let plain = rusqlite::Connection::open_in_memory().unwrap();
    let mut statement = plain.prepare("select distinct name from pragma_function_list").unwrap();
    let all: BTreeSet<String> =
        statement.query_map([], |row| row.get::<_, String>(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let denied: BTreeSet<&str> = DENIED_FUNCTIONS.split_ascii_whitespace().collect();
    let allowed: BTreeSet<&str> = allowed_functions().collect();
    assert!(allowed.is_disjoint(&denied));
    let unknown: Vec<&String> =
        all.iter().filter(|name| !allowed.contains(name.as_str()) && !denied.contains(name.as_str())).collect();
    assert_eq!(unknown, [""; 0], "allow or deny these");
}

/// Functions given in a form of ours answer what the built-in ones do.
#[tokio::test]
async fn functions_in_place_of_built_in_ones_answer_the_same() {
    assert!(muster_query::install_allocator(), "nothing of SQLite was used before");
    let asked = twin(&[]).await;
    let plain = rusqlite::Connection::open_in_memory().unwrap();
    let texts = [
        "''",
        "'a'",
        "'aXbXc'",
        "'  a b  '",
        "'äöüß'",
        "x'4142'",
        "x'c3a4'",
        "12",
        "-1.5",
        "2.0",
        "null",
        "'XX'",
        "'X'",
    ];
    for one in texts {
        for other in texts {
            for sql in [
                format!("select instr({one}, {other})"),
                format!("select replace({one}, {other}, 'ö')"),
                format!("select replace('aXbX', {one}, {other})"),
                format!("select trim({one}, {other}), ltrim({one}, {other}), rtrim({one}, {other})"),
                format!("select trim({one}), ltrim({one}), rtrim({one}), typeof(trim({one}))"),
            ] {
                let mut statement = plain.prepare(&sql).unwrap();
                let columns = statement.column_count();
                let expected: Vec<rusqlite::types::Value> =
                    statement.query_row([], |row| (0..columns).map(|at| row.get(at)).collect()).unwrap();
                let shown: Vec<String> = expected
                    .iter()
                    .map(|value| match value {
                        rusqlite::types::Value::Null => "null".to_owned(),
                        rusqlite::types::Value::Integer(integer) => integer.to_string(),
                        rusqlite::types::Value::Text(text) => text.clone(),
                        other => panic!("{sql}: {other:?}"),
                    })
                    .collect();
                assert_eq!(asked.lines(&sql), [shown.join("|")], "{sql}");
            }
        }
    }
}

/// What was asked for by whoever went away is not gone on with.
#[tokio::test]
async fn a_cancelled_query_ends() {
    let asked = twin(&messages()).await;
    let stop = muster_query::Stop::after(std::time::Duration::from_secs(60));
    stop.cancel();
    let error = asked.answer_until(Format::Json, "select count(*) from events", Params::None, stop);
    assert_eq!(error.map(|_| ()), Err(QueryError::Cancelled));
}
