//! A server with nothing to do does nothing: no polling loops.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::files::all_files;
use harness::home::Home;
use harness::messages::track;
use harness::server::{Launch, Server};

/// How long an idle server is watched.
const WATCH: Duration = Duration::from_secs(5);

#[test]
fn an_idle_server_uses_no_processor_time() {
    let home = Home::new();
    let server = Launch::new(&home).set("MUSTER_CHECKPOINT__INTERVAL_SECONDS", 1).start();
    let mut client = server.client();
    for request in 0..50 {
        let messages: Vec<_> =
            (0..20).map(|at| track(&format!("u{at}"), "opened", &format!("m{request}-{at}"))).collect();
        client.batch(&messages).unwrap().expect_success();
    }
    client.read("/resources/users/u0/events");
    client.hang_up();
    settle(&server, &home.data_dir().join("history"));

    let before = server.cpu_ticks();
    sleep(WATCH);
    let used = server.cpu_ticks() - before;
    assert!(used <= 1, "an idle server used {used} ticks of processor time in {WATCH:?}");
}

/// Waits until a checkpoint has put the messages into the history and the processor has been quiet for two seconds.
fn settle(server: &Server, history: &Path) {
    let until = Instant::now() + Duration::from_secs(60);
    let mut ticks = server.cpu_ticks();
    let mut quiet_since = Instant::now();
    while !has_parquet(history) || quiet_since.elapsed() < Duration::from_secs(2) {
        assert!(Instant::now() < until, "no checkpoint and rest within a minute (history: {})", has_parquet(history));
        sleep(Duration::from_millis(100));
        let now = server.cpu_ticks();
        if now != ticks {
            (ticks, quiet_since) = (now, Instant::now());
        }
    }
}

fn has_parquet(directory: &Path) -> bool {
    all_files(directory).iter().any(|path| path.extension().is_some_and(|extension| extension == "parquet"))
}
