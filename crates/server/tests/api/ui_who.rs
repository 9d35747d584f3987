//! Who it was, where the console tells of what was done: members by their names, as keys by theirs.

use muster_model::id::{IdSpace, RecordId, WorkspaceId};
use muster_store::{
    credentials::Scopes,
    team::{NewMember, Teams, number},
};

use crate::{
    harness::{Api, TOKEN},
    ui::{ask, post, signed_in},
};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A member who may do everything, and the cookie of its session.
fn member(api: &Api, name: &str, email: &str) -> (RecordId, String) {
    let new = NewMember { name: name.to_owned(), email: email.to_owned(), added_at: crate::harness::now() };
    let id = api.runtime.block_on(api.store.add_member(WorkspaceId(1), new)).unwrap().id;
    assert_eq!(id, IdSpace::new("default").team_member(email));
    let set = format!("/admin/team/{id}/password");
    assert_eq!(post(api, &set, &signed_in(api, TOKEN), "password=correct+horse&write=1&admin=1").status, 303);
    let body = format!("email={email}&token=correct+horse&next=%2Fusers");
    let inside = ask(api, "POST /signin", "", &body);
    assert_eq!(inside.status, 303, "{}", inside.body);
    (id, inside.header("set-cookie").split(';').next().unwrap().to_owned())
}

#[test]
fn what_a_member_does_is_told_by_name() {
    let api = Api::new();
    let (id, cookie) = member(&api, "<b>Ada</b>", "ada@example.com");
    let number = number(id);
    assert!(number < 1 << 53, "every program reads it exactly");
    api.key("default", "only-reads", Scopes::READ);
    let user = r#"{"messageId":"m","userId":"grace","accountId":"a"}"#;
    assert_eq!(api.ask_with("POST /analytics/v1/user", &[JSON], user).status, 200);
    let bad = r#"[{"type":"track","userId":"grace","messageId":"t","event":7}]"#;
    assert_eq!(api.ask_with("POST /analytics/v1/batch", &[JSON], bad).status, 400);

    // Sent again by the member as something that is refused as a conflict: kept under its number.
    let refused = api.read("/resources/refused")["results"][0]["id"].as_str().unwrap().to_owned();
    let resend = |event: &str| {
        let message = format!(
            "%7B%22type%22%3A%22track%22%2C%22userId%22%3A%22grace%22%2C%22messageId%22%3A%22t%22%2C%22event%22%3A%22{event}%22%7D"
        );
        post(&api, &format!("/refused/{refused}/resend"), &cookie, &format!("message={message}"))
    };
    let stored = r#"{"userId":"grace","event":"one","messageId":"t"}"#;
    assert_eq!(api.ask_with("POST /analytics/v1/track", &[JSON], stored).status, 200);
    resend("two");
    let conflict = api.read("/resources/refused")["results"][0].clone();
    assert_eq!((&conflict["code"], &conflict["keyId"]), (&"conflict".into(), &number.into()), "{conflict}");
    let page = ask(&api, &format!("GET /refused/{}", conflict["id"].as_str().unwrap()), &cookie, "").body;
    assert!(page.contains("sent with <bdi>&#60;b&#62;Ada&#60;/b&#62;</bdi>"), "{page}");

    let deleted = post(&api, "/users/grace/delete", &cookie, "word=delete");
    assert_eq!(deleted.status, 303, "{}", deleted.body);
    let receipt = ask(&api, &format!("GET {}", deleted.header("location")), &cookie, "").body;
    assert!(receipt.contains("<dt>By</dt><dd><bdi>&#60;b&#62;Ada&#60;/b&#62;</bdi></dd>"), "{receipt}");
    assert!(receipt.contains(&format!("&#34;requestedBy&#34;:{number}")), "{receipt}");
    let team = api.read("/admin/v1/team");
    assert_eq!(team["results"][0]["keyId"], number);

    // Who has left is not taken for somebody else, nor for a key.
    api.runtime.block_on(api.store.remove_member(WorkspaceId(1), id)).unwrap();
    let list = ask(&api, "GET /admin/deletions", &signed_in(&api, "only-reads"), "").body;
    assert!(list.contains("<bdi>a former member</bdi>"), "{list}");
}

