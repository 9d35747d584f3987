//! Many times more than the machine can take: refused early, bounded, without loss, and over at once when it is over.
//!
//! Far more connections than the queue has places send full batches as fast as they are answered, over a disk that is made
//! slow to sync (`faults/shim.c`) and so takes about 25 of them in a second. What is refused is refused soon and with a time to come again; what is accepted waits no
//! longer than the queue is long; memory stays within what the settings allow. `MUSTER_TEST_OVERLOAD_SECONDS` changes how
//! long it lasts.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

#[path = "faults/plan.rs"]
#[expect(dead_code, reason = "this test needs a slow disk only, no failing one")]
mod plan;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::choice::number_from;
use harness::home::Home;
use harness::http::Client;
use harness::messages::{Collection, track};
use harness::reads::message_ids;
use harness::server::TOKEN;
use plan::Plan;

const CONNECTIONS: usize = 128;
const QUEUE_BATCHES_MAX: usize = 2;
const BATCH_MESSAGES: usize = 100;
const SYNC_MICROS: i32 = 40_000;
/// Of the process itself, and what the settings below allow: bodies in flight three times over, the queue, the overlay
/// twice, the caches.
const MEMORY_BYTES_MAX: u64 = 500 << 20;

/// What one connection saw.
#[derive(Default)]
struct Seen {
    accepted: Vec<String>,
    statuses: BTreeMap<u16, u64>,
    accepted_slowest: Duration,
    refused_slowest: Duration,
}

#[test]
fn overload_is_refused_early_and_leaves_nothing_behind() {
    let seconds = number_from("MUSTER_TEST_OVERLOAD_SECONDS").unwrap_or(10);
    let home = Home::new();
    let plan = Plan::new(&home);
    plan.slow_down(SYNC_MICROS);
    let server = plan
        .launch(&home)
        .set("MUSTER_INTAKE__QUEUE_BATCHES_MAX", QUEUE_BATCHES_MAX)
        .set("MUSTER_INTAKE__GROUP_MESSAGES_MAX", BATCH_MESSAGES)
        .set("MUSTER_CHECKPOINT__ROWS_MAX", 20_000)
        .set("MUSTER_CHECKPOINT__BYTES_MAX", 32 << 20)
        .set("MUSTER_STATE__CACHE_BYTES", 32 << 20)
        .set("MUSTER_LIMITS__IN_FLIGHT_BYTES_MAX", 64 << 20)
        .set("MUSTER_LOG__LEVEL", "warn")
        .start();
    let alone = lone_latency(server.address);
    let (stop, counter, all) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    let mut peak = 0;
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let seen = storm(server.address, &stop, &counter);
                all.lock().unwrap().push(seen);
            });
        }
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until {
            peak = peak.max(server.memory_bytes());
            thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let seen = all.into_inner().unwrap();
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    seen.iter()
        .flat_map(|one| &one.statuses)
        .for_each(|(status, count)| *statuses.entry(*status).or_default() += count);
    let accepted: Vec<&String> = seen.iter().flat_map(|one| &one.accepted).collect();
    let slowest = |of: fn(&Seen) -> Duration| seen.iter().map(of).max().unwrap_or_default();
    let (slowest_accepted, slowest_refused) = (slowest(|one| one.accepted_slowest), slowest(|one| one.refused_slowest));
    println!(
        "{seconds} s with {CONNECTIONS} connections: {statuses:?}, {} messages accepted, slowest {slowest_accepted:?} \
         accepted and {slowest_refused:?} refused, {} MiB at the most; a lone message took {alone:?} before",
        accepted.len(),
        peak >> 20
    );
    assert!(statuses.keys().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert!(
        statuses[&200] > 20 && statuses.get(&503) > Some(&(3 * statuses[&200])),
        "this was an overload: {statuses:?}"
    );
    assert!(slowest_accepted < Duration::from_secs(10) && slowest_refused < Duration::from_secs(10));
    assert!(peak < MEMORY_BYTES_MAX, "{peak} bytes of memory");

    // Over at once: the next message is taken, as quickly as before the storm but for what other tests do meanwhile.
    let after = lone_latency(server.address);
    assert!(after < alone * 20 + Duration::from_secs(1), "{after:?} after, {alone:?} before");
    let mut client = server.client();
    let stored: std::collections::HashSet<String> =
        (0..10).flat_map(|user| message_ids(&mut client, Collection::Users, &format!("storm-{user}"))).collect();
    let lost = accepted.iter().filter(|id| !stored.contains(**id)).count();
    assert_eq!(lost, 0, "of {} accepted messages", accepted.len());
    server.stop();
}

/// Sends until told to stop, whatever the answers are; comes again at once, as a bad client does.
fn storm(address: SocketAddr, stop: &AtomicBool, counter: &AtomicU64) -> Seen {
    let mut client = Client::new(address, Some(&format!("Basic {TOKEN}")));
    let mut seen = Seen::default();
    // Written once: a sender that has to write JSON is slower than the server that reads it.
    let messages: Vec<_> =
        (0..BATCH_MESSAGES).map(|at| track(&format!("storm-{}", at % 10), "rained", &format!("@-{at}"))).collect();
    let template = serde_json::Value::from(messages).to_string();
    while !stop.load(Ordering::Relaxed) {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        let body = template.replace('@', &number.to_string());
        let began = Instant::now();
        let Ok(answer) = client.post("/analytics/v1/batch", body.as_bytes()) else { continue };
        let took = began.elapsed();
        *seen.statuses.entry(answer.status).or_default() += 1;
        if answer.status == 200 {
            seen.accepted_slowest = seen.accepted_slowest.max(took);
            seen.accepted.extend((0..BATCH_MESSAGES).map(|at| format!("{number}-{at}")));
        } else {
            seen.refused_slowest = seen.refused_slowest.max(took);
            let seconds: u64 = answer.header("retry-after").expect("a time to come again").parse().unwrap();
            assert!(seconds >= 1);
        }
    }
    seen
}

/// The slowest of a few single messages; each is taken at the first try.
fn lone_latency(address: SocketAddr) -> Duration {
    let mut client = Client::new(address, Some(&format!("Basic {TOKEN}")));
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let began = Instant::now();
        let id = format!("lone-{began:?}");
        client.batch(&[track("lone", "spoke", &id)]).unwrap().expect_success();
        slowest = slowest.max(began.elapsed());
    }
    slowest
}
