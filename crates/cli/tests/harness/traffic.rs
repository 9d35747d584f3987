//! A sender that fills the ledger while its server may die at any moment.
//!
//! It sends batches and single messages, repeats some on purpose, and sends again what it got no answer for, or leaves
//! it in doubt for ever. It never reads.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use super::http::{Client, SUCCESS};
use super::ledger::Ledger;
use super::messages::{Generator, Message};
use super::server::TOKEN;

/// How long some messages may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// One sender with a life longer than its connections.
pub struct Sender {
    rng: StdRng,
    generator: Generator,
    /// Requests that were sent and not answered.
    in_doubt: Vec<Vec<Message>>,
    /// The last requests that were answered with success, the newest at the back.
    answered: VecDeque<Vec<Message>>,
    /// Whether most of what it sends is about a crowd of users.
    crowded: bool,
}

/// What became of one request.
enum Fate {
    Promised,
    /// Refused for now with `503`: nothing was promised, and later may be better.
    Later,
    /// The connection broke before an answer was read.
    Unknown,
}

impl Sender {
    /// Senders of different names, all drawing from one counter.
    pub fn several(count: usize, seed: u64) -> Vec<Sender> {
        let counter = Arc::new(AtomicU64::new(0));
        (0..count)
            .map(|at| {
                let seed = seed.wrapping_mul(31).wrapping_add(at as u64);
                Sender {
                    rng: StdRng::seed_from_u64(!seed),
                    generator: Generator::new(&format!("s{at}"), seed, Arc::clone(&counter)),
                    in_doubt: Vec::new(),
                    answered: VecDeque::new(),
                    crowded: false,
                }
            })
            .collect()
    }

    /// The request that was acknowledged last.
    pub fn last_answered(&self) -> Option<&[Message]> {
        self.answered.back().map(Vec::as_slice)
    }

    /// From now on most of what it sends is about a crowd of users, or not.
    pub fn set_crowded(&mut self, crowded: bool) {
        self.crowded = crowded;
    }

    /// Sends until told to stop or until the connection breaks.
    pub fn run(&mut self, address: SocketAddr, ledger: &Mutex<Ledger>, stop: &AtomicBool) {
        let mut client = Client::new(address, Some(&format!("Bearer {TOKEN}")));
        while !stop.load(Ordering::Relaxed) {
            let request = self.choose();
            ledger.lock().expect("no sender panicked").sending(&request);
            match self.deliver(&mut client, &request) {
                Fate::Promised => {
                    ledger.lock().expect("no sender panicked").promise(&request);
                    self.answered.push_back(request);
                    if self.answered.len() > 16 {
                        self.answered.pop_front();
                    }
                }
                Fate::Later => self.in_doubt.push(request),
                Fate::Unknown => {
                    self.in_doubt.push(request);
                    return;
                }
            }
            sleep(Duration::from_micros(self.rng.random_range(0..12_000)));
        }
    }

    fn choose(&mut self) -> Vec<Message> {
        // Some stay in doubt: never sent again, they must be absent or whole.
        if let Some(request) = self.in_doubt.pop()
            && self.rng.random_bool(0.7)
        {
            return request;
        }
        if !self.answered.is_empty() && self.rng.random_bool(0.1) {
            return self.answered[self.rng.random_range(0..self.answered.len())].clone();
        }
        if self.crowded && self.rng.random_bool(0.8) {
            return self.generator.crowd(100);
        }
        let size = match self.rng.random_range(0..20) {
            0 => 100,
            1..6 => 1,
            _ => self.rng.random_range(2..12),
        };
        self.generator.batch(size)
    }

    fn deliver(&mut self, client: &mut Client, request: &[Message]) -> Fate {
        let alone = request.len() == 1 && self.rng.random_bool(0.5);
        let answer = if alone {
            let mut json = request[0].json.clone();
            let kind = json.as_object_mut().and_then(|members| members.remove("type")).expect("generated with a type");
            client.post_json(&format!("/analytics/v1/{}", kind.as_str().expect("a text")), &json)
        } else {
            client.batch(&request.iter().map(|message| message.json.clone()).collect::<Vec<Value>>())
        };
        match answer {
            Ok(answer) if answer.status == 200 && answer.body == SUCCESS => Fate::Promised,
            Ok(answer) if answer.status == 503 => Fate::Later,
            Ok(answer) => panic!("a good request was answered with {}: {}", answer.status, answer.text()),
            Err(_) => Fate::Unknown,
        }
    }
}

/// Runs all senders against one server while `meanwhile` watches; returns when both are done.
pub fn run_all(senders: &mut [Sender], address: SocketAddr, ledger: &Mutex<Ledger>, meanwhile: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for sender in senders {
            scope.spawn(|| sender.run(address, ledger, &stop));
        }
        // Also when what is to happen meanwhile fails, which nobody would hear of otherwise.
        let _stop = Stop(&stop);
        meanwhile();
    });
}

/// Tells senders to stop when it goes.
pub struct Stop<'s>(pub &'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Watches until so many more messages were acknowledged than when it began, and at least for so long: how much a time is
/// worth depends on the machine.
#[track_caller]
pub fn until_promised(more: usize, at_least: Duration, ledger: &Mutex<Ledger>) {
    let (begin, count) = (Instant::now(), || ledger.lock().expect("no sender panicked").promised_count());
    let wanted = count() + more;
    while count() < wanted || begin.elapsed() < at_least {
        assert!(
            begin.elapsed() < PATIENCE,
            "{} of {more} messages were acknowledged in {PATIENCE:?}",
            more + count() - wanted
        );
        sleep(Duration::from_millis(5));
    }
}
