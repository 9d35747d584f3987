//! The engine as a process of its own, to be killed.

use std::process::{Child, Command, Stdio};

use super::support::Place;

/// What says to the test `a_node` of a file that it is one, and on what.
pub const NODE: &str = "MUSTER_TEST_NODE";

/// A process that is killed when this goes.
pub struct Node(Child);

impl Node {
    /// Starts the program of a command, which is the test's own, as a node.
    pub fn start(mut program: Command, place: &Place) -> Node {
        program.args(["--ignored", "--exact", "a_node"]).env(NODE, place.urls());
        program.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Node(program.spawn().expect("a process"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.0.kill().expect("it can be killed");
        self.0.wait().expect("it ends");
    }
}
