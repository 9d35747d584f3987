//! Nodes of a cluster whose clocks are hours apart take turns: what they hold is what one node with the right clock holds, nothing is
//! lost or counts twice, what is kept for a while is kept as long, and a lane goes from one to the other as it does anywhere.
//!
//! Clocks are set by the library that `faults.rs` loads under the server. Needs the servers of `scripts/servers`.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

#[path = "faults/plan.rs"]
#[expect(dead_code, reason = "clocks are set here, and nothing fails")]
mod plan;

use harness::cluster;
use harness::home::Home;
use harness::http::Client;
use harness::reads::Snapshot;
use harness::server::{Launch, Server};
use plan::Plan;
use serde_json::{Value, json};

const HOUR: i64 = 3_600;
const ROUNDS: usize = 6;
const USERS: usize = 8;

/// A place for a node, and its clock.
struct Place {
    name: &'static str,
    plan: Plan,
}

impl Place {
    fn new(home: &Home, name: &'static str, hours: i64) -> Place {
        let plan = Plan::named(home, name);
        plan.set_clock(hours * HOUR);
        Place { name, plan }
    }

    /// A node that does everything there. A message is remembered for a day, and one that is set aside kept for as long.
    fn start(&self, home: &Home) -> Server {
        let directory = home.path().join(self.name);
        let launch = Launch::at(&directory, &home.path().join(format!("{}.log", self.name)));
        let launch = launch.set("MUSTER_IDENTITY__RETENTION_DAYS", 2).set("MUSTER_REFUSED__RETENTION_DAYS", 1);
        self.plan.under(launch, &directory).start()
    }
}

/// What is sent in a round: what is said of users now, and of the time before that.
fn messages(round: usize) -> Vec<Value> {
    let user = |n: usize| {
        let minute = (round * 7 + n * 3) % 60;
        let (id, at) = (format!("u{n}"), format!("2026-01-01T00:{minute:02}:00Z"));
        let message_id = format!("{round}-{n}");
        let said = json!({"type": "user", "userId": id, "accountId": format!("a{}", n % 3), "messageId": message_id,
            "timestamp": at, "traits": {"round": round, "minute": minute}});
        let event = format!("e{round}");
        let did = json!({"type": "track", "userId": id, "event": event, "messageId": format!("{message_id}-t"), "timestamp": at});
        [said, did]
    };
    (0..USERS).flat_map(user).collect()
}

/// Sends messages; how many of them became what.
fn send(client: &mut Client, messages: &[Value]) -> (usize, usize) {
    let prefer = [("Prefer", "return=representation"), ("Content-Type", "application/json")];
    let body = Value::from(messages.to_vec()).to_string();
    let answer = client.request("POST", "/analytics/v1/batch", &prefer, body.as_bytes()).unwrap().expect(200).json();
    let results = answer["results"].as_array().expect("results");
    let count = |status: &str| results.iter().filter(|result| result["status"] == status).count();
    (count("stored"), count("duplicate"))
}

/// Something that is set aside: a message without what it needs.
fn send_wrong(client: &mut Client, id: &str) {
    let wrong = [json!({"type": "user", "userId": "orphan", "messageId": id})];
    client.batch(&wrong).unwrap().expect(400);
}

fn set_aside(client: &mut Client) -> usize {
    client.read("/resources/refused?limit=100")["results"].as_array().expect("a page").len()
}

#[test]
fn nodes_whose_clocks_are_hours_apart_agree() {
    cluster::wanted();
    let home = Home::new();
    let places = [Place::new(&home, "ahead", 9), Place::new(&home, "behind", -8)];
    let mut nodes: Vec<Option<Server>> = places.iter().map(|place| Some(place.start(&home))).collect();
    for round in 0..ROUNDS {
        let (one, other) = (round % 2, 1 - round % 2);
        let all = messages(round);
        let half = all.len() / 2;
        let client = |at: usize| nodes[at].as_ref().expect("it runs").client();
        assert_eq!(send(&mut client(one), &all[..half]), (half, 0));
        assert_eq!(send(&mut client(other), &all), (all.len() - half, half), "round {round}");
        assert_eq!(send(&mut client(one), &all), (0, all.len()), "round {round}");
        send_wrong(&mut client(one), &format!("wrong-{round}"));
        let [here, there] = [one, other].map(|at| Snapshot::take(&mut client(at)));
        here.assert_same(&there);
        // Whoever folds in is killed, and the other one does; then it comes back.
        if let Some(node) = nodes[other].take() {
            node.kill();
        }
        let left = messages(ROUNDS + round);
        let mut client = nodes[one].as_ref().expect("it runs").client();
        assert_eq!(send(&mut client, &left), (left.len(), 0), "round {round}");
        nodes[other] = Some(places[other].start(&home));
    }
    let mut clients: Vec<Client> = nodes.iter().flatten().map(Server::client).collect();
    assert_eq!(clients.iter_mut().map(set_aside).collect::<Vec<_>>(), [ROUNDS, ROUNDS]);
    let found = Snapshot::take(&mut clients[0]);
    assert!(found.results() > USERS);
    let found = records(found);
    // One node with the right clock, which hears all of it once.
    let right = Home::new();
    let node = Launch::new(&right).start();
    let mut client = node.client();
    for round in (0..ROUNDS).flat_map(|round| [round, ROUNDS + round]) {
        send(&mut client, &messages(round));
    }
    (0..ROUNDS).for_each(|round| send_wrong(&mut client, &format!("wrong-{round}")));
    records(Snapshot::take(&mut client)).assert_same(&found);
}

/// Records and their timelines in the order of their names: lists are in the order of times of receipt.
fn records(snapshot: Snapshot) -> Snapshot {
    let mut left = snapshot.without_times_of_receipt();
    left.reads.retain(|read| !read.target.contains("?limit=100") || read.target.contains("/events"));
    left.reads.sort_by(|one, two| one.target.cmp(&two.target));
    left
}
