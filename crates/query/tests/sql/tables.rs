//! What the tables show.

use muster_query::Params;
use serde_json::json;

use super::ask::{texts, twin};

fn story() -> Vec<String> {
    texts(&[
        r#"{"type":"organization","organizationId":"o","messageId":"1","timestamp":"2024-01-01","traits":{"name":"Org","mrr":"12.5","size":3}}"#,
        r#"{"type":"account","accountId":"a","organizationId":"o","messageId":"2","timestamp":"2024-01-01","traits":{"name":"Acme","mrr":100,"plan":"pro","tags":["x"],"vip":true}}"#,
        r#"{"type":"account","accountId":"b","messageId":"3","timestamp":"2024-01-01","traits":{"churnedAt":"2024-02-01","mrr":1e999}}"#,
        r#"{"type":"user","userId":"u","accountId":"a","messageId":"4","timestamp":"2024-01-02","traits":{"name":"Ü","email":"u@x.org","createdAt":"2023-05-01"}}"#,
        r#"{"type":"user","userId":"v","organizationId":"o","messageId":"5","timestamp":"2024-01-02"}"#,
        r#"{"type":"track","event":"login","userId":"u","messageId":"6","timestamp":"2024-01-03T04:05:06.789123Z","properties":{"n":1.5,"s":"x"}}"#,
        r#"{"type":"track","event":"login","userId":"v","accountId":"b","messageId":"7","timestamp":"2024-01-04"}"#,
        r#"{"type":"user","userId":"u","accountId":"b","messageId":"8","timestamp":"2024-01-05","traits":{"name":null}}"#,
        r#"{"type":"unlink","userId":"u","accountId":"a","messageId":"9","timestamp":"2024-01-06"}"#,
        r#"{"type":"track","event":"login","userId":"u","messageId":"10","timestamp":"2024-01-07"}"#,
    ])
}

#[tokio::test]
async fn records_and_links() {
    let asked = twin(&story()).await;
    assert_eq!(
        asked.lines(
            "select account_id, organization_id, name, mrr, churned_at, users_count, implied from accounts order by 1"
        ),
        ["a|o|Acme|100.0|null|0|0", "b|null|null|null|2024-02-01T00:00:00.000Z|1|0"]
    );
    assert_eq!(
        asked.lines("select user_id, name, email, joined_at, first_seen_at, last_seen_at from users order by 1"),
        [
            "u|null|u@x.org|2023-05-01T00:00:00.000Z|2024-01-03T04:05:06.789Z|2024-01-07T00:00:00.000Z",
            "v|null|null|null|2024-01-04T00:00:00.000Z|2024-01-04T00:00:00.000Z"
        ]
    );
    assert_eq!(asked.lines("select organization_id, name, mrr, accounts_count from organizations"), ["o|Org|12.5|1"]);
    assert_eq!(
        asked.lines("select account_id, first_seen_at, last_seen_at from accounts order by 1"),
        ["a|2024-01-03T04:05:06.789Z|2024-01-03T04:05:06.789Z", "b|2024-01-04T00:00:00.000Z|2024-01-07T00:00:00.000Z"]
    );
    assert_eq!(
        asked.lines("select user_id, account_id, organization_id, since from links order by 1"),
        ["u|b|null|2024-01-05T00:00:00.000Z", "v|null|o|2024-01-02T00:00:00.000Z"]
    );
    assert_eq!(
        asked.lines("select traits ->> 'plan', traits ->> 'vip', json_extract(traits, '$.tags[0]') from accounts where account_id = 'a'"),
        ["pro|1|x"]
    );
    let uuid = asked.lines("select uuid from accounts where account_id = 'a'");
    assert_eq!(asked.lines(&format!("select account_id from accounts where uuid = '{}'", uuid[0])), ["a"]);
}

