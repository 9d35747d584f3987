//! A network of a test's own: namespaces for servers and for those who use them, and ways between them that can be cut.
//!
//! A way that is cut is silent, as where a cable is pulled or a firewall drops what it does not like: nothing is refused, nothing is
//! answered. Both ends are told that the other one has a hardware address that nobody has. Needs to be root.

#![allow(dead_code, reason = "each test file uses its part of this")]

use std::{
    path::Path,
    process::{Command, Output},
};

/// Whoever has a place in it. The first one is where the others meet, and where a test runs.
pub const HERE: &str = "here";
const PLACES: [&str; 6] = [HERE, "postgresql", "nats-1", "nats-2", "nats-3", "node"];
const NOBODY: &str = "02:00:00:00:00:ff";

/// The namespaces, which go with it.
pub struct Network {
    prefix: String,
    /// Whether they are this one's to remove.
    made: bool,
}

fn ip(args: &[&str]) -> Output {
    Command::new("ip").args(args).output().expect("ip runs, of Debian's package iproute2")
}

fn done(args: &[&str]) {
    let output = ip(args);
    assert!(output.status.success(), "ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
}

fn address(place: &str) -> String {
    let number = PLACES.iter().position(|known| *known == place).expect("a place that there is");
    // In namespaces of its own it is in nobody's way.
    format!("10.0.0.{}", number + 1)
}

fn device(place: &str) -> &'static str {
    if place == HERE { "meets" } else { "eth0" }
}

impl Network {
    /// Makes it; where that is not allowed, why.
    pub fn make() -> Result<Network, String> {
        remove_remains();
        let prefix = format!("muster-{}-{:04x}", std::process::id(), rand::random::<u16>());
        let network = Network { prefix, made: true };
        let here = network.name(HERE);
        let first = ip(&["netns", "add", &here]);
        if !first.status.success() {
            return Err(String::from_utf8_lossy(&first.stderr).into_owned());
        }
        done(&["-n", &here, "link", "add", device(HERE), "type", "bridge"]);
        for place in &PLACES[1..] {
            let name = network.name(place);
            done(&["netns", "add", &name]);
            done(&["-n", &here, "link", "add", place, "type", "veth", "peer", "name", device(place), "netns", &name]);
            done(&["-n", &here, "link", "set", place, "master", device(HERE), "up"]);
        }
        for place in PLACES {
            let (name, address) = (network.name(place), format!("{}/24", address(place)));
            done(&["-n", &name, "link", "set", "lo", "up"]);
            done(&["-n", &name, "address", "add", &address, "dev", device(place)]);
            done(&["-n", &name, "link", "set", device(place), "up"]);
        }
        Ok(network)
    }

    /// The one that somebody else has made, to cut ways in it.
    pub fn of(prefix: &str) -> Network {
        Network { prefix: prefix.to_owned(), made: false }
    }

    /// What the names of its namespaces begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    fn name(&self, place: &str) -> String {
        format!("{}-{place}", self.prefix)
    }

    /// A command that runs at a place.
    pub fn command(&self, place: &str, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(place)]).arg(program.as_ref());
        command
    }

    /// Cuts the way between two places.
    pub fn cut(&self, one: &str, other: &str) {
        for (from, to) in [(one, other), (other, one)] {
            let (name, address) = (self.name(from), address(to));
            let device = device(from);
            done(&["-n", &name, "neighbour", "replace", &address, "lladdr", NOBODY, "nud", "permanent", "dev", device]);
        }
    }

    /// Heals it.
    pub fn heal(&self, one: &str, other: &str) {
        for (from, to) in [(one, other), (other, one)] {
            done(&["-n", &self.name(from), "neighbour", "del", &address(to), "dev", device(from)]);
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if self.made {
            for place in PLACES {
                ip(&["netns", "del", &self.name(place)]);
            }
        }
    }
}

/// What runs left that were killed: their names hold the number of a process that is no more.
fn remove_remains() {
    let Ok(there) = std::fs::read_dir("/run/netns") else { return };
    for name in there.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let process = name.strip_prefix("muster-").and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            ip(&["netns", "del", &name]);
        }
    }
}
