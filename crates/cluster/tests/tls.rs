//! TLS to PostgreSQL and to NATS: spoken where it is asked for, and with nobody who cannot prove who it is.

mod support;

#[path = "support/servers.rs"]
mod servers;

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use muster_cluster::{Cluster, Options};
use muster_model::id::IdSpace;
use muster_store::{
    batch::BatchBuilder,
    journal::Journal,
    receipt::Outcome,
    status::Status,
    suite::{
        Sent,
        desk::{START, workspace_named},
    },
};
use postgres::{Client, NoTls};
use servers::Servers;
use support::Place;

const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate of `localhost` and 127.0.0.1, its key, and who signed it.
fn file(name: &str) -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let path = Path::new(&here).join("../cli/tests/data/tls").join(name);
    path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Has PostgreSQL speak TLS.
fn encrypt(servers: &Servers) {
    let data = servers.home("postgresql").join("data");
    let owner = fs::metadata(&data).expect("its data");
    for (from, to) in [("one.pem", "server.crt"), ("one.key.pem", "server.key")] {
        let to = data.join(to);
        fs::copy(file(from), &to).expect("a copy");
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("it is ours");
        chown(&to, Some(owner.uid()), Some(owner.gid())).expect("it is given away");
    }
    let settings = data.join("postgresql.conf");
    let text = fs::read_to_string(&settings).expect("its settings");
    fs::write(&settings, format!("{text}ssl = on\n")).expect("it is ours");
    servers.restart("postgresql");
}

/// A NATS that speaks nothing else.
struct Nats {
    child: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Nats {
    fn start() -> Nats {
        let directory = tempfile::tempdir().expect("a directory");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("it has one").port();
        drop(free);
        let path = format!("{}:/usr/sbin:/usr/local/bin", std::env::var("PATH").unwrap_or_default());
        let child = Command::new("nats-server")
            .env("PATH", path)
            .args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream", "--store_dir"])
            .arg(directory.path())
            .args(["--tls", "--tlscert"])
            .arg(file("one.pem"))
            .arg("--tlskey")
            .arg(file("one.key.pem"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Debian's nats-server");
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "it does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Nats { child, port, _directory: directory }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open(place: &Place, state: &str, journal: &str) -> Result<Cluster, String> {
    let options = Options::new(state, journal).map_err(|error| error.to_string())?;
    let options = Options { state: options.state, journal: options.journal, ..place.options() };
    let opened = std::thread::spawn(move || Cluster::open(options).map_err(|error| error.to_string()));
    opened.join().expect("it does not panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_servers_is_said_to_them_alone() {
    let servers = Servers::start();
    encrypt(&servers);
    let (nats, place) = (Nats::start(), Place::on(&servers.postgresql, &servers.nats, 1));
    let authority = file("authority.pem").display().to_string();
    let stream = |scheme: &str, rest: &str| format!("{scheme}://127.0.0.1:{}?stream=private&lanes=2{rest}", nats.port);
    let journal = stream("tls", &format!("&tlsca={authority}"));
    let state = format!("{}?sslmode=verify-full&sslrootcert={authority}", place.state_url);

    let store = open(&place, &state, &journal).expect("both can be believed");
    let workspace = workspace_named(&store, "default", START).await;
    let mut batch = BatchBuilder::new(workspace.id, 0);
    let text = r#"{"type":"track","messageId":"m","event":"e","userId":"u","timestamp":"2024-02-01"}"#.to_owned();
    Sent::new(text, START).add_to(&mut batch, IdSpace::new(&workspace.name));
    assert_eq!(store.append(batch.build()).await.expect("it is taken").outcomes, [Outcome::Stored]);
    let url = place.state_url.clone();
    let spoken = std::thread::spawn(move || {
        let mut client = Client::connect(&url, NoTls).expect("PostgreSQL answers");
        let all = "select count(*) filter (where ssl), count(*) from pg_stat_ssl join pg_stat_activity using (pid)
            where application_name = 'muster'";
        let row = client.query_one(all, &[]).expect("a row");
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    });
    let (encrypted, all) = spoken.join().expect("it does not panic");
    assert!(encrypted > 0 && encrypted == all, "{encrypted} of {all}");
    store.close().await.expect("it ends");
    drop(store);

    // Whoever does not ask is not told who answers.
    for lenient in ["", "?sslmode=prefer", "?sslmode=require", &format!("?sslmode=verify-ca&sslrootcert={authority}")] {
        open(&place, &format!("{}{lenient}", place.state_url), &journal)
            .unwrap_or_else(|error| panic!("{lenient}: {error}"));
    }
    let elsewhere = place.state_url.replace("@127.0.0.1", "@elsewhere.example") + "?hostaddr=127.0.0.1";
    open(&place, &format!("{elsewhere}&sslmode=verify-ca&sslrootcert={authority}"), &journal)
        .expect("a host is not asked for");
    // Another name than the certificate's, another authority than the one that signed it, and those of the system.
    for (state, why) in [
        (format!("{elsewhere}&sslmode=verify-full&sslrootcert={authority}"), "another host"),
        (
            format!("{}?sslmode=verify-full&sslrootcert={}", place.state_url, file("other.pem").display()),
            "another authority",
        ),
        (
            format!("{}?sslmode=verify-ca&sslrootcert={}", place.state_url, file("other.pem").display()),
            "another authority",
        ),
    ] {
        assert!(open(&place, &state, &journal).is_err(), "{why}");
    }
    assert!(open(&place, &state, &stream("tls", "")).is_err(), "nobody on this system signed it");
    assert!(open(&place, &state, &stream("nats", "")).is_err(), "it speaks nothing else");
}
