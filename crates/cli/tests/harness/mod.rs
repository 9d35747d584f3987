//! What the black-box tests share: a server process, a client that controls its bytes, traffic, and audits.
//!
//! Everything here works from outside the product: its executable, its HTTP interface, the files it documents. It never
//! uses a crate of the product, so that a test cannot agree with the code by sharing its mistakes.
#![expect(dead_code, reason = "every test file compiles the whole harness and uses a part of it")]

/// Random choices that can be repeated.
pub mod choice;

/// A temporary directory for one server: its data, its captured output; kept when the test fails.
pub mod home;

/// The same tests on a cluster.
pub mod cluster;

/// Starting, stopping, killing and observing the `muster serve` process.
pub mod server;

/// Running the other commands of the executable to their end.
pub mod command;

/// A blocking HTTP/1.1 client over a plain socket.
pub mod http;

/// Messages of every kind, each with a note of what a reader must see of it.
pub mod messages;

/// What was sent and what was promised.
pub mod ledger;

/// A sender that fills the ledger while its server may die at any moment.
pub mod traffic;

/// Comparing what can be read with what was promised.
pub mod audit;

/// Exports, one that is followed, and counts by SQL, held against what was acknowledged.
pub mod exports;

/// Whether lists agree with the records in them.
pub mod lists;

/// Reading everything, byte by byte, to compare two moments or two servers.
pub mod reads;

/// Files of a data directory as a disk sees them.
pub mod files;
