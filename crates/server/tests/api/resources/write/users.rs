//! Creating and updating users.

use serde_json::{Value, json};

use crate::harness::{Api, expand};

fn parents(user: &Value) -> (Vec<&str>, Vec<&str>) {
    let ids =
        |field: &str| user[field].as_array().unwrap().iter().map(|one| one["externalId"].as_str().unwrap()).collect();
    (ids("accounts"), ids("organizations"))
}

#[test]
fn fields_become_traits_as_in_messages() {
    let api = Api::new();
    let body = r#"{"externalId":"32","name":"Lionel","email":"l@example.com","avatar":"https://example.com/a.png",
                   "joinDate":"2018-05-15","unsubscribedFromConversations":true,"traits":{"n":10},"accountIds":["a"]}"#;
    let made = api.ask("POST /resources/users", body);
    let user = made.json();
    assert_eq!((made.status, &user["id"]), (200, &json!(expand("<user:32>"))));
    let shown = json!([user["name"], user["email"], user["avatar"], user["joinDate"], user["traits"]["createdAt"]]);
    let expected =
        json!(["Lionel", "l@example.com", "https://example.com/a.png", "2018-05-15T00:00:00.000Z", "2018-05-15"]);
    assert_eq!(shown, expected);
    assert_eq!(user["unsubscribedFromConversations"], true);
    assert_eq!(user["unsubscribedFromConversationsAt"], "2026-01-01T00:00:00.000Z");
    assert_eq!(parents(&user), (vec!["a"], vec![]));
    assert_eq!(user, api.read("/resources/users/32"));
}

#[test]
fn lists_of_ids_replace_the_links() {
    let api = Api::new();
    let count = |id: &str| api.read(&format!("/resources/accounts/{id}"))["usersCount"].clone();
    api.send(
        r#"[{"type":"account","accountId":"a","messageId":"1"},{"type":"account","accountId":"b","messageId":"1"}]"#,
    );
    let made = api.ask(
        "POST /resources/users",
        r#"{"externalId":"u","accountIds":["a","<account:b>","c"],"organizationIds":["o"]}"#,
    );
    assert_eq!(parents(&made.json()), (vec!["a", "b", "c"], vec!["o"]));
    assert_eq!((count("a"), count("b"), count("c")), (json!(1), json!(1), json!(1)));
    api.pass_seconds(1);
    let changed = api.ask("PUT /resources/users/u", r#"{"accountIds":["d","b","b"],"organizationIds":["p","q"]}"#);
    assert_eq!((changed.status, parents(&changed.json())), (200, (vec!["b", "d"], vec!["p", "q"])));
    assert_eq!((count("a"), count("b"), count("c"), count("d")), (json!(0), json!(1), json!(0), json!(1)));
    api.pass_seconds(1);
    let untouched = api.ask("PUT /resources/users/u", r#"{"name":"Ada"}"#);
    assert_eq!(parents(&untouched.json()), (vec!["b", "d"], vec!["p", "q"]), "not sent is not touched");
    api.pass_seconds(1);
    let alone = api.ask("PUT /resources/users/u", r#"{"accountIds":[],"organizationIds":[]}"#);
    assert_eq!(parents(&alone.json()), (vec![], vec![]));
    assert_eq!(api.read("/resources/organizations/p")["usersCount"], 0);
}

#[test]
fn nothing_changes_when_one_id_is_wrong() {
    let api = Api::new();
    api.ask("POST /resources/users", r#"{"externalId":"u","accountIds":["a"]}"#);
    api.pass_seconds(1);
    let wrong = api
        .ask("PUT /resources/users/u", r#"{"name":"Ada","accountIds":["b","00000000-0000-8000-8000-000000000000"]}"#);
    assert_eq!((wrong.status, &wrong.json()["error"]["errors"][0]["instancePath"]), (400, &json!("/accountIds/1")));
    let user = api.read("/resources/users/u");
    assert_eq!((parents(&user), &user["name"]), ((vec!["a"], vec![]), &Value::Null));
    assert_eq!(api.ask("GET /resources/accounts/b", "").status, 404);
}

#[test]
fn one_may_stand_alone() {
    let api = Api::new();
    let made = api.ask("POST /resources/users", r#"{"externalId":"u","name":"Ada"}"#);
    assert_eq!((made.status, parents(&made.json())), (200, (vec![], vec![])));
}
