//! Figures.

use crate::harness::Api;

#[test]
fn what_happened_is_counted() {
    let api = Api::with(|settings| settings.requests_per_minute = 6);
    let good = r#"{"type":"account","accountId":"a","messageId":"1"}"#;
    let bad = r#"{"type":"user","userId":"secret-id","messageId":"1"}"#;
    let conflict = good.replace("\"1\"", "\"1\",\"traits\":{\"x\":1}");
    for batch in [format!("[{good},{bad}]"), format!("[{good},{conflict}]")] {
        api.ask("POST /analytics/v1/batch", &batch);
    }
    for _ in 0..3 {
        api.ask("GET /resources/accounts/secret-id", "");
    }
    api.ask("GET /resources/accounts/a", "");
    assert_eq!(api.ask("GET /resources/users", "").status, 429);
    api.ask_with("GET /resources/users", &[("authorization", "Basic nobody")], "");
    api.ask("GET /nowhere", "");
    api.ask("BREW /healthz", "");
    let answer = api.ask_with("GET /metrics", &[("authorization", "")], "");
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"), "{answer:?}");
    for line in [
        r#"muster_http_requests_total{method="POST",route="/analytics/v1/batch",status="400"} 1"#,
        r#"muster_http_requests_total{method="POST",route="/analytics/v1/batch",status="200"} 1"#,
        r#"muster_http_requests_total{method="GET",route="/resources/accounts/{id}",status="404"} 3"#,
        r#"muster_http_requests_total{method="GET",route="none",status="404"} 1"#,
        r#"muster_http_requests_total{method="other",route="/healthz",status="405"} 1"#,
        r#"muster_http_request_duration_seconds_count{route="/analytics/v1/batch"} 2"#,
        r#"muster_ingest_messages_total{outcome="stored"} 1"#,
        r#"muster_ingest_messages_total{outcome="duplicate"} 1"#,
        r#"muster_ingest_messages_total{outcome="conflict"} 1"#,
        r#"muster_ingest_messages_total{outcome="refused"} 1"#,
        r#"muster_ingest_refused_total{code="user_needs_parent"} 1"#,
        "muster_ingest_in_flight_bytes 0",
        "muster_requests_unrecognised_total 1",
        "muster_requests_rate_limited_total 1",
        "muster_store_messages_stored_total 1",
        "muster_store_messages_conflict_total 1",
        "muster_store_ready 1",
        "# EOF",
    ] {
        assert!(answer.body.lines().any(|known| known == line), "no line {line} in\n{}", answer.body);
    }
    assert!(!answer.body.contains("secret-id"), "ids of customers are no labels");
    assert_eq!(
        api.ask_with("GET /metrics", &[("authorization", "")], "").body.matches("# TYPE muster_http_requests ").count(),
        1
    );
    check_documented(&answer.body);
}

/// The list in the documentation has every figure, and none that there is not.
fn check_documented(body: &str) {
    let (_, list) = include_str!("../../../../../docs/operations.md").split_once("## Figures").unwrap();
    let (list, _) = list.split_once("\n## ").unwrap();
    let mut told: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let shown = body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let mut shown: Vec<String> =
        shown.map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() }).collect();
    assert_eq!(told.iter().filter(|name| name.starts_with("muster_forward_")).count(), 9);
    // They are there only with a destination, and with a disk.
    told.retain(|name| !name.starts_with("muster_forward_") && *name != "muster_store_free_bytes");
    shown.retain(|name| name != "muster_store_free_bytes");
    told.sort_unstable();
    shown.sort_unstable();
    assert_eq!(shown, told);
}
