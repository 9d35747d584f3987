//! The file-handle limit: raised as far as the system allows, and compared with what the settings need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Handles for everything that is no connection: the store's files, logs, the runtime.
pub const OTHER_HANDLES: u64 = 1_024;

/// Raises the soft limit to the hard one; what it is afterwards, `None` meaning no limit.
pub fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the file-handle limit could not be raised");
    }
    getrlimit(Resource::Nofile).current
}

/// Whether so many handles are enough for so many connections.
pub fn suffices(handles: Option<u64>, connections_max: usize) -> bool {
    handles.is_none_or(|handles| handles >= connections_max as u64 + OTHER_HANDLES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_the_hard_one() {
        let raised = raise();
        assert_eq!(raised, getrlimit(Resource::Nofile).maximum);
        assert!(suffices(None, usize::MAX));
        assert!(suffices(Some(2_024), 1_000));
        assert!(!suffices(Some(2_023), 1_000));
    }
}
