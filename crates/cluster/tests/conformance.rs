//! The conformance suite on a cluster: one node on a PostgreSQL and a JetStream of its own, reopened and abandoned.

#[path = "support/subject.rs"]
mod subject;
mod support;

use muster_store::suite::Subject;
use support::Place;

fn place() -> impl Subject {
    Place::new()
}

// Settling, reopenings and crashes are in the mixed pace.
muster_store::conformance!(place: straight Straight, mixed Mixed);