#[tokio::test]
async fn events_messages_traits_and_days() {
    let asked = twin(&story()).await;
    assert_eq!(
        asked.lines("select timestamp, event, user_id, account_id, organization_id, properties ->> 'n', message_id from events order by timestamp"),
        [
            "2024-01-03T04:05:06.789Z|login|u|a|o|1.5|6",
            "2024-01-04T00:00:00.000Z|login|v|b|o|null|7",
            "2024-01-07T00:00:00.000Z|login|u|b|null|null|10"
        ]
    );
    assert_eq!(
        asked.lines("select kind, count(*) from messages group by 1 order by 1"),
        ["account|2", "organization|1", "track|3", "unlink|1", "user|3"]
    );
    assert_eq!(asked.lines("select account_id from messages where message_id = '10'"), ["null"]);
    let sent = asked.lines("select message from messages where message_id = '6'");
    assert!(sent[0].contains(r#""properties":{"n":1.5,"s":"x"}"#), "{sent:?}");
    assert_eq!(
        asked.lines("select kind, id, key, value, typeof(value) from traits where kind <> 'organization' order by timestamp, kind, id, key"),
        [
            "account|a|mrr|100|integer",
            "account|a|name|Acme|text",
            "account|a|plan|pro|text",
            "account|a|tags|[\"x\"]|text",
            "account|a|vip|1|integer",
            "account|b|churnedAt|2024-02-01|text",
            "account|b|mrr|1e999|text",
            "user|u|createdAt|2023-05-01|text",
            "user|u|email|u@x.org|text",
            "user|u|name|Ü|text",
            "user|u|name|null|null"
        ]
    );
    assert_eq!(
        asked.lines("select value from traits where kind = 'user' and id = 'u' and key = 'name' and value is not null"),
        ["Ü"]
    );
    assert_eq!(
        asked.lines("select * from daily order by day"),
        ["2024-01-03|a|login|1|1", "2024-01-04|b|login|1|1", "2024-01-07|b|login|1|1"]
    );
    assert_eq!(asked.lines("select sum(events) from daily where account_id = 'b'"), ["2"]);
}

#[tokio::test]
async fn joins_read_by_the_senders_own_keys() {
    let asked = twin(&story()).await;
    assert_eq!(
        asked.lines("select name, count(event) from accounts left join events using (account_id) group by account_id order by account_id"),
        ["Acme|1", "null|2"]
    );
    assert_eq!(
        asked.lines(
            "select u.user_id, a.account_id from users u join links using (user_id) join accounts a using (account_id)"
        ),
        ["u|b"]
    );
    assert_eq!(
        asked.lines(
            "select count(*) from organizations join accounts using (organization_id) join events using (account_id)"
        ),
        ["1"]
    );
}

#[tokio::test]
async fn what_was_acknowledged_last_is_there() {
    let mut asked = twin(&[]).await;
    assert_eq!(asked.lines("select count(*) from events"), ["0"]);
    for count in 1..5 {
        asked.send(&[format!(r#"{{"type":"track","event":"e","userId":"u","messageId":"{count}"}}"#)]).await;
        assert_eq!(asked.lines("select count(*) from events"), [count.to_string()]);
    }
}

#[tokio::test]
async fn parameters() {
    let asked = twin(&story()).await;
    let named = |value: serde_json::Value| Params::Named(value.as_object().unwrap().clone());
    let listed = |value: serde_json::Value| Params::Positional(value.as_array().unwrap().clone());
    let sql = "select account_id from accounts where account_id = :id and mrr > $least";
    assert_eq!(asked.rows_with(sql, named(json!({"id": "a", "$least": 1}))), [json!(["a"])]);
    assert_eq!(asked.rows_with("select ?, ?2, ?1", listed(json!([1.5, null]))), [json!([1.5, null, 1.5])]);
    let several = "select account_id from accounts where account_id in (select value from json_each(?)) order by 1";
    assert_eq!(asked.rows_with(several, listed(json!([["b", "a", "zz"]]))), [json!(["a"]), json!(["b"])]);
    let wrong = |sql: &str, params: Params| {
        asked.answer(muster_query::Format::Json, sql, params).map(|_| ()).unwrap_err().code()
    };
    assert_eq!(wrong("select ?", Params::None), "invalid_parameters");
    assert_eq!(wrong("select ?", listed(json!([1, 2]))), "invalid_parameters");
    assert_eq!(wrong("select :a", named(json!({"b": 1}))), "invalid_parameters");
    assert_eq!(wrong("select :a", named(json!({"a": 1, "b": 1}))), "invalid_parameters");
    assert_eq!(wrong("select ?1", named(json!({"1": 1}))), "invalid_parameters");
}

#[tokio::test]
async fn what_is_looked_up_again_and_again_is_the_same_each_time() {
    let asked = twin(&story()).await;
    // By itself each time, or along with others; the same as before, another one, and none between.
    let joined = asked.lines(
        "with numbers(n) as (values (1), (2), (3)),
           ids(at, id) as (values (1, 'a'), (2, 'a'), (3, 'none'), (4, 'a'), (5, null), (6, 'b'), (7, 'a'))
         select n, id, account_id, name, traits ->> 'plan', last_seen_at
         from numbers cross join ids left join accounts on account_id = id order by n, at",
    );
    let [a, b] = ["a|Acme|pro|2024-01-03T04:05:06.789Z", "b|null|null|2024-01-07T00:00:00.000Z"];
    let none = "null|null|null|null";
    let expected = |n: i32| {
        let each = [("a", a), ("a", a), ("none", none), ("a", a), ("null", none), ("b", b), ("a", a)];
        each.map(|(id, row)| format!("{n}|{id}|{row}"))
    };
    assert_eq!(joined, [1, 2, 3].map(expected).concat());
    assert_eq!(
        asked.lines(
            "select message_id, name, traits ->> 'vip', (select count(*) from links where links.user_id = events.user_id)
             from events left join accounts using (account_id) order by timestamp"
        ),
        ["6|Acme|1|1", "7|null|null|1", "10|null|null|1"]
    );
    // The same record, other columns.
    assert_eq!(
        asked.lines(
            "select a.name, b.last_seen_at, c.users_count from accounts a
             join accounts b on b.account_id = a.account_id join accounts c on c.account_id = b.account_id order by a.account_id"
        ),
        ["Acme|2024-01-03T04:05:06.789Z|0", "null|2024-01-07T00:00:00.000Z|1"]
    );
}
