//! What goes wrong below the seam, and what is said of it.
//!
//! A sentence of PostgreSQL may hold a value of a customer's in its detail; only its code and its message go on, which name
//! tables and rules.

use muster_store::{
    byte_form::Malformed,
    error::{AdminError, ReadError},
    record::NotARecord,
};

/// Why a step of the engine failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// PostgreSQL refused, failed or could not be reached.
    #[error("PostgreSQL: {}", told(.0))]
    Sql(#[from] postgres::Error),
    /// What was stored is not what this version writes.
    #[error("stored data is damaged: {0} cannot be read")]
    Damaged(&'static str),
    /// The stream failed or could not be reached.
    #[error("JetStream: {0}")]
    Stream(String),
    /// The bucket failed or could not be reached.
    #[error("the bucket: {0}")]
    Bucket(String),
    #[error("the bucket holds the history of another cluster; give each a prefix of its own")]
    OtherCluster,
    /// The disk of this machine failed.
    #[error("the disk: {0}")]
    Disk(String),
    /// Somebody else holds what this node held.
    #[error("another node has taken over")]
    Overtaken,
    /// A read that is refused as such.
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a thread could not be started: {0}")]
    Thread(String),
    /// A workspace that a message belongs to is not there: PostgreSQL was replaced by a replica that had not heard of it.
    #[error("there is no such workspace")]
    NoWorkspace,
    #[error("folding in has panicked, which is a defect of this program")]
    Panicked,
    #[error("the store is shutting down")]
    Closing,
}

impl Fault {
    /// Whether a connection that failed so is of no use any more.
    pub fn breaks_connection(&self) -> bool {
        let Fault::Sql(error) = self else { return false };
        // A server that shuts down, or somebody who ends a connection, says so before it is closed.
        let ends = |code: &postgres::error::SqlState| ["08", "57P0"].iter().any(|class| code.code().starts_with(class));
        error.is_closed() || error.code().is_none_or(ends)
    }

    /// Whether the same may work when it is tried again: somebody else's change came between, or the server went away.
    pub fn passes(&self) -> bool {
        use postgres::error::SqlState;
        match self {
            Fault::Sql(error) => match error.code() {
                None => true,
                Some(code) => {
                    *code == SqlState::T_R_DEADLOCK_DETECTED
                        || *code == SqlState::T_R_SERIALIZATION_FAILURE
                        || ["08", "53", "57", "58"].iter().any(|class| code.code().starts_with(class))
                        // A former primary that lost its place takes no writes.
                        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
                }
            },
            Fault::Stream(_) => true,
            Fault::Bucket(_)
            | Fault::Disk(_)
            | Fault::OtherCluster
            | Fault::Overtaken
            | Fault::Thread(_)
            | Fault::Panicked
            | Fault::NoWorkspace
            | Fault::Closing
            | Fault::Damaged(_)
            | Fault::Read(_) => false,
        }
    }
}

fn told(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} (SQLSTATE {})", error.message(), error.code().code()),
        None if error.is_closed() => "the connection was closed".to_owned(),
        None => error.to_string(),
    }
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> ReadError {
        match fault {
            Fault::Read(error) => error,
            Fault::Damaged(what) => ReadError::Damaged { what: what.to_owned() },
            other => ReadError::Failed { what: other.to_string() },
        }
    }
}

impl From<Fault> for AdminError {
    fn from(fault: Fault) -> AdminError {
        AdminError::Failed(fault.to_string())
    }
}

impl From<NotARecord> for Fault {
    fn from(_: NotARecord) -> Fault {
        Fault::Damaged("a message")
    }
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Fault {
        Fault::Damaged("a value")
    }
}
