//! Deleting, and receipts.

use muster_store::credentials::Scopes;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::harness::Api;

const SENT: &str = r#"[
    {"type":"account","accountId":"a","organizationId":"o","messageId":"1","timestamp":"2025-01-01T00:00:00Z"},
    {"type":"user","userId":"u","accountId":"a","messageId":"1","timestamp":"2025-01-01T00:00:00Z","traits":{"email":"u@example.com"}},
    {"type":"user","userId":"v","accountId":"b","messageId":"1","timestamp":"2025-01-01T00:00:00Z"},
    {"type":"track","userId":"u","event":"e","messageId":"1","timestamp":"2025-01-02T00:00:00Z"}]"#;

/// Deletes a record; where its receipt is.
#[track_caller]
fn delete(api: &Api, path: &str) -> String {
    api.pass_seconds(1);
    let answer = api.ask(&format!("DELETE /resources/{path}"), "");
    assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{path}");
    let location = answer.header("location").to_owned();
    assert!(location.starts_with("/resources/deletions/"), "{location}");
    location
}

#[test]
fn a_user_is_gone_and_its_receipt_says_so() {
    let api = Api::new();
    api.send(SENT);
    let location = delete(&api, "users/u");
    assert_eq!(api.ask("GET /resources/users/u", "").status, 404);
    assert_eq!(api.read("/resources/accounts/a")["usersCount"], 0);
    assert_eq!(api.read("/resources/accounts/a/events")["results"].as_array().map(Vec::len), Some(0));
    let receipt = api.read(&location);
    assert_eq!(receipt["status"], "finished");
    assert_eq!(receipt["record"]["kind"], "user");
    assert_eq!((&receipt["removed"]["users"], &receipt["removed"]["messages"]), (&1.into(), &2.into()));
    assert_eq!((&receipt["number"], &receipt["requestedBy"]), (&1.into(), &1.into()));
    assert!(!receipt.to_string().contains("u@example.com"));
    assert_eq!(api.ask("DELETE /resources/users/u", "").status, 404);
    assert_eq!(api.ask("DELETE /resources/users/nobody", "").status, 404);
    api.check(
        "GET /resources/deletions/0",
        "",
        r#"404 {"error":"there is no such deletion; its id or external id is not known here"}"#,
    );
}

#[test]
fn a_receipts_hash_can_be_computed_by_anyone() {
    let api = Api::new();
    api.send(SENT);
    let first = api.ask(&format!("GET {}", delete(&api, "users/u")), "").body;
    let second = api.ask(&format!("GET {}", delete(&api, "users/v")), "").body;
    let (text, _) = first.split_once(",\"hash\":").expect("a hash");
    let hash: String = Sha256::digest(format!("{text}}}")).iter().map(|byte| format!("{byte:02x}")).collect();
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(json(&first)["hash"], hash.as_str());
    assert_eq!(json(&second)["previous"], hash.as_str());
    let listed = api.read("/resources/deletions?limit=1");
    assert_eq!(listed["results"][0]["hash"], json(&second)["hash"]);
    assert!(listed["results"][0].get("records").is_none());
    let next = listed["next"].as_str().unwrap();
    let listed = api.read(&format!("/resources/deletions?limit=1&from={next}"));
    assert_eq!((&listed["results"][0]["hash"], &listed["atEnd"]), (&json(&first)["hash"], &true.into()));
}

