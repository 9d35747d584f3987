//! All workspaces, for those who operate the server: seen and made by them alone, and none is entered by it.

use muster_store::credentials::{Credentials, Scopes};
use serde_json::json;

use crate::{
    harness::{Api, OPERATOR, TOKEN},
    ui::{ask, post, signed_in},
};

const PATH: &str = "/admin/v1/workspaces";
const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn an_operator_sees_and_makes_workspaces_and_enters_none() {
    let api = Api::new();
    api.key("default", "of-operations", Scopes::READ.union(Scopes::OPERATOR));
    api.key("secret-customer", "of-the-customer", Scopes::ALL);
    let user = r#"{"messageId":"m","userId":"grace","accountId":"of-a-secret"}"#;
    let theirs = [("authorization", "Bearer of-the-customer"), JSON];
    assert_eq!(api.ask_with("POST /analytics/v1/user", &theirs, user).status, 200);

    let (operator, admin) = (signed_in(&api, "of-operations"), signed_in(&api, TOKEN));
    let page = ask(&api, "GET /admin/workspaces", &operator, "");
    assert!(page.status == 200 && page.body.contains("secret-customer"), "{}", page.body);
    assert_eq!(ask(&api, "GET /admin/workspaces", &admin, "").status, 403);
    assert_eq!(post(&api, "/admin/workspaces", &admin, "name=mine").status, 403);
    for path in ["/", "/admin/workspace", "/admin/keys"] {
        assert!(!ask(&api, &format!("GET {path}"), &admin, "").body.contains("secret-customer"), "{path}");
    }
    for path in ["/users/grace", "/accounts/of-a-secret"] {
        assert_eq!(ask(&api, &format!("GET {path}"), &operator, "").status, 404, "{path}");
    }
    assert!(!ask(&api, "GET /accounts?workspace=secret-customer", &operator, "").body.contains("of-a-secret"));

    let before = api.store.keys().len();
    let taken = post(&api, "/admin/workspaces", &operator, "name=secret-customer");
    assert!(taken.status == 400 && taken.body.contains("already"), "{}", taken.body);
    assert_eq!(api.store.keys().len(), before, "no key of a workspace that is there already is made");
    assert_eq!(post(&api, "/admin/workspaces", &operator, "name=A/B").status, 400);
    assert_eq!(ask(&api, "POST /admin/workspaces", &operator, "name=fresh").status, 403, "a form of ours only");
    let made = post(&api, "/admin/workspaces", &operator, "name=fresh");
    assert_eq!(made.status, 200, "{}", made.body);
    let token = made.body.split("<code id=\"token\" class=\"wrap\">").nth(1).unwrap().split('<').next().unwrap();
    let fresh = signed_in(&api, token);
    assert!(ask(&api, "GET /admin/workspace", &fresh, "").body.contains("Workspace fresh"));
    assert_eq!(ask(&api, "GET /admin/workspaces", &fresh, "").status, 403, "the first key is of its workspace alone");
    assert!(!ask(&api, "GET /admin/workspaces", &operator, "").body.contains(token), "a token is shown once");
}

#[test]
fn programs_see_and_make_workspaces_as_people_do() {
    let api = Api::new();
    api.key("default", "of-operations", Scopes::OPERATOR);
    api.key("other", "of-the-other", Scopes::ALL);
    let user = r#"{"messageId":"m","userId":"grace","accountId":"a"}"#;
    assert_eq!(api.ask_with("POST /analytics/v1/user", &[JSON], user).status, 200);
    let with = |token: &str, line: &str, body: &str| {
        let answer = api.ask_with(line, &[("authorization", &format!("Bearer {token}"))], body.to_owned());
        (answer.status, serde_json::from_str::<serde_json::Value>(&answer.body).unwrap())
    };
    for token in [OPERATOR, "of-operations"] {
        let (status, all) = with(token, &format!("GET {PATH}"), "");
        assert_eq!(status, 200, "{all}");
        let names: Vec<_> = all["results"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names[..2], [json!("default"), json!("other")]);
        let own = &all["results"][0];
        assert_eq!((&own["messages"], &own["keys"], &own["members"]), (&json!(1), &json!(2), &json!(0)));
        let (status, made) = with(token, &format!("POST {PATH}"), &format!(r#"{{"name":"of-{}"}}"#, names.len()));
        assert_eq!((status, &made["scopes"]), (200, &json!(["write", "read", "admin"])), "{made}");
        assert_eq!(with(token, &format!("POST {PATH}"), r#"{"name":"other"}"#).0, 409);
        assert_eq!(with(token, &format!("POST {PATH}"), "{}").0, 400);
    }
    assert_eq!(with("of-operations", "GET /resources/users", "").0, 403, "it is a right for itself");
    assert_eq!(with("of-the-other", &format!("GET {PATH}"), "").0, 403);
    assert_eq!(with("of-the-other", &format!("POST {PATH}"), r#"{"name":"x"}"#).0, 403);
    // The right is given on the server's own machine alone.
    let wish = r#"{"scopes":["read","operator"]}"#;
    assert_eq!(with(TOKEN, "POST /admin/v1/keys", wish).0, 403);
    let (status, made) = with(OPERATOR, "POST /admin/v1/keys", wish);
    assert_eq!((status, &made["scopes"]), (200, &json!(["read", "operator"])));
}
