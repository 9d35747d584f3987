//! Team members, as readers find them and as operators manage them.

use muster_model::id::IdSpace;
use muster_store::credentials::Scopes;
use serde_json::json;

use crate::harness::{Api, OPERATOR};

const TEAM: &str = "/admin/v1/team";

fn id(workspace: &str, email: &str) -> String {
    IdSpace::new(workspace).team_member(email).to_string()
}

#[test]
fn members_are_added_found_and_removed() {
    let api = Api::new();
    let none = r#"200 {"results":[],"next":null,"atEnd":true}"#;
    api.check("GET /resources/admins", "", none);
    let ada = format!(
        r#"{{"id":"{}","name":"Ada","email":"Ada@example.com","licenseStatus":"active","keyId":{}}}"#,
        id("default", "ada@example.com"),
        muster_store::team::number(IdSpace::new("default").team_member("ada@example.com"))
    );
    api.check(&format!("POST {TEAM}"), r#"{"email":"Ada@example.com","name":"Ada"}"#, &format!("200 {ada}"));
    api.check("GET /resources/admins/search?email=ada%40EXAMPLE.com", "", &format!("200 {ada}"));
    api.check("GET /resources/admins", "", &format!(r#"200 {{"results":[{ada}],"next":null,"atEnd":true}}"#));
    api.check(&format!("GET {TEAM}"), "", &format!(r#"200 {{"results":[{ada}]}}"#));
    let unknown = r#"404 {"error":"there is no such team member; its id or external id is not known here"}"#;
    api.check("GET /resources/admins/search?email=bea%40example.com", "", unknown);
    assert_eq!(api.ask("GET /resources/admins/search", "").status, 400);
    let gone = format!("DELETE {TEAM}/{}", id("default", "ada@example.com"));
    assert_eq!(api.ask(&gone, "").status, 204);
    assert_eq!(api.ask(&gone, "").status, 404);
    api.check("GET /resources/admins", "", none);
}

#[test]
fn a_list_comes_in_pages_newest_first() {
    let api = Api::new();
    for name in ["a", "b", "c"] {
        api.ask(&format!("POST {TEAM}"), &format!(r#"{{"email":"{name}@example.com"}}"#));
        api.pass_seconds(1);
    }
    let (mut seen, mut from) = (Vec::new(), String::new());
    loop {
        let page = api.read(&format!("/resources/admins?limit=2&from={from}"));
        seen.extend(page["results"].as_array().unwrap().iter().map(|one| one["email"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        from = next.to_owned();
    }
    assert_eq!(seen, ["c@example.com", "b@example.com", "a@example.com"]);
}

#[test]
fn rules_scopes_and_workspaces() {
    let api = Api::new();
    api.key("other", "of-another", Scopes::ALL);
    api.key("default", "only-read", Scopes::READ);
    let with = |token: &str, line: &str, body: &str| {
        let header = format!("Basic {token}");
        api.ask_with(line, &[("authorization", &header)], body.to_owned())
    };
    let (add, body) = (format!("POST {TEAM}"), r#"{"email":"ada@example.com"}"#);
    assert_eq!(with("only-read", &add, body).status, 403);
    assert_eq!(api.ask(&add, body).status, 200);
    assert_eq!(api.ask(&add, body).status, 409);
    assert_eq!(api.ask(&add, "{}").json()["error"]["errors"][0]["keyword"], "required");
    assert_eq!(api.ask(&add, r#"{"email":"ada"}"#).status, 400);
    assert_eq!(api.ask(&format!("POST {TEAM}?workspace=other"), body).status, 403);
    assert_eq!(with("of-another", "GET /resources/admins", "").json()["results"], json!([]));
    let id = id("default", "ada@example.com");
    assert_eq!(with("of-another", &format!("DELETE {TEAM}/{id}"), "").status, 404);
    assert_eq!(with(OPERATOR, &format!("POST {TEAM}?workspace=other"), body).status, 200);
    for elsewhere in [&format!("GET {TEAM}?workspace=nowhere"), "GET /export?workspace=nowhere"] {
        let answer = with(OPERATOR, elsewhere, "");
        assert!(answer.status == 404 && answer.body.contains("there is no workspace nowhere"), "{}", answer.body);
    }
    assert_eq!(with(OPERATOR, &format!("DELETE {TEAM}/{id}"), "").status, 204);
}
