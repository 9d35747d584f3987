//! Pages of other origins.

use super::BATCH;
use crate::harness::Api;

const ORIGIN: (&str, &str) = ("origin", "https://app.example");

#[test]
fn every_path_answers_its_preflight() {
    let api = Api::new();
    let document = api.ask_with("GET /openapi.json", &[("authorization", "")], "").json();
    let paths = document["paths"].as_object().unwrap();
    let paths =
        paths.iter().filter(|(_, item)| item["options"].is_object()).map(|(path, _)| path.replace("{key}", "k"));
    let paths: Vec<String> = paths.collect();
    assert_eq!(paths.len(), 4 + 6 + 6 + 1 + 3, "{paths:?}");
    for path in paths {
        let asked = "authorization,content-type,x-retry-count, anonymousid,x-of-tomorrow";
        let headers = [
            ("authorization", ""),
            ORIGIN,
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", asked),
            ("access-control-request-private-network", "true"),
        ];
        let answer = api.ask_with(&format!("OPTIONS {path}"), &headers, "");
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        assert_eq!(answer.header("vary"), "Origin");
        let method = if path.contains("settings") || path.contains("sourceConfig") { "GET" } else { "POST" };
        assert_eq!(answer.header("access-control-allow-methods"), format!("{method}, OPTIONS"));
        assert_eq!(answer.header("access-control-allow-private-network"), "true");
        let allowed = answer.header("access-control-allow-headers").to_lowercase();
        let allowed: Vec<&str> = allowed.split(", ").collect();
        for name in ["authorization", "content-type", "anonymousid", "sentat", "x-retry-count", "x-of-tomorrow"] {
            assert!(allowed.contains(&name), "{name}: {allowed:?}");
        }
    }
}

#[test]
fn every_answer_can_be_read_by_the_page() {
    let api = Api::new();
    for body in [r#"{"batch":[]}"#, "nonsense", "{}"] {
        let answer = api.ask_with(BATCH, &[ORIGIN], body);
        assert_eq!(answer.header("access-control-allow-origin"), "https://app.example", "{}", answer.status);
        for name in ["Retry-After", "Muster-Refused"] {
            assert!(answer.header("access-control-expose-headers").contains(name));
        }
    }
    let answer = api.ask_with(BATCH, &[ORIGIN, ("authorization", "Basic nobody")], r#"{"batch":[]}"#);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (400, "https://app.example"));
    assert_eq!(api.ask(BATCH, r#"{"batch":[]}"#).header("access-control-allow-origin"), "*");
    // The other paths are for servers.
    let answer = api.ask_with("GET /resources/users", &[ORIGIN], "");
    assert_eq!(answer.header("access-control-allow-origin"), "");
}
