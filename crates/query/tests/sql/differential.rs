//! The same queries over ordinary tables.
//!
//! Ordinary SQLite tables are filled with everything that the virtual tables show; random queries must then answer the
//! same over both. What is taken over from a query's conditions, and what is left to SQLite, may never show.

use std::collections::BTreeSet;

use muster_embedded::{Embedded, Options};
use muster_query::Params;
use muster_store::{Store, status::Status};
use rusqlite::{Connection, types::ValueRef};
use serde_json::{Value, json};

use super::ask::{Asked, START, twin};

/// Tables, with columns to compare, and texts that occur in them.
const TABLES: [(&str, &[&str]); 9] = [
    ("organizations", &["organization_id", "uuid", "name", "mrr", "accounts_count", "created_at", "traits"]),
    ("accounts", &["account_id", "organization_id", "name", "mrr", "users_count", "first_seen_at", "last_seen_at"]),
    ("users", &["user_id", "name", "email", "last_seen_at", "accounts_count", "first_known_at"]),
    ("links", &["user_id", "account_id", "organization_id", "since"]),
    ("events", &["timestamp", "event", "user_id", "account_id", "organization_id", "properties", "message_id"]),
    ("events", &["timestamp", "day", "week", "event", "user_id", "account_id"]),
    ("messages", &["kind", "timestamp", "user_id", "account_id", "organization_id", "event", "message_id"]),
    ("traits", &["kind", "id", "key", "value", "timestamp"]),
    ("daily", &["day", "account_id", "event", "events", "users"]),
];

/// Names that mean different things to careless comparisons.
const NAMES: [&str; 10] = ["a", "A", "b", "42", "042", "42.0", " a", "ü", "2024", "a%"];
const EVENTS: [&str; 4] = ["view", "View", "buy", "1"];

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn of<'a, T: ?Sized>(&mut self, some: &[&'a T]) -> &'a T {
        some[self.below(some.len())]
    }
}

fn messages(numbers: &mut Numbers, count: usize) -> Vec<String> {
    let message = |n: usize, numbers: &mut Numbers| {
        let (user, account, organization) = (numbers.of(&NAMES), numbers.of(&NAMES), numbers.of(&NAMES));
        let at = format!("2024-01-{:02}T0{}:00:00.{:03}Z", 1 + numbers.below(9), numbers.below(4), numbers.below(3));
        let value = numbers.of(&["1", "\"1\"", "1.5", "null", "true", "\"x\"", "[1]", "\"2024-01-02\""]);
        let mut message = match numbers.below(8) {
            0 => json!({"type": "organization", "organizationId": organization}),
            1 => json!({"type": "account", "accountId": account, "organizationId": organization}),
            2 | 3 => json!({"type": "user", "userId": user, "accountId": account}),
            4 => json!({"type": "unlink", "userId": user, "accountId": account}),
            5 => json!({"type": "track", "event": numbers.of(&EVENTS), "userId": user, "accountId": account}),
            _ => json!({"type": "track", "event": numbers.of(&EVENTS), "userId": user}),
        };
        message["messageId"] = n.to_string().into();
        message["timestamp"] = at.into();
        if message["type"] != "track" && message["type"] != "unlink" {
            message["traits"] = json!({"name": user, "mrr": n, numbers.of(&["k", "plan"]): value});
            message["traits"] =
                serde_json::from_str(&message["traits"].to_string().replace(&format!("{:?}", value), value))
                    .unwrap_or(message["traits"].clone());
        }
        message.to_string()
    };
    (0..count).map(|n| message(n, numbers)).collect()
}

