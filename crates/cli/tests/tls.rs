//! The program behind TLS: its settings, a renewed certificate, and its own commands beside it.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::command::{run, run_with};
use harness::files::of_tests;
use harness::home::Home;
use harness::http::connect;
use harness::messages::track;
use harness::server::{Launch, TOKEN};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

fn file(name: &str) -> PathBuf {
    of_tests("data/tls").join(name)
}

/// Puts a pair of files where the server reads them, the way a renewal does it: one file, then the other.
fn install(home: &Home, name: &str) {
    for (from, to) in [(format!("{name}.pem"), "server.pem"), (format!("{name}.key.pem"), "server.key")] {
        let unfinished = home.file("unfinished", fs::read(file(&from)).unwrap());
        fs::rename(unfinished, home.path().join(to)).unwrap();
    }
}

fn launch(home: &Home) -> Launch {
    Launch::new(home)
        .set("MUSTER_TLS__CERTIFICATE_FILE", home.path().join("server.pem").display())
        .set("MUSTER_TLS__KEY_FILE", home.path().join("server.key").display())
}

fn shake_hands(address: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("authority.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, connect(address).unwrap());
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream
}

/// The certificate that the server shows now.
fn shown(address: SocketAddr) -> CertificateDer<'static> {
    shake_hands(address).conn.peer_certificates().unwrap()[0].clone().into_owned()
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file(name)).unwrap()
}

#[test]
fn a_renewed_certificate_counts_without_a_restart_and_a_broken_one_does_not() {
    let home = Home::new();
    install(&home, "one");
    let server = launch(&home).start_unready();
    assert_eq!(shown(server.address), certificate("one.pem"));
    let mut kept = shake_hands(server.address);

    home.file("server.pem", "half a certificate");
    let until = Instant::now() + Duration::from_secs(10);
    while !home.log_text().contains("could not be renewed") {
        assert!(Instant::now() < until, "the log says that the file is no good");
        assert_eq!(shown(server.address), certificate("one.pem"), "the one before stays in use");
        sleep(Duration::from_millis(50));
    }
    install(&home, "other");
    while shown(server.address) != certificate("other.pem") {
        assert!(Instant::now() < until, "the new certificate is shown");
        sleep(Duration::from_millis(50));
    }
    // Whoever is connected already stays so.
    kept.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    kept.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.stop();
}

#[test]
fn its_own_commands_find_it_and_senders_name_their_authority() {
    let home = Home::new();
    install(&home, "one");
    let server = launch(&home).start_unready();
    let local: Value = serde_json::from_slice(&fs::read(server.local_file()).unwrap()).unwrap();
    let url = local["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let data = home.data_dir();
    let in_data = ["--data-dir", data.to_str().unwrap()];
    let keys = run(home.path(), &[&["keys", "list", "--json"][..], &in_data].concat()).succeeded();
    assert!(keys.contains("default"), "{keys}");
    let said = run(home.path(), &[&["doctor"][..], &in_data].concat()).said();
    assert!(said.contains("/readyz answers that all is well"), "{said}");

    let messages = home.file("messages.json", Value::from(vec![track("u", "opened", "1")]).to_string());
    let send = |more: &[&str]| {
        let arguments = [&["send", messages.to_str().unwrap(), "--json", "--patience", "0"], more].concat();
        run_with(home.path(), &arguments, &[("MUSTER_TOKEN", TOKEN)])
    };
    let authority = file("authority.pem");
    assert!(send(&["--url", &url, "--ca", authority.to_str().unwrap()]).succeeded().contains("\"stored\": 1"));
    assert!(send(&in_data).succeeded().contains("\"duplicates\": 1"), "the server of the directory needs no naming");
    let sql = "select count(*) as n from events";
    let asked = run(home.path(), &[&["query", sql][..], &in_data].concat()).succeeded();
    assert_eq!(asked.trim(), "n\r\n1", "so do questions");
    let ca = ["--url", &url, "--ca", authority.to_str().unwrap()];
    let asked = run_with(home.path(), &[&["query", sql][..], &ca].concat(), &[("MUSTER_TOKEN", TOKEN)]).succeeded();
    assert_eq!(asked.trim(), "n\r\n1");
    assert_eq!(run(home.path(), &[&["export"][..], &in_data].concat()).succeeded().lines().count(), 1);
    let said = send(&["--url", &url]).failed().to_lowercase();
    assert!(
        said.contains("certificate") && said.contains("--ca"),
        "an authority that nobody knows is not trusted: {said}"
    );
    assert!(!said.contains("no answer"), "nor is it asked again: {said}");
    let plain_home = Home::new();
    let plain = Launch::new(&plain_home).start();
    let said = send(&["--url", &format!("https://{}", plain.address)]).failed();
    assert!(said.contains("does that port speak TLS?"), "{said}");
    plain.stop();
    let said = send(&["--url", &url, "--ca", messages.to_str().unwrap()]).failed();
    assert!(said.contains("holds no certificate"), "{said}");
    server.stop();
}

#[test]
fn a_certificate_that_cannot_be_used_ends_the_start_with_a_reason() {
    let home = Home::new();
    install(&home, "one");
    fs::copy(file("other.key.pem"), home.path().join("server.key")).unwrap();
    let refused = |launch: Launch| launch.spawn().ready().err().expect("it does not start").log;
    let said = refused(launch(&home));
    assert!(said.contains("cannot be used together") && said.contains("server.key"), "{said}");
    fs::remove_file(home.path().join("server.pem")).unwrap();
    let said = refused(launch(&home));
    assert!(said.contains("server.pem cannot be read"), "{said}");
    let said = refused(launch(&home).unset("MUSTER_TLS__KEY_FILE"));
    assert!(said.contains("together with tls.key_file"), "{said}");
}
