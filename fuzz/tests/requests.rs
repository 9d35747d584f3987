//! Whatever a client sends is answered, in every encoding, with one of the statuses of the contract and with JSON.

use std::{io::Write, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use muster_fuzz::fuzz;
use muster_model::time::Micros;
use muster_server::{AppState, ServerSettings, keys::Token, router};
use muster_store::{
    clock::{Clock, SystemClock},
    credentials::{Credentials, NewKey, Scopes},
    memory::MemoryStore,
};
use serde_json::Value;
use tower::ServiceExt;

const TOKEN: &str = "fuzz-token-0123456789";
const PATHS: [&str; 14] = [
    "/analytics/v1/batch",
    "/analytics/v1/batch?atomic=true",
    "/analytics/v1/organization",
    "/analytics/v1/account",
    "/analytics/v1/user",
    "/analytics/v1/track",
    "/analytics/v1/unlink",
    "/analytics/v1/customobjectinstance",
    "/admin/v1/keys",
    "/v1/batch",
    "/v1/identify",
    "/v1/group",
    "/v1/screen",
    "/rudderstack",
];
/// Where the paths of the Segment spec begin.
const CALLS_FROM: u8 = 9;
const CALLS: [&str; 5] = [
    r#"{"sentAt":"2026-01-01T00:00:01Z","context":{"groupId":"g"},"writeKey":"k","batch":[{"type":"track","userId":"u","event":"\ud83d","properties":{"accountId":1},"timestamp":"2026-01-01T00:00:00Z"},{"type":"alias","userId":"u","previousId":"x","messageId":"m"},7]}"#,
    r#"{"userId":"u","anonymousId":"x","traits":{"company":{"id":"c","remove":true},"a":[]},"context":{"traits":{"b":null}},"messageId":"m"}"#,
    r#"{"groupId":"g","userId":7,"traits":{"isOrganization":true,"organizationId":"o"},"timestamp":1700000000}"#,
    r#"{"anonymousId":"x","name":"S\u0000","category":"c","properties":{"name":"n"}}"#,
    r#"{"type":"PAGE","userId":"u","properties":[],"originalTimestamp":"2026-01-01T00:00:00.000000001+01:00","v":NaN}"#,
];

/// The first byte chooses the path, the second the encoding and whether the body is encoded well.
#[test]
fn every_request_is_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The twin holds everything in memory, so it is made anew now and then.
    let store = || {
        let store = Arc::new(MemoryStore::new());
        let token_hash = Token::from_text(TOKEN).unwrap().hash();
        let new = NewKey {
            workspace_name: "default".to_owned(),
            name: String::new(),
            scopes: Scopes::ALL,
            token_hash,
            created_at: Micros(1),
        };
        runtime.block_on(store.create_key(new)).unwrap();
        let settings = ServerSettings { requests_per_minute: 1_000_000_000, ..ServerSettings::default() };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        router(AppState::new(store, clock, settings))
    };
    let current = std::cell::RefCell::new((0, store()));
    let calls = (CALLS_FROM..).zip(CALLS).map(|(path, call)| [&[path, 0], call.as_bytes()].concat());
    let tried = fuzz("requests", &calls.collect::<Vec<_>>(), |input| {
        let [path, encoding, body @ ..] = input else { return };
        let router = {
            let mut current = current.borrow_mut();
            if current.0 >= 500 {
                *current = (0, store());
            }
            current.0 += 1;
            current.1.clone()
        };
        let (name, body) = encode(*encoding, body);
        let mut request = Request::post(PATHS[*path as usize % PATHS.len()])
            .header("authorization", format!("Basic {TOKEN}"))
            .header("prefer", "return=representation");
        if !name.is_empty() {
            request = request.header("content-encoding", name);
        }
        let answer = runtime.block_on(router.oneshot(request.body(Body::from(body)).unwrap())).unwrap();
        let status = answer.status().as_u16();
        let text = runtime.block_on(to_bytes(answer.into_body(), 1 << 26)).unwrap();
        assert!([200, 400, 403, 409, 413, 415].contains(&status), "{status}: {}", String::from_utf8_lossy(&text));
        let json: Value = serde_json::from_slice(&text).unwrap();
        assert!(json.is_object(), "{json}");
    });
    println!("{tried} requests");
}

/// A good half of the bodies are encoded as they say, so that what they hold is read; the others are noise.
fn encode(choice: u8, body: &[u8]) -> (&'static str, Vec<u8>) {
    let good = choice & 0x10 == 0;
    match choice % 5 {
        1 if good => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(body).unwrap();
            ("gzip", out.finish().unwrap())
        }
        2 if good => ("zstd", zstd::encode_all(body, 1).unwrap()),
        3 if good => {
            let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(body).unwrap();
            ("deflate", out.finish().unwrap())
        }
        4 if good => {
            let mut out = Vec::new();
            brotli::CompressorWriter::new(&mut out, 4096, 1, 16).write_all(body).unwrap();
            ("br", out)
        }
        1 => ("gzip", body.to_vec()),
        2 => ("zstd", body.to_vec()),
        3 => ("deflate", body.to_vec()),
        4 => ("br", body.to_vec()),
        _ => ("", body.to_vec()),
    }
}
