//! What libraries ask for before they start.

use crate::harness::{Api, TOKEN};

const NOBODY: (&str, &str) = ("authorization", "");

#[test]
fn segment_libraries_are_told_to_send_here_and_nowhere_else() {
    let api = Api::new();
    for path in ["/v1/projects", "/projects"] {
        let line = format!("GET {path}/{TOKEN}/settings");
        let answer =
            api.ask_with(&line, &[NOBODY, ("host", "cdp.example:8443"), ("origin", "https://app.example")], "");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "https://app.example"));
        let settings = answer.json();
        let integrations = settings["integrations"].as_object().unwrap();
        assert_eq!(integrations.keys().collect::<Vec<_>>(), ["Segment.io"]);
        assert_eq!(integrations["Segment.io"]["apiHost"], "cdp.example:8443/v1");
        assert_eq!(
            (&integrations["Segment.io"]["protocol"], &integrations["Segment.io"]["apiKey"]),
            (&"http".into(), &TOKEN.into())
        );
        assert_eq!(settings["metrics"]["sampleRate"], 0);
        let proxied =
            [NOBODY, ("host", "10.0.0.1"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "cdp.example")];
        let segment = &api.ask_with(&line, &proxied, "").json()["integrations"]["Segment.io"];
        assert_eq!((&segment["protocol"], &segment["apiHost"]), (&"https".into(), &"cdp.example/v1".into()));
    }
}

#[test]
fn rudderstack_libraries_have_no_other_destination() {
    let api = Api::new();
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{TOKEN}:"));
    for (target, header) in [
        (format!("/sourceConfig/?p=npm&writeKey={TOKEN}"), String::new()),
        ("/sourceConfig".to_owned(), format!("Basic {basic}")),
    ] {
        let answer = api.ask_with(&format!("GET {target}"), &[("authorization", &header)], "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let source = &answer.json()["source"];
        assert_eq!((&source["enabled"], &source["destinations"]), (&true.into(), &serde_json::json!([])));
        assert_eq!(source["config"]["statsCollection"]["metrics"]["enabled"], false);
    }
}

#[test]
fn keys_that_are_not_known_get_none() {
    let api = Api::new();
    for (target, code) in [
        ("/v1/projects/nobody/settings", "invalid_write_key"),
        ("/sourceConfig/?writeKey=nobody", "invalid_write_key"),
        ("/sourceConfig/", "no_write_key"),
    ] {
        let answer = api.ask_with(&format!("GET {target}"), &[NOBODY], "");
        assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some(code)), "{target}");
    }
}

#[test]
fn whoever_is_recognised_is_told_of_the_allowance() {
    let api = Api::with(|settings| settings.requests_per_minute = 2);
    let line = format!("GET /v1/projects/{TOKEN}/settings");
    for (status, left) in [(200, "1"), (200, "0"), (429, "0")] {
        let answer = api.ask_with(&line, &[NOBODY], "");
        assert_eq!((answer.status, answer.header("ratelimit-limit")), (status, "2, 2;window=60"), "{}", answer.body);
        assert_eq!(answer.header("ratelimit-remaining"), left);
        assert_ne!(answer.header("ratelimit-reset"), "");
        assert_eq!(answer.header("retry-after").is_empty(), status == 200);
    }
}
