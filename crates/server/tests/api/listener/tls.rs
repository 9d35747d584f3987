//! Connections inside TLS keep every bound that plain ones keep, and one more: the time for a handshake.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use muster_server::{Certificate, ServerSettings, Tls};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use super::listening::{Listening, head, parts, read_to_end, request, send};

const GOOD: &str = r#"[{"type":"account","accountId":"a","messageId":"1"}]"#;
const SHORT: Duration = Duration::from_millis(200);

const AUTHORITY: &[u8] = include_bytes!("../../../../cli/tests/data/tls/authority.pem");
const CHAIN: &[u8] = include_bytes!("../../../../cli/tests/data/tls/one.pem");
const KEY: &[u8] = include_bytes!("../../../../cli/tests/data/tls/one.key.pem");

fn listening(change: impl FnOnce(&mut ServerSettings)) -> Listening {
    let certificate = Certificate::from_pem(CHAIN, KEY).unwrap();
    Listening::with(|settings| {
        settings.tls = Some(Tls::new(move || certificate.clone()));
        change(settings);
    })
}

/// A client that trusts the tests' authority and has shaken hands.
fn shake_hands(server: &Listening) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), server.connect());
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream
}

/// Everything up to the end that TLS itself announces.
fn read_all(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the server ends TLS in order");
    String::from_utf8(bytes).unwrap()
}

#[test]
fn requests_are_answered_inside_tls() {
    let server = listening(|settings| settings.idle_timeout = SHORT);
    let mut stream = shake_hands(&server);
    stream.write_all((request("POST /analytics/v1/batch", GOOD).repeat(2)).as_bytes()).unwrap();
    let answers = read_all(&mut stream);
    assert_eq!(answers.matches(r#"{"message":"Success."}"#).count(), 2, "{answers}");
    assert_eq!(server.figure("muster_tls_handshakes_failed_total"), 0);
}

#[test]
fn a_handshake_that_never_ends_is_cut_off() {
    let server = listening(|settings| settings.head_timeout = SHORT);
    let mut silent = server.connect();
    let mut halting = server.connect();
    // A record of 512 bytes that begins a handshake and goes no further.
    send(&mut halting, [0x16, 3, 1, 2, 0, 1]);
    assert_eq!((read_to_end(&mut silent), read_to_end(&mut halting)), (String::new(), String::new()));
    server.await_figure("muster_connections", 0);
    assert_eq!(server.figure("muster_connections_timed_out_total"), 2);
}

#[test]
fn a_head_inside_tls_may_not_trickle() {
    let server = listening(|settings| settings.head_timeout = SHORT);
    let mut stream = shake_hands(&server);
    stream.write_all(head("GET /healthz", "x-slow: ").trim_end().as_bytes()).unwrap();
    assert_eq!(parts(&read_all(&mut stream)).0, 408);
    server.await_figure("muster_connections", 0);
}

/// Half a record says nothing to HTTP, and is no reason to keep a connection for longer.
#[test]
fn half_a_record_gains_no_time() {
    let server = listening(|settings| {
        settings.head_timeout = SHORT;
        settings.idle_timeout = Duration::from_secs(60);
    });
    let mut stream = shake_hands(&server);
    stream.write_all(request("POST /analytics/v1/batch", GOOD).as_bytes()).unwrap();
    let mut answer = [0; 1024];
    assert!(stream.read(&mut answer).unwrap() > 0);
    stream.sock.write_all(&[0x17, 3, 3, 1, 0, 9, 9]).unwrap();
    let mut rest = Vec::new();
    let _ = stream.sock.read_to_end(&mut rest);
    server.await_figure("muster_connections", 0);
    assert_eq!(server.figure("muster_connections_timed_out_total"), 1);
}

#[test]
fn heads_and_bodies_inside_tls_have_their_bounds() {
    let server = listening(|settings| {
        settings.head_bytes_max = 8 * 1024;
        settings.body_gap_timeout = SHORT;
    });
    let mut stream = shake_hands(&server);
    let large = format!("x: {}\r\n", "y".repeat(20 * 1024));
    let _ = stream.write_all(head("GET /healthz", &large).as_bytes());
    assert_eq!(parts(&read_all(&mut stream)).0, 431);
    let mut stream = shake_hands(&server);
    stream.write_all(head("POST /analytics/v1/batch", "content-length: 100\r\n").as_bytes()).unwrap();
    assert_eq!(parts(&read_all(&mut stream)).0, 408);
}

#[test]
fn whoever_does_not_speak_tls_is_told_so() {
    let server = listening(|_| {});
    let mut stream = server.connect();
    send(&mut stream, request("POST /analytics/v1/batch", GOOD));
    let answer = read_to_end(&mut stream);
    let says = r#"{"error":"this port speaks TLS; use https:// in the address"}"#;
    assert_eq!(parts(&answer), (400, says));
    let mut noise = server.connect();
    send(&mut noise, [0x16, 3, 1, 0, 4, 9, 9, 9, 9]);
    let mut alert = Vec::new();
    let _ = noise.read_to_end(&mut alert);
    server.await_figure("muster_tls_handshakes_failed_total", 2);
}

#[test]
fn without_a_place_the_connection_is_closed() {
    let server = listening(|settings| settings.connections_max = 1);
    let _one = shake_hands(&server);
    let mut other = server.connect();
    assert_eq!(read_to_end(&mut other), "");
    assert_eq!(server.figure("muster_connections_refused_total"), 1);
}
