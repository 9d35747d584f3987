//! Speaking to PostgreSQL: connections, transactions, a bounded number of threads that use them, and migrations.
//!
//! Everything here waits, so it lives on threads that may. Knows nothing of what the tables mean.

/// Where PostgreSQL is, and how it is spoken to.
pub mod address;

/// Speaking TLS to it.
mod tls;

/// Connections and transactions.
pub mod connection;

/// Values as PostgreSQL has them.
pub mod values;

/// Threads that answer reads.
pub mod pool;

/// A connection with a thread of its own.
pub mod aside;

/// The tables, version by version.
pub mod migrate;
