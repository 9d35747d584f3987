//! What goes wrong with a file, as readers are told. What they are told of one that cannot be read stands beside the manifest
//! ([`crate::manifest::unreadable`]).

use std::fmt;

use muster_store::{error::ReadError, record::NotARecord};

/// What is said of a history file that could not be written, by what was in the way.
pub fn not_written(error: &dyn fmt::Display) -> ReadError {
    let cause = error.to_string();
    // The file format's library says of what the system refused only that it came from elsewhere.
    let cause = cause.strip_prefix("External: ").unwrap_or(&cause);
    ReadError::Failed { what: format!("a history file could not be written: {cause}") }
}

/// Turns bytes that cannot be read into what readers are told.
pub fn not_a_record(what: &str) -> impl Fn(NotARecord) -> ReadError + '_ {
    move |_| ReadError::Damaged { what: format!("{what} holds bytes that are no record") }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_could_not_be_written_says_why() {
        let full = parquet::errors::ParquetError::from(io::Error::from_raw_os_error(28));
        let ReadError::Failed { what } = not_written(&full) else { panic!("a failure") };
        assert!(what.starts_with("a history file could not be written: No space left"), "{what}");
    }
}