#[test]
fn who_calls_a_deletion_off_is_told_and_recorded() {
    let api = Api::new();
    let (id, cookie) = member(&api, "Ada", "ada@example.com");
    let user = r#"{"messageId":"m","userId":"grace","accountId":"a"}"#;
    assert_eq!(api.ask_with("POST /analytics/v1/user", &[JSON], user).status, 200);
    let schedule = || {
        assert_eq!(api.ask("DELETE /resources/users/grace?deleteOn=2999-01-01", "").status, 204);
        let all = api.read("/resources/deletions");
        let waits = all["results"].as_array().unwrap().iter().find(|one| one["status"] == "scheduled").unwrap();
        assert!(waits.get("cancelledBy").is_none(), "{waits}");
        waits["id"].as_str().unwrap().to_owned()
    };
    let by_member = schedule();
    let answer = post(&api, &format!("/admin/deletions/{by_member}/cancel"), &cookie, "");
    assert_eq!(answer.status, 303, "{}", answer.body);
    let receipt = api.read(&format!("/resources/deletions/{by_member}"));
    assert_eq!((&receipt["status"], &receipt["cancelledBy"]), (&"cancelled".into(), &number(id).into()), "{receipt}");
    let page = ask(&api, &format!("GET /admin/deletions/{by_member}"), &cookie, "").body;
    assert!(page.contains("Called off by <bdi>Ada</bdi>"), "{page}");
    let list = ask(&api, "GET /admin/deletions", &cookie, "").body;
    assert!(list.contains("called off by <bdi>Ada</bdi>"), "{list}");

    // A key is told by its number. (What is asked for at the same instant is the same deletion.)
    api.pass_seconds(1);
    let by_key = schedule();
    assert_eq!(api.ask(&format!("DELETE /resources/deletions/{by_key}"), "").status, 204);
    let receipt = api.read(&format!("/resources/deletions/{by_key}"));
    let own = api.read("/admin/v1/keys")["results"][0]["id"].clone();
    assert_eq!(receipt["cancelledBy"], own, "{receipt}");
}

#[test]
fn who_has_an_import_taken_back_is_told_and_recorded() {
    let api = Api::new();
    let (id, cookie) = member(&api, "Ada", "ada@example.com");
    let begin = r#"{"format":"muster","name":"a.ndjson"}"#;
    for import in [1, 2] {
        assert_eq!(api.ask_with("POST /admin/v1/imports", &[JSON], begin).status, 200);
        let message = format!(r#"[{{"type":"user","userId":"grace","accountId":"a","messageId":"m{import}"}}]"#);
        let path = format!("POST /admin/v1/import?import={import}&from=0&to=1&ends=true");
        assert_eq!(api.ask_with(&path, &[JSON], message).status, 200);
    }
    assert_eq!(api.read("/admin/v1/imports/1")["undoneBy"], serde_json::Value::Null);
    let answer = post(&api, "/admin/imports/1/undo", &cookie, "word=undo");
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(api.read("/admin/v1/imports/1")["undoneBy"], number(id));
    let page = ask(&api, "GET /admin/imports/1", &cookie, "").body;
    assert!(page.contains("<dt>Taken back</dt><dd>by <bdi>Ada</bdi></dd>"), "{page}");
    let list = ask(&api, "GET /admin/imports", &cookie, "").body;
    assert!(list.contains("taken back by <bdi>Ada</bdi>"), "{list}");
    assert_eq!(api.ask("POST /admin/v1/imports/2/undo", "").status, 202);
    let own = api.read("/admin/v1/keys")["results"][0]["id"].clone();
    assert_eq!(api.read("/admin/v1/imports/2")["undoneBy"], own);
}