/// Ordinary tables with everything that the virtual ones show.
fn ordinary<S: Store>(asked: &Asked<S>) -> Connection {
    muster_query::install_allocator();
    let plain = Connection::open_in_memory().unwrap();
    plain.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DQS_DML, false).unwrap();
    // `daily` follows from `events` there as here; a table would compare its computed columns differently.
    let tables: BTreeSet<&str> = TABLES.iter().map(|(table, _)| *table).filter(|table| *table != "daily").collect();
    for table in tables {
        // What shows only where it is named.
        let more = if table == "events" { ", day, week" } else { "" };
        let sql = format!("select *{more} from {table}");
        let (out, _) = asked.answer(muster_query::Format::Json, &sql, Params::None).unwrap();
        let answer: Value = serde_json::from_slice(&out).unwrap();
        let columns = answer["columns"].as_array().unwrap();
        let declared: Vec<String> = columns
            .iter()
            .map(|column| format!("{} {}", column["name"].as_str().unwrap(), column["type"].as_str().unwrap_or("")))
            .collect();
        plain.execute_batch(&format!("create table {table}({})", declared.join(", "))).unwrap();
        let places = vec!["?"; columns.len()].join(", ");
        let mut insert = plain.prepare(&format!("insert into {table} values ({places})")).unwrap();
        for row in answer["rows"].as_array().unwrap() {
            let values = row.as_array().unwrap().iter().map(|value| match value {
                Value::Null => rusqlite::types::Value::Null,
                Value::Number(number) => match number.as_i64() {
                    Some(integer) => integer.into(),
                    None => number.as_f64().unwrap().into(),
                },
                Value::String(text) => text.clone().into(),
                other => panic!("{other}"),
            });
            insert.execute(rusqlite::params_from_iter(values)).unwrap();
        }
    }
    plain
        .execute_batch(
            "create view daily(day, account_id, event, events, users) as select cast(date(timestamp) as text), account_id, event, \
             count(*), count(distinct user_id) from events group by 1, 2, 3",
        )
        .unwrap();
    plain
}

fn rows_of(plain: &Connection, sql: &str) -> Result<Vec<String>, String> {
    let mut statement = plain.prepare(sql).map_err(|error| error.to_string())?;
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let value = |at: usize| match row.get_ref(at).unwrap() {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(integer) => integer.into(),
            ValueRef::Real(real) => real.into(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
            ValueRef::Blob(_) => "blob".into(),
        };
        Ok(Value::from((0..columns).map(value).collect::<Vec<Value>>()).to_string())
    });
    rows.map_err(|error| error.to_string())?.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// A literal to compare a column with.
fn literal(numbers: &mut Numbers) -> String {
    let times =
        ["2024-01-03", "2024-01-03T01:00:00.000Z", "2024-01-05 02", "2024-01", "2024-01-04T02:00:00.001Z", "9", ""];
    match numbers.below(12) {
        0..5 => format!("'{}'", numbers.of(&NAMES)),
        5 => format!("'{}'", numbers.of(&EVENTS)),
        6..9 => format!("'{}'", numbers.of(&times)),
        9 => numbers.of(&["42", "1", "2024", "-1"]).to_owned(),
        10 => numbers.of(&["42.0", "1.5", "1e0"]).to_owned(),
        _ => numbers.of(&["null", "x'61'", "'track'", "'user'", "'2024-01-02'"]).to_owned(),
    }
}

fn condition(numbers: &mut Numbers, columns: &[String], depth: usize) -> String {
    let column = |numbers: &mut Numbers| columns[numbers.below(columns.len())].clone();
    if depth > 0 && numbers.below(2) == 0 {
        let (one, other) = (condition(numbers, columns, depth - 1), condition(numbers, columns, depth - 1));
        return match numbers.below(5) {
            0 | 1 => format!("({one} and {other})"),
            2 | 3 => format!("({one} or {other})"),
            _ => format!("not ({one})"),
        };
    }
    let (name, value) = (column(numbers), literal(numbers));
    let compared = numbers.of(&["=", "=", "=", "<", "<=", ">", ">=", "<>", "is", "is not"]);
    match numbers.below(16) {
        0..6 => format!("{name} {compared} {value}"),
        6 => format!("{value} {compared} {name}"),
        7 | 8 => format!("{name} in ({value}, {}, {})", literal(numbers), literal(numbers)),
        9 => format!("{name} between {value} and {}", literal(numbers)),
        10 => format!("{name} {compared} {}", column(numbers)),
        11 => {
            format!("{name} {} '{}%'", numbers.of(&["like", "not like", "glob"]), numbers.of(&["a", "A", "2024", "4"]))
        }
        12 => format!("{name} {compared} {value} collate {}", numbers.of(&["nocase", "rtrim", "binary"])),
        13 => format!("{name} is {}null", numbers.of(&["", "not "])),
        14 => {
            let (table, others) = TABLES[numbers.below(TABLES.len())];
            format!("{name} in (select {} from {table})", numbers.of(others))
        }
        _ => format!("{}{name} {compared} {value}", numbers.of(&["+", "lower(", "cast("]))
            .replace(&format!("lower({name}"), &format!("lower({name})"))
            .replace(&format!("cast({name}"), &format!("cast({name} as integer)")),
    }
}

