//! A server to ask, and the one check that compares its answers.
//!
//! In what a test expects, `<user:32>` stands for the UUID of user 32 of workspace `default` (`account`, `organization`
//! likewise) and `<now>` for the clock's time. A request's body may hold them as well.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Request},
};
use muster_model::{
    draft::Draft,
    id::{IdSpace, RecordId},
    kind::{Kind, RecordKind},
    kinds::{Context, check, check_typed},
    limits::MessageLimits,
    time::Micros,
};
use muster_server::{AppState, ServerSettings, keys::Token, router};
use muster_store::{
    clock::{Clock, ManualClock},
    credentials::{Credentials, NewKey, Scopes},
    memory::MemoryStore,
    refused::{RefusedId, Way},
};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

pub const TOKEN: &str = "test-token-of-the-default-workspace";
pub const OPERATOR: &str = "test-token-of-the-operator";
const NOW: &str = "2026-01-01T00:00:00.000Z";

/// A server of one test.
pub struct Api {
    pub runtime: Runtime,
    pub store: Arc<MemoryStore>,
    pub clock: Arc<ManualClock>,
    pub state: AppState,
    router: Router,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

impl Api {
    /// A server with a key of every scope in workspace `default`.
    pub fn new() -> Api {
        Api::with(|_| {})
    }

    /// The same with other settings.
    pub fn with(change: impl FnOnce(&mut ServerSettings)) -> Api {
        Api::over(MemoryStore::new(), change)
    }

    /// The same over a store that was made ready.
    pub fn over(store: MemoryStore, change: impl FnOnce(&mut ServerSettings)) -> Api {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (store, clock) = (Arc::new(store), Arc::new(ManualClock::new(now())));
        let mut settings = ServerSettings { operator_token: Token::from_text(OPERATOR), ..ServerSettings::default() };
        change(&mut settings);
        let state = AppState::new(store.clone(), clock.clone(), settings);
        let api = Api { runtime, store, clock, router: router(state.clone()), state };
        if api.store.keys().is_empty() {
            api.key("default", TOKEN, Scopes::ALL);
        }
        api
    }

    /// Makes a key.
    pub fn key(&self, workspace: &str, token: &str, scopes: Scopes) {
        let token_hash = Token::from_text(token).unwrap().hash();
        let created_at = self.clock.now();
        let new =
            NewKey { workspace_name: workspace.to_owned(), name: "test".to_owned(), scopes, token_hash, created_at };
        self.runtime.block_on(self.store.create_key(new)).unwrap();
    }

    /// Moves the clock by seconds.
    pub fn pass_seconds(&self, seconds: i64) {
        self.clock.set(self.clock.now().plus_micros(seconds * 1_000_000));
    }

    /// Begins a request whose answer does not end by itself.
    pub fn stream(&self, line: &str, headers: &[(&str, &str)]) -> axum::response::Response {
        let (method, target) = line.split_once(' ').expect("a method and a target");
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        self.runtime.block_on(async { self.router.clone().oneshot(request).await.unwrap() })
    }

    /// Sends a request with the default token unless the headers hold another one.
    pub fn ask_with(&self, line: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let (method, target) = line.split_once(' ').expect("a method and a target");
        let mut request = Request::builder().method(method).uri(target);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            request = request.header("authorization", format!("Basic {TOKEN}"));
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.into())).unwrap();
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (head, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            let body = String::from_utf8(body.to_vec()).expect("answers are UTF-8");
            Answer { status: head.status.as_u16(), headers: head.headers, body }
        })
    }

    /// Sends a request with the default token and takes the head of its answer only.
    pub fn begin(&self, line: &str, body: &str) -> axum::response::Response {
        let (method, target) = line.split_once(' ').expect("a method and a target");
        let request = Request::builder().method(method).uri(target).header("authorization", format!("Basic {TOKEN}"));
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let answer = self.runtime.block_on(self.router.clone().oneshot(request)).unwrap();
        assert_eq!(answer.status(), 200);
        answer
    }

    /// Sends a request with the default token.
    pub fn ask(&self, line: &str, body: &str) -> Answer {
        self.ask_with(line, &[], expand(body))
    }

    /// Compares status and body of an answer, both whole.
    #[track_caller]
    pub fn check(&self, line: &str, body: &str, expected: &str) {
        self.check_with(line, &[], body, expected);
    }

    /// The same with headers of the request.
    #[track_caller]
    pub fn check_with(&self, line: &str, headers: &[(&str, &str)], body: &str, expected: &str) {
        let answer = self.ask_with(line, headers, expand(body));
        let found = format!("{} {}", answer.status, answer.body);
        assert_eq!(found.trim_end(), expand(expected), "{line}");
    }

    /// Sends messages that must all be taken.
    #[track_caller]
    pub fn send(&self, batch: &str) {
        self.check("POST /analytics/v1/batch", batch, r#"200 {"message":"Success."}"#);
    }

    /// Reads a JSON document that must be there.
    #[track_caller]
    pub fn read(&self, target: &str) -> Value {
        let answer = self.ask(&format!("GET {target}"), "");
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        answer.json()
    }

    /// The external ids of a page of records, and where the next page starts.
    #[track_caller]
    pub fn page(&self, target: &str) -> (Vec<String>, Option<String>) {
        let page = self.read(target);
        let ids = page["results"].as_array().unwrap().iter();
        let ids = ids.map(|record| record["externalId"].as_str().unwrap().to_owned()).collect();
        let next = page["next"].as_str().map(str::to_owned);
        assert_eq!(page["atEnd"], next.is_none(), "{page}");
        (ids, next)
    }
}

/// The time at which a test's clock starts.
pub fn now() -> Micros {
    Micros::parse(NOW).unwrap()
}

/// The UUID of a record of workspace `default`.
pub fn uuid(kind: RecordKind, external_id: &str) -> RecordId {
    IdSpace::new("default").record(kind, external_id)
}

/// The identity of a message as a batch holds it, or on the path of its kind.
pub fn identity(kind: Option<Kind>, message: &str) -> String {
    let limits = MessageLimits::default();
    let context = Context { ids: IdSpace::new("default"), received_at: now(), limits };
    let draft = Draft::from_text(message, limits.message_depth_max);
    let checked = kind.map_or_else(|| check_typed(&draft, &context), |kind| check(kind, &draft, &context));
    checked.unwrap().identity.to_string()
}

/// The id under which a refused message is set aside.
pub fn refused_id(kind: Option<Kind>, message: &str) -> String {
    RefusedId::of_body(kind.map_or(Way::Batch, Way::Kind), message.as_bytes()).to_string()
}

/// Text with its placeholders filled in.
pub fn expand(text: &str) -> String {
    let mut out = text.replace("<now>", NOW);
    for (name, kind) in
        [("user", RecordKind::User), ("account", RecordKind::Account), ("organization", RecordKind::Organization)]
    {
        let marker = format!("<{name}:");
        while let Some(at) = out.find(&marker) {
            let end = at + out[at..].find('>').expect("a placeholder ends");
            let id = uuid(kind, &out[at + marker.len()..end]).to_string();
            out.replace_range(at..=end, &id);
        }
    }
    out
}
