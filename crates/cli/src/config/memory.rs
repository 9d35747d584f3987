//! How much memory this process may use: what the machine has, or less where its group of processes is bounded.
//!
//! Reads what the system says and never decides what follows from it; where the system says nothing, neither does this.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the system shows groups of processes, one below the other.
const GROUPS: &str = "/sys/fs/cgroup";

/// Bytes that this process may use; `None` where the system does not tell.
pub fn bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| place(&text));
    let bound = groups.and_then(|place| bound(Path::new(GROUPS), &place));
    machine.into_iter().chain(bound).min()
}

/// The machine's memory by the words of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The group that a process is in, by the words of `/proc/self/cgroup`; only groups of the second version have a line with 0.
fn place(cgroup: &str) -> Option<PathBuf> {
    cgroup.lines().find_map(|line| line.strip_prefix("0::/")).map(PathBuf::from)
}

/// The smallest bound of a group and of all groups that it is in.
fn bound(groups: &Path, place: &Path) -> Option<u64> {
    let of = |group: &Path| fs::read_to_string(groups.join(group).join("memory.max")).ok()?.trim().parse().ok();
    place.ancestors().filter_map(of).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_tells_its_memory_in_kibibytes() {
        assert_eq!(total("MemTotal:        2048 kB\nMemFree:  1 kB\n"), Some(2 << 20));
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert_eq!(total("MemTotal: lots\n"), None);
    }

    #[test]
    fn the_smallest_bound_on_the_way_up_counts() {
        let root = tempfile::tempdir().unwrap();
        let group = |place: &str, says: &str| {
            let dir = root.path().join(place);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("memory.max"), says).unwrap();
        };
        group("system.slice", "1000\n");
        group("system.slice/muster.service", "max\n");
        let unit = place("1:cpu:/x\n0::/system.slice/muster.service\n").unwrap();
        assert_eq!(bound(root.path(), &unit), Some(1000));
        group("system.slice/muster.service", "400\n");
        assert_eq!(bound(root.path(), &unit), Some(400));
        assert_eq!(bound(root.path(), Path::new("elsewhere")), None);
        assert_eq!(place("1:cpu:/x\n"), None);
    }

    #[test]
    fn this_machine_tells() {
        assert!(bytes().is_some_and(|bytes| bytes > 64 << 20));
    }
}
