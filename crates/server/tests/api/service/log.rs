//! What stands in the log, and what never does.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tracing_subscriber::fmt::MakeWriter;

use crate::harness::{Api, TOKEN};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

/// The lines that a server logs while something is asked of it.
fn lines(api: &Api, ask: impl FnOnce(&Api)) -> Vec<String> {
    let log = Log::default();
    let level = tracing::Level::TRACE;
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(log.clone());
    tracing::subscriber::with_default(subscriber.finish(), || ask(api));
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn one_event_for_each_request_with_numbers_only() {
    let api = Api::new();
    let check = |line: &str, body: &str, expected: &str| {
        let lines = lines(&api, |api| drop(api.ask(line, body)));
        assert_eq!(lines.len(), 1, "{lines:?}");
        let (_, event) = lines[0].split_once(" INFO muster::request: request ").unwrap();
        let took = event.split(' ').find(|field| field.starts_with("duration_us=")).unwrap();
        assert_eq!(event.replace(took, "duration_us=_"), expected);
    };
    let batch = r#"[{"type":"user","userId":"secret","accountId":"a","messageId":"1","traits":{"email":"a@example.com"}},{"type":"user"}]"#;
    check(
        "POST /analytics/v1/batch?secret=1",
        batch,
        r#"method="POST" route="/analytics/v1/batch" status=400 duration_us=_ workspace=1 key=1 messages=2 refused=1"#,
    );
    check(
        "GET /resources/users/secret?secret=2",
        "",
        r#"method="GET" route="/resources/users/{id}" status=200 duration_us=_ workspace=1 key=1"#,
    );
    check(
        "GET /resources/users",
        "",
        r#"method="GET" route="/resources/users" status=200 duration_us=_ workspace=1 key=1 results=1"#,
    );
    check("GET /secret/path", "", r#"method="GET" route="none" status=404 duration_us=_"#);
}

#[test]
fn tokens_and_customers_are_never_in_it() {
    let api = Api::new();
    let lines = lines(&api, |api| {
        api.ask("POST /admin/v1/keys", r#"{"name":"secret-name","scopes":["read"]}"#);
        api.ask(
            "POST /analytics/v1/user",
            r#"{"userId":"secret-user","traits":{"email":"secret-mail"},"messageId":"1"}"#,
        );
        api.ask("POST /analytics/v1/batch", "secret nonsense");
        api.ask("GET /resources/users/secret-user/events?event=secret-event&from=secret", "");
        api.ask("GET /resources/refused", "");
        api.ask_with("GET /resources/users", &[("authorization", "Basic secret-token")], "");
        let call = r#"{"type":"track","userId":"secret-user","event":"secret-event","writeKey":"secret-key"}"#;
        api.ask_with("POST /v1/track?writeKey=secret-key", &[("authorization", "")], call);
        api.ask_with(&format!("POST /v1/batch?writeKey={TOKEN}"), &[("authorization", "")], "secret nonsense");
        api.ask_with(&format!("POST /beacon/v1/batch?writeKey={TOKEN}"), &[], format!(r#"{{"batch":[{call},7]}}"#));
        api.ask(&format!("GET /v1/projects/{TOKEN}/settings"), "");
        api.ask("GET /v1/projects/secret-key/settings", "");
        api.ask("GET /sourceConfig/?writeKey=secret-key", "");
    });
    assert_eq!(lines.len(), 12, "{lines:?}");
    for line in &lines {
        assert!(!line.contains("secret") && !line.contains(TOKEN) && !line.contains("mk_"), "{line}");
    }
}

#[test]
fn what_a_client_is_not_told_is_logged_once() {
    let api = Api::new();
    api.store.stop("the disk said no");
    let lines = lines(&api, |api| {
        let answer = api.ask("POST /analytics/v1/account", r#"{"accountId":"a","messageId":"1"}"#);
        assert!(answer.status == 503 && !answer.body.contains("disk"), "{answer:?}");
    });
    let errors: Vec<&String> = lines.iter().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{lines:?}");
    assert!(errors[0].ends_with("the store takes no writes reason=the disk said no"), "{}", errors[0]);
}
