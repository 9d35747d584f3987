//! Real connections: slow ones, too many of them, the last ones.

/// A server that listens on a port of the loopback interface.
mod listening;

/// Clients that are slow in one way or another.
mod slow;

/// Connections inside TLS.
mod tls;

/// More and larger than allowed.
mod limits;

/// Clients that go away.
mod leaving;

/// Asking the server to stop.
mod shutdown;