fn query(numbers: &mut Numbers) -> String {
    let (table, columns) = TABLES[numbers.below(TABLES.len())];
    let named =
        |alias: &str, columns: &[&str]| columns.iter().map(|name| format!("{alias}.{name}")).collect::<Vec<_>>();
    let mut all = named("x", columns);
    let mut from = format!("{table} x");
    if numbers.below(2) == 0 {
        let (joined, more) = TABLES[numbers.below(TABLES.len())];
        let (one, other) = (numbers.of(columns), numbers.of(more));
        let shared = columns.iter().find(|column| column.ends_with("_id") && more.contains(column));
        let on = match shared {
            Some(shared) if numbers.below(4) > 0 => format!("x.{shared} = y.{shared}"),
            _ => format!("x.{one} = y.{other}"),
        };
        from = format!("{from} {} join {joined} y on {on}", numbers.of(&["", "left"]));
        all.extend(named("y", more));
    }
    let shown: Vec<String> = (0..1 + numbers.below(4)).map(|_| all[numbers.below(all.len())].clone()).collect();
    let meets = condition(numbers, &all, 2);
    let [one, other, third] = [(); 3].map(|()| all[numbers.below(all.len())].clone());
    let way = numbers.of(&["", " desc"]);
    match numbers.below(10) {
        6 => format!(
            "select {one}, {other}, count(*), count(distinct {third}), max({third}) from {from} where {meets} group by 1, 2"
        ),
        7 => format!(
            "select {one}, count(distinct {third}) from {from} where {meets} group by 1 order by 1{way} limit 3"
        ),
        8 => format!("select distinct {one}, {other} from {from} where {meets} order by 1{way}, 2 limit 5"),
        9 => format!(
            "select {one}, {other}, count(distinct {third} is null) from {from} group by 2, 1 order by 2, 1{way} limit 7"
        ),
        0 => format!("select count(*), min({}), max({}) from {from} where {meets}", shown[0], shown[0]),
        1 => format!("select {}, count(*) from {from} where {meets} group by 1", shown[0]),
        2 => format!("select distinct {} from {from} where {meets}", shown.join(", ")),
        3 => {
            let order = (1..=shown.len()).map(|at| at.to_string()).collect::<Vec<_>>().join(", ");
            format!(
                "select {} from {from} where {meets} order by {order} limit {}",
                shown.join(", "),
                1 + numbers.below(9)
            )
        }
        _ => format!("select {} from {from} where {meets}", shown.join(", ")),
    }
}

fn compare<S: Store>(asked: &Asked<S>, numbers: &mut Numbers, queries: usize) {
    let plain = ordinary(asked);
    let mut with_rows = 0;
    for _ in 0..queries {
        let sql = query(numbers);
        let expected = rows_of(&plain, &sql);
        let found = asked.answer(muster_query::Format::Json, &sql, Params::None);
        match (expected, found) {
            (Ok(mut expected), Ok((out, _))) => {
                let answer: Value = serde_json::from_slice(&out).unwrap();
                let mut found: Vec<String> = answer["rows"].as_array().unwrap().iter().map(Value::to_string).collect();
                expected.sort();
                found.sort();
                assert_eq!(found, expected, "{sql}");
                with_rows += usize::from(!found.is_empty());
            }
            (Err(_), Err(_)) => {}
            (expected, found) => panic!("{sql}: {expected:?} but {:?}", found.map(|_| ())),
        }
    }
    assert!(with_rows > queries / 4, "too few of {queries} queries found anything: {with_rows}");
}

#[tokio::test]
async fn over_the_twin() {
    for seed in [3, 71] {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 + seed);
        let sent = messages(&mut numbers, 120);
        compare(&twin(&sent).await, &mut numbers, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, _) = Embedded::open(Options::new(dir.path()), START).unwrap();
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    let sent = messages(&mut numbers, 150);
    let mut asked = Asked::over(engine, &sent[..60]).await;
    asked.store.checkpoint().await;
    asked.send(&sent[60..110]).await;
    asked.store.checkpoint().await;
    asked.send(&sent[110..]).await;
    compare(&asked, &mut numbers, 400);
    asked.store.close().await.unwrap();
}
