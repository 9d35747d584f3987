//! The file-handle limit: raised as far as the system allows, and shared out between connections and everything else.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::engine::STATE_FILES_MAX;

/// Clients that are told at one time that there is no place for them.
const TURNED_AWAY_MAX: usize = 256;
/// Handles for everything else that is no connection: the journal, history files being read or written, the runtime,
/// connections to destinations.
const REST: usize = 380;
/// Handles for everything that is no connection.
pub const OTHER_HANDLES: u64 = (STATE_FILES_MAX + TURNED_AWAY_MAX + REST) as u64;

/// What may be open at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    pub connections: usize,
    pub turned_away: usize,
    pub state_files: usize,
}

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

/// Shares so many handles out, to at most so many connections. Where they are too few for both, connections get what is left
/// beside everything else, or half of them if that is more.
pub fn share_out(handles: Option<u64>, connections_max: usize) -> Shares {
    let plenty = Shares { connections: connections_max, turned_away: TURNED_AWAY_MAX, state_files: STATE_FILES_MAX };
    let Some(handles) = handles.filter(|_| !suffices(handles, connections_max)) else { return plenty };
    let handles = usize::try_from(handles).unwrap_or(usize::MAX);
    let connections = handles.saturating_sub(OTHER_HANDLES as usize).max(handles / 2).clamp(1, connections_max);
    let others = handles.saturating_sub(connections).min(OTHER_HANDLES as usize);
    let part = |of: usize| (of * others / OTHER_HANDLES as usize).max(1);
    Shares { connections, turned_away: part(TURNED_AWAY_MAX), state_files: part(STATE_FILES_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_the_hard_one() {
        let raised = raise();
        assert_eq!(raised, getrlimit(Resource::Nofile).maximum);
        assert!(suffices(None, usize::MAX));
        assert!(suffices(Some(2_536), 1_000));
        assert!(!suffices(Some(2_535), 1_000));
    }

    #[test]
    fn no_more_is_shared_out_than_there_is() {
        let plenty = Shares { connections: 12_288, turned_away: TURNED_AWAY_MAX, state_files: STATE_FILES_MAX };
        assert_eq!(share_out(None, 12_288), plenty);
        assert_eq!(share_out(Some(13_824), 12_288), plenty);
        assert_eq!(share_out(Some(4_096), 12_288), Shares { connections: 2_560, ..plenty });
        assert_eq!(share_out(Some(256), 12_288), Shares { connections: 128, turned_away: 21, state_files: 75 });
        for handles in 0..20_000 {
            let shares = share_out(Some(handles), 12_288);
            let all = (shares.connections + shares.turned_away + shares.state_files) as u64;
            assert!(all <= handles.max(3), "{handles}: {shares:?}");
            assert!(shares.connections > 0 && shares.turned_away > 0 && shares.state_files > 0);
        }
    }
}
