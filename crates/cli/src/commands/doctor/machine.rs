//! Disk space, file handles, the clock, who else may read the directory.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::process::{Resource, getrlimit};

use super::run::Finding;
use crate::commands::serve::handles;

/// Whatever the settings say.
const SPACE_FAULT_BYTES: u64 = 64 << 20;
const SPACE_WARNING_BYTES: u64 = 2 << 30;
/// 2026-01-01; a clock before that was never set.
const CLOCK_FLOOR: Duration = Duration::from_secs(1_767_225_600);
/// Clocks of one machine and its file server may differ by so much.
const CLOCK_SLACK: Duration = Duration::from_secs(300);

/// Everything about the machine, seen from a data directory; `pid` is the server's, if one runs.
pub fn examine(data_dir: &Path, pid: Option<u32>, connections_max: usize, free_bytes_min: u64) -> Vec<Finding> {
    let mut findings = vec![clock(SystemTime::now(), newest_change(data_dir))];
    findings.extend(space(data_dir, free_bytes_min));
    findings.extend(readers(data_dir));
    findings.push(file_handles(pid.and_then(limit_of).unwrap_or_else(own_limit), connections_max));
    findings
}

/// The same of a machine on which a node of a cluster runs.
pub fn examine_node(connections_max: usize) -> [Finding; 2] {
    [clock(SystemTime::now(), None), file_handles(own_limit(), connections_max)]
}

/// Whether there is such a process.
pub fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn space(data_dir: &Path, free_bytes_min: u64) -> Option<Finding> {
    let about = rustix::fs::statvfs(data_dir).ok()?;
    Some(judge_space(about.f_bavail.saturating_mul(about.f_frsize), free_bytes_min))
}

fn judge_space(bytes: u64, free_bytes_min: u64) -> Finding {
    let what = format!("{} MiB are free for the data directory", bytes >> 20);
    if bytes < free_bytes_min.max(SPACE_FAULT_BYTES) {
        Finding::fault(what, "free some space: below disk.free_bytes_min the server takes no messages")
    } else if bytes < SPACE_WARNING_BYTES.max(free_bytes_min.saturating_mul(2)) {
        Finding::warning(what, "free some space soon")
    } else {
        Finding::note(what)
    }
}

/// Other users of the machine can read a directory when it, and each one above it, lets them through.
fn readers(data_dir: &Path) -> Option<Finding> {
    const LOOK_THROUGH: u32 = 0o001;
    const LIST: u32 = 0o004;
    let whole = fs::canonicalize(data_dir).ok()?;
    let allows =
        |path: &Path, bits: u32| fs::metadata(path).is_ok_and(|about| about.permissions().mode() & bits == bits);
    if !allows(&whole, LIST | LOOK_THROUGH) || !whole.ancestors().skip(1).all(|above| allows(above, LOOK_THROUGH)) {
        return None;
    }
    let what = format!("{} can be read by every user of this machine", data_dir.display());
    Some(Finding::warning(what, "chmod 700 it: it holds customers' data, and the keys of destinations"))
}

/// What a server started from here would get: it raises its limit to the hard one.
fn own_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// The limit of a running process; `None` outside when it is not known, `None` inside when there is none.
fn limit_of(pid: u32) -> Option<Option<u64>> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

fn file_handles(limit: Option<u64>, connections_max: usize) -> Finding {
    let Some(handles) = limit else { return Finding::note("file handles are not limited") };
    let what = format!("{handles} file handles may be open");
    if handles::suffices(limit, connections_max) {
        return Finding::note(what);
    }
    let advice = format!(
        "http.connections_max = {connections_max} needs {}, and a server takes {} connections with these; raise the limit \
         (LimitNOFILE= in a systemd unit, ulimit -n) or lower the setting",
        connections_max as u64 + handles::OTHER_HANDLES,
        handles::share_out(limit, connections_max).connections
    );
    Finding::warning(what, advice)
}

fn clock(now: SystemTime, newest_change: Option<SystemTime>) -> Finding {
    if now < UNIX_EPOCH + CLOCK_FLOOR {
        return Finding::fault("the clock stands before 2026", "set it: times of receipt would be wrong for ever");
    }
    if newest_change.is_some_and(|change| change > now + CLOCK_SLACK) {
        let what = "files of the data directory were changed in what the clock calls the future";
        return Finding::warning(what, "compare the clock with another one; it may have been set back");
    }
    Finding::note("the clock is plausible")
}

/// When anything directly in the directory, or one level below, was changed last.
fn newest_change(data_dir: &Path) -> Option<SystemTime> {
    let below = |directory: &Path| fs::read_dir(directory).into_iter().flatten().flatten();
    let changed = |entry: &fs::DirEntry| entry.metadata().and_then(|about| about.modified()).ok();
    below(data_dir).flat_map(|entry| below(&entry.path()).chain([entry])).filter_map(|entry| changed(&entry)).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assemble::Gravity;

    #[test]
    fn space_is_judged_before_it_ends() {
        let check =
            |bytes: u64, gravity: Gravity| assert_eq!(judge_space(bytes, 256 << 20).gravity, gravity, "{bytes}");
        check(0, Gravity::Fault);
        check(255 << 20, Gravity::Fault);
        check(1 << 30, Gravity::Warning);
        check(1 << 40, Gravity::Note);
    }

    #[test]
    fn handles_are_compared_with_the_settings() {
        assert_eq!(file_handles(Some(1_024), 12_288).gravity, Gravity::Warning);
        assert_eq!(file_handles(Some(20_000), 12_288).gravity, Gravity::Note);
        assert_eq!(file_handles(None, 12_288).gravity, Gravity::Note);
        assert!(limit_of(std::process::id()).is_some());
        assert!(limit_of(u32::MAX).is_none());
    }

    #[test]
    fn a_clock_that_cannot_be_right_is_noticed() {
        let now = UNIX_EPOCH + CLOCK_FLOOR + Duration::from_secs(1);
        assert_eq!(clock(UNIX_EPOCH, None).gravity, Gravity::Fault);
        assert_eq!(clock(now, Some(now + CLOCK_SLACK * 2)).gravity, Gravity::Warning);
        assert_eq!(clock(now, Some(now)).gravity, Gravity::Note);
    }
}
