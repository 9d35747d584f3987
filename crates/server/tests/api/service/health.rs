//! Whether it lives and works.

use crate::harness::Api;

#[test]
fn both_answer_without_a_token() {
    let api = Api::new();
    let none = [("authorization", "")];
    api.check_with("GET /healthz", &none, "", r#"200 {"status":"ok"}"#);
    api.check_with("GET /readyz", &none, "", r#"200 {"status":"ready"}"#);
    assert_eq!(api.ask_with("HEAD /readyz", &none, "").status, 200);
    api.store.stop("a failed sync");
    api.check_with("GET /healthz", &none, "", r#"200 {"status":"ok"}"#);
    let stopped = r#"503 {"status":"stopped","error":"the store takes no writes until the server is restarted; its log says why"}"#;
    api.check_with("GET /readyz", &none, "", stopped);
}
