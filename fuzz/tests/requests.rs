//! Whatever a client sends is answered, in every encoding, with one of the statuses of the contract and with JSON; whatever it
//! asks for, without a fault of the server.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{Request, Uri, request},
};
use bolero::check;
use muster_model::time::Micros;
use muster_server::{AppState, ServerSettings, keys::Token, router};
use muster_store::{
    clock::{Clock, SystemClock},
    credentials::{Credentials, NewKey, Scopes},
    memory::MemoryStore,
};
use serde_json::Value;
use tokio::runtime::Runtime;
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

/// What a reader may ask about.
const STORED: &str = r#"[
    {"type":"organization","organizationId":"o","messageId":"1","timestamp":"2024-01-01T00:00:00Z","traits":{"name":"O"}},
    {"type":"account","accountId":"a","organizationId":"o","messageId":"2","timestamp":"2024-01-01T00:00:00Z","traits":{"mrr":7}},
    {"type":"user","userId":"u","accountId":"a","messageId":"3","timestamp":"2024-01-02T00:00:00Z","traits":{"plan":"e","x.y":null}},
    {"type":"track","event":"e","userId":"u","messageId":"4","timestamp":"2024-01-03T00:00:00Z","properties":{"a":[1,{}]}},
    {"type":"customobjectinstance","externalId":"x","customObjectId":"c","accountId":"a","name":"n","messageId":"5"}
]"#;

/// A server over a store in memory that holds nothing but a key.
fn server(runtime: &Runtime) -> Router {
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
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The status and the body of an answer.
fn answer(runtime: &Runtime, router: Router, request: request::Builder, body: Vec<u8>) -> (u16, Bytes) {
    let request = request.header("authorization", format!("Basic {TOKEN}")).body(Body::from(body)).unwrap();
    runtime.block_on(async {
        let answer = router.oneshot(request).await.unwrap();
        (answer.status().as_u16(), to_bytes(answer.into_body(), 1 << 26).await.unwrap())
    })
}

/// The input is what stands in the first line of a request.
#[test]
fn every_read_is_answered() {
    let runtime = runtime();
    let router = server(&runtime);
    let (status, says) =
        answer(&runtime, router.clone(), Request::post("/analytics/v1/batch"), STORED.as_bytes().to_vec());
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&says));
    let router = Mutex::new(router);
    check!(name = "reads").for_each(|input: &[u8]| {
        let Some(uri) = Uri::try_from(input).ok().filter(|uri| uri.path().starts_with('/')) else { return };
        let (status, says) = answer(&runtime, router.lock().unwrap().clone(), Request::get(uri), Vec::new());
        assert!(status < 500, "{status}: {}", String::from_utf8_lossy(&says));
    });
}

/// The first byte chooses the path, the second the encoding and whether the body is encoded well.
#[test]
fn every_request_is_answered() {
    let runtime = runtime();
    // The twin holds everything in memory, so it is made anew now and then.
    let current = Mutex::new((0, server(&runtime)));
    check!(name = "requests").for_each(|input: &[u8]| {
        let [path, encoding, body @ ..] = input else { return };
        let router = {
            let mut current = current.lock().unwrap();
            if current.0 >= 500 {
                *current = (0, server(&runtime));
            }
            current.0 += 1;
            current.1.clone()
        };
        let (name, body) = encode(*encoding, body);
        let mut request = Request::post(PATHS[*path as usize % PATHS.len()]).header("prefer", "return=representation");
        if !name.is_empty() {
            request = request.header("content-encoding", name);
        }
        let (status, text) = answer(&runtime, router, request, body);
        assert!([200, 400, 403, 409, 413, 415].contains(&status), "{status}: {}", String::from_utf8_lossy(&text));
        let json: Value = serde_json::from_slice(&text).unwrap();
        assert!(json.is_object(), "{json}");
    });
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