#[test]
fn what_arrives_late_is_taken_and_said_to_be_deleted() {
    let api = Api::new();
    api.send(SENT);
    delete(&api, "accounts/a");
    assert_eq!(api.ask("GET /resources/users/u", "").status, 404, "no other account has the user");
    api.send(SENT);
    assert_eq!(api.ask("GET /resources/accounts/a", "").status, 404);
    let answer = api.ask_with("POST /analytics/v1/batch", &[("prefer", "return=representation")], SENT);
    let statuses: Vec<String> = answer.json()["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["status"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        (answer.status, statuses),
        (200, ["deleted", "deleted", "duplicate", "deleted"].map(str::to_owned).to_vec())
    );
    api.pass_seconds(60);
    api.send(r#"[{"type":"user","userId":"u","accountId":"a","messageId":"9"}]"#);
    assert_eq!(api.read("/resources/users/u")["traits"], serde_json::json!({}));
}

#[test]
fn a_day_may_be_given_and_called_off() {
    let api = Api::new();
    api.send(SENT);
    for wrong in ["", "soon", "2026-13-01", "2026-02-01T00:00:00Z"] {
        assert_eq!(api.ask(&format!("DELETE /resources/users/u?deleteOn={wrong}"), "").status, 400, "{wrong}");
    }
    let location = delete(&api, "users/u?deleteOn=2026-02-01");
    let receipt = api.read(&location);
    assert_eq!(
        (&receipt["status"], &receipt["deleteOn"]),
        (&"scheduled".into(), &"2026-02-01T00:00:00.000000Z".into())
    );
    assert_eq!(api.ask("GET /resources/users/u", "").status, 200);
    assert_eq!(api.ask(&format!("DELETE {location}"), "").status, 204);
    assert_eq!(api.read(&location)["status"], "cancelled");
    assert_eq!(api.ask(&format!("DELETE {location}"), "").status, 400);
}

#[test]
fn receipts_carry_deletions_over_to_a_restored_store() {
    let api = Api::new();
    api.send(SENT);
    let receipt = api.ask(&format!("GET {}", delete(&api, "users/u")), "").body;
    let restored = Api::new();
    restored.send(SENT);
    restored.pass_seconds(5);
    restored.check("POST /resources/deletions", &receipt, r#"200 {"carriedOut":1,"known":0,"notHere":0}"#);
    assert_eq!(restored.ask("GET /resources/users/u", "").status, 404);
    restored.check("POST /resources/deletions", &receipt, r#"200 {"carriedOut":0,"known":1,"notHere":0}"#);
    assert_eq!(restored.ask("POST /resources/deletions", "{}").status, 400);
    assert_eq!(restored.ask("GET /resources/users/v", "").status, 200);
}

/// A receipt with a hash that anybody could have written was once carried out, and one from the future had every message
/// about its user dropped until then.
#[test]
fn a_receipt_is_believed_for_its_hash_alone() {
    let api = Api::new();
    api.send(SENT);
    let first = api.ask(&format!("GET {}", delete(&api, "users/u")), "").body;
    let second = api.ask(&format!("GET {}", delete(&api, "users/v")), "").body;
    let restored = Api::new();
    restored.send(SENT);
    restored.pass_seconds(5);
    let sealed = |text: &str| {
        let hash: String = Sha256::digest(format!("{text}}}")).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{text},\"hash\":\"{hash}\"}}")
    };
    let (text, _) = first.split_once(",\"hash\":").unwrap();
    let applied = |at: &str| {
        let (before, after) = text.split_once("\"appliedAt\":\"").unwrap();
        format!("{before}\"appliedAt\":\"{at}\"{}", after.split_once('"').unwrap().1)
    };
    let wrong = [
        (format!("{text},\"hash\":\"00\"}}"), "does not have the hash"),
        (first.replace("\"requestedBy\":1", "\"requestedBy\":2"), "does not have the hash"),
        (format!("{text},\"hash\":null}}"), "has no hash"),
        (format!("{text}}}"), "has no hash"),
        (sealed(&applied("2099-01-01T00:00:00Z")), "says that it was applied at an instant that has not come yet"),
        (sealed(&applied("soon")), "is no receipt"),
        ("{".to_owned(), "is no receipt"),
        ("{}".to_owned(), "is no receipt"),
    ];
    for (line, why) in &wrong {
        let answer = restored.ask("POST /resources/deletions", &format!("{second}\n\n{line}\n"));
        assert_eq!(answer.status, 400, "{line}");
        assert!(answer.body.contains(&format!("line 3 {why}")), "{line}: {}", answer.body);
    }
    assert_eq!(restored.ask("GET /resources/users/u", "").status, 200);
    assert_eq!(restored.ask("GET /resources/users/v", "").status, 200, "none is carried out when one is wrong");
    restored.check("POST /resources/deletions", &second, r#"200 {"carriedOut":1,"known":0,"notHere":0}"#);
    // In another workspace nothing has these UUIDs.
    restored.key("other", "test-token-of-another-workspace", Scopes::ALL);
    let other = [("authorization", "Basic test-token-of-another-workspace")];
    let expected = r#"200 {"carriedOut":1,"known":0,"notHere":1}"#;
    restored.check_with("POST /resources/deletions", &other, &first, expected);
    assert_eq!(restored.ask("GET /resources/users/u", "").status, 200);
}

/// What was scheduled once stayed so, and would have deleted a record that came to be long after.
#[test]
fn a_deletion_at_once_ends_what_was_scheduled() {
    let api = Api::new();
    api.send(SENT);
    let later = delete(&api, "users/u?deleteOn=2026-02-01");
    let latest = delete(&api, "users/u?deleteOn=2026-03-01");
    let other = delete(&api, "users/v?deleteOn=2026-02-01");
    delete(&api, "accounts/a");
    for location in [&later, &latest] {
        let receipt = api.read(location);
        assert_eq!((&receipt["status"], receipt.get("cancelledBy")), (&"cancelled".into(), None), "{receipt}");
    }
    assert_eq!(api.read(&other)["status"], "scheduled");
    let listed = api.read("/resources/deletions");
    let statuses = listed["results"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap());
    assert_eq!(statuses.collect::<Vec<_>>(), ["finished", "scheduled", "cancelled", "cancelled"]);
}

/// The receipts of years, and of deletions that covered much, are larger than a page of anything.
#[test]
fn receipts_are_taken_within_the_bound_of_every_body() {
    let api = Api::new();
    api.send(SENT);
    let receipt = api.ask(&format!("GET {}", delete(&api, "users/u")), "").body;
    let many = format!("{receipt}\n").repeat(3 * 1024 * 1024 / receipt.len());
    let count = many.lines().count();
    api.check("POST /resources/deletions", &many, &format!(r#"200 {{"carriedOut":0,"known":{count},"notHere":0}}"#));
    let too_many = " ".repeat(21 * 1024 * 1024);
    let refused = api.ask("POST /resources/deletions", &too_many);
    assert_eq!(refused.status, 413);
    assert!(refused.json()["error"].to_string().contains("bytes"), "{}", refused.body);
}

#[test]
fn scopes_and_workspaces() {
    let api = Api::new();
    api.send(SENT);
    api.key("default", "test-token-that-reads", Scopes::READ);
    api.key("other", "test-token-of-another-workspace", Scopes::ALL);
    let reads = [("authorization", "Basic test-token-that-reads")];
    assert_eq!(api.ask_with("DELETE /resources/users/u", &reads, "").status, 403);
    let location = delete(&api, "users/u");
    let other = [("authorization", "Basic test-token-of-another-workspace")];
    assert_eq!(api.ask_with(&format!("GET {location}"), &other, "").status, 404);
    assert_eq!(api.ask_with("DELETE /resources/users/v", &other, "").status, 404);
    assert_eq!(api.ask_with(&format!("GET {location}"), &reads, "").status, 200);
    assert_eq!(api.ask_with("POST /resources/deletions", &reads, "").status, 403);
}
