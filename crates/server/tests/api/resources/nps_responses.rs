//! NPS responses, and what follows from them for users, accounts and organizations.

use muster_model::kind::RecordKind;
use serde_json::{Value, json};

use crate::harness::{Api, expand, uuid};

const NPS: &str = "POST /resources/npsResponses";

/// Two accounts of one organization, a user of each, one of both, and one of the organization itself.
fn api() -> Api {
    let api = Api::new();
    api.send(
        r#"[{"type":"account","accountId":"a","organizationId":"o","messageId":"1"},
            {"type":"account","accountId":"b","organizationId":"o","messageId":"1"},
            {"type":"user","userId":"1","accountId":"a","messageId":"1"},
            {"type":"user","userId":"2","accountId":"b","messageId":"1"},
            {"type":"user","userId":"3","accountId":"a","messageId":"1"},
            {"type":"user","userId":"3","accountId":"b","messageId":"2"},
            {"type":"user","userId":"4","organizationId":"o","messageId":"1"}]"#,
    );
    api
}

fn answer(api: &Api, id: &str, user: &str, score: u8, day: u8) -> Value {
    api.pass_seconds(1);
    let user = uuid(RecordKind::User, user);
    let body = format!(
        r#"{{"externalId":"{id}","userId":"{user}","score":{score},"respondedAt":"2025-12-{day:02}T00:00:00Z"}}"#
    );
    let answer = api.ask(NPS, &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Detractors, passives, promoters, score.
fn counts(api: &Api, path: &str) -> Value {
    let record = api.read(path);
    let fields = ["npsDetractorCount", "npsPassiveCount", "npsPromoterCount", "npsScore"];
    fields.map(|field| record[field].clone()).to_vec().into()
}

#[test]
fn every_field_in_its_order() {
    let api = api();
    let body = r#"{"externalId":"r","userId":"<user:1>","score":9,"feedback":"Good \"so far\"","respondedAt":"2025-12-29T20:16:27.37Z"}"#;
    let made = api.ask(NPS, body);
    let user = api.ask("GET /resources/users/1", "").body;
    let id = uuid(RecordKind::NpsResponse, "r");
    let expected = expand(&format!(
        concat!(
            r#"{{"id":"{id}","createdAt":"<now>","updatedAt":"<now>","externalId":"r","userId":"<user:1>","score":9,"#,
            r#""feedback":"Good \"so far\"","respondedAt":"2025-12-29T20:16:27.370Z","dismissedAt":null,"user":{user}}}"#
        ),
        id = id,
        user = user
    ));
    assert_eq!((made.status, made.body), (200, expected.clone()));
    api.check("GET /resources/npsResponses/r", "", &format!("200 {expected}"));
    api.check(&format!("GET /resources/npsResponses/{id}"), "", &format!("200 {expected}"));
    let page = format!(r#"200 {{"results":[{expected}],"next":null,"atEnd":true}}"#);
    for list in [
        "npsResponses",
        "npsResponses?target=accounts&sortBy=createdAt",
        "accounts/a/npsResponses",
        "organizations/o/npsResponses",
    ] {
        api.check(&format!("GET /resources/{list}"), "", &page);
    }
    let none = r#"200 {"results":[],"next":null,"atEnd":true}"#;
    api.check("GET /resources/accounts/b/npsResponses", "", none);
    api.check("GET /resources/npsResponses?target=organization", "", none);
}

#[test]
fn the_last_answer_of_each_user_counts() {
    let api = api();
    assert_eq!(counts(&api, "/resources/accounts/a"), json!([0, 0, 0, null]));
    answer(&api, "r1", "1", 10, 1);
    answer(&api, "r2", "2", 3, 1);
    answer(&api, "r3", "3", 8, 1);
    answer(&api, "r4", "4", 9, 1);
    assert_eq!(counts(&api, "/resources/accounts/a"), json!([0, 1, 1, 50]));
    assert_eq!(counts(&api, "/resources/accounts/b"), json!([1, 1, 0, -50]));
    assert_eq!(counts(&api, "/resources/organizations/o"), json!([1, 1, 2, 25]), "the user of both counts once");
    // A later answer takes the place of an earlier one, an earlier one of none.
    answer(&api, "r5", "1", 0, 5);
    answer(&api, "r6", "1", 7, 3);
    assert_eq!(counts(&api, "/resources/accounts/a"), json!([1, 1, 0, -50]));
    let user = api.read("/resources/users/1");
    assert_eq!((&user["npsLastScore"], &user["npsLastRespondedAt"]), (&json!(0), &json!("2025-12-05T00:00:00.000Z")));
}

#[test]
fn a_response_is_updated_by_its_external_id_or_by_put() {
    let api = api();
    let made = answer(&api, "r1", "1", 10, 1);
    let again = answer(&api, "r1", "1", 6, 2);
    assert_eq!((&again["id"], &again["score"]), (&made["id"], &json!(6)));
    assert_eq!(counts(&api, "/resources/accounts/a"), json!([1, 0, 0, -100]));
    api.pass_seconds(1);
    let changed = api.ask("PUT /resources/npsResponses/r1", r#"{"score":8,"feedback":"better"}"#);
    assert_eq!((changed.status, &changed.json()["respondedAt"]), (200, &json!("2025-12-02T00:00:00.000Z")));
    assert_eq!(api.read("/resources/users/1")["npsLastFeedback"], "better");
    // Withdrawn: the one before it is the last again.
    answer(&api, "r0", "1", 9, 1);
    assert_eq!(counts(&api, "/resources/accounts/a"), json!([0, 1, 0, 0]));
    api.pass_seconds(1);
    api.ask("PUT /resources/npsResponses/r1", r#"{"score":null}"#);
    assert_eq!(counts(&api, "/resources/accounts/a"), json!([0, 0, 1, 100]));
    api.pass_seconds(1);
    let moved = api.ask("PUT /resources/npsResponses/r0", r#"{"userId":"2"}"#);
    assert_eq!(moved.json()["userId"], expand("<user:2>"));
    assert_eq!(counts(&api, "/resources/accounts/a"), json!([0, 0, 0, null]));
    assert_eq!(counts(&api, "/resources/accounts/b"), json!([0, 0, 1, 100]));
}

#[test]
fn counts_follow_links_and_accounts() {
    let api = api();
    answer(&api, "r1", "1", 10, 1);
    answer(&api, "r3", "3", 2, 1);
    assert_eq!(counts(&api, "/resources/organizations/o"), json!([1, 0, 1, 0]));
    api.pass_seconds(1);
    api.ask("PUT /resources/users/3", r#"{"accountIds":["b"]}"#);
    assert_eq!(counts(&api, "/resources/accounts/a"), json!([0, 0, 1, 100]));
    assert_eq!(counts(&api, "/resources/organizations/o"), json!([1, 0, 1, 0]), "still in it by the other account");
    api.pass_seconds(1);
    api.ask("PUT /resources/accounts/b", r#"{"organizationId":"p"}"#);
    assert_eq!(counts(&api, "/resources/organizations/o"), json!([0, 0, 1, 100]));
    assert_eq!(counts(&api, "/resources/organizations/p"), json!([1, 0, 0, -100]));
    assert_eq!(api.page("/resources/organizations/p/npsResponses").0, ["r3"]);
    api.pass_seconds(1);
    api.ask("PUT /resources/accounts/b", r#"{"organizationId":null}"#);
    assert_eq!(counts(&api, "/resources/organizations/p"), json!([0, 0, 0, null]));
    assert_eq!(api.page("/resources/organizations/p/npsResponses").0, [""; 0]);
    // Linked after the answer.
    api.pass_seconds(1);
    api.send(r#"[{"type":"user","userId":"1","accountId":"c","messageId":"9"}]"#);
    assert_eq!(counts(&api, "/resources/accounts/c"), json!([0, 0, 1, 100]));
    assert_eq!(api.page("/resources/accounts/c/npsResponses").0, ["r1"]);
}

#[test]
fn whoever_counts_an_answer_is_updated_by_it() {
    let api = api();
    api.pass_seconds(60);
    answer(&api, "r1", "1", 10, 1);
    for (path, moved) in
        [("users/1", true), ("accounts/a", true), ("organizations/o", true), ("accounts/b", false), ("users/2", false)]
    {
        let updated = api.read(&format!("/resources/{path}"))["updatedAt"].clone();
        assert_eq!(updated == "2026-01-01T00:01:01.000Z", moved, "{path} {updated}");
    }
}

#[test]
fn lists_come_in_pages() {
    let api = api();
    for number in 0..5 {
        answer(&api, &format!("r{number}"), "1", number, number + 1);
    }
    answer(&api, "direct", "4", 5, 9);
    for list in ["npsResponses", "accounts/a/npsResponses", "organizations/o/npsResponses"] {
        let (mut seen, mut from) = (Vec::new(), String::new());
        loop {
            let (ids, next) = api.page(&format!("/resources/{list}?limit=2&sortBy=createdAt&from={from}"));
            seen.extend(ids);
            let Some(next) = next else { break };
            from = next;
        }
        let direct = list.starts_with("organizations").then_some("direct");
        let expected: Vec<&str> = direct.into_iter().chain(["r4", "r3", "r2", "r1", "r0"]).collect();
        assert_eq!(seen, expected, "{list}");
    }
    assert_eq!(api.page("/resources/npsResponses?target=organization").0, ["direct"]);
    assert_eq!(api.ask("GET /resources/npsResponses?target=planets", "").status, 400);
}

#[test]
fn rules_and_unknown_ones() {
    let api = api();
    let check = |line: &str, body: &str, expected: &[(&str, &str)]| {
        let answer = api.ask(line, body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        let errors = answer.json()["error"]["errors"].clone();
        let found: Vec<(String, String)> = errors
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["instancePath"].as_str().unwrap().into(), one["keyword"].as_str().unwrap().into()))
            .collect();
        let expected: Vec<(String, String)> =
            expected.iter().map(|(path, keyword)| ((*path).into(), (*keyword).into())).collect();
        assert_eq!(found, expected, "{body}");
    };
    check(NPS, "{}", &[("", "required"), ("", "required"), ("", "required")]);
    let with = |score: &str| format!(r#"{{"userId":"<user:1>","score":{score},"respondedAt":"2026-01-01"}}"#);
    check(NPS, &with("11"), &[("/score", "maximum")]);
    check(NPS, &with("-1"), &[("/score", "minimum")]);
    check(NPS, &with("9.5"), &[("/score", "type")]);
    check(NPS, &with("\"9\""), &[("/score", "type")]);
    check(NPS, r#"{"userId":"<user:1>","score":9,"respondedAt":"soon"}"#, &[("/respondedAt", "format")]);
    check(NPS, r#"{"userId":"nobody","score":9,"respondedAt":"2026-01-01"}"#, &[("/userId", "reference")]);
    check(
        NPS,
        r#"{"externalId":7,"userId":"<user:1>","score":9,"respondedAt":"2026-01-01"}"#,
        &[("/externalId", "type")],
    );
    assert_eq!(api.ask(NPS, &with("9.0")).json()["score"], 9);
    let unknown = r#"404 {"error":"there is no such NPS response; its id or external id is not known here"}"#;
    api.check("GET /resources/npsResponses/nobody", "", unknown);
    api.check("PUT /resources/npsResponses/nobody", "{}", unknown);
    assert_eq!(api.ask("GET /resources/accounts/nobody/npsResponses", "").status, 404);
    api.key("other", "of-another", muster_store::credentials::Scopes::ALL);
    answer(&api, "mine", "1", 9, 1);
    let other = [("authorization", "Basic of-another")];
    let id = uuid(RecordKind::NpsResponse, "mine");
    assert_eq!(api.ask_with(&format!("GET /resources/npsResponses/{id}"), &other, "").status, 404);
    let none = r#"200 {"results":[],"next":null,"atEnd":true}"#;
    api.check_with("GET /resources/npsResponses", &other, "", none);
}
