//! Asking the system to run a thread at once whenever it has something to do.
//!
//! Everyone whose messages are in a group waits for its sync, which takes next to no processor time, but sleeps and wakes
//! several times. Beside threads that always have something to do, a thread like any other waits for its turn each time,
//! up to some milliseconds, while those it keeps waiting leave a processor idle. `docs/performance.md` says what it comes to.
//! Nothing ever depends on what the system answers.

use std::fmt;

/// How soon a thread runs once it has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Before every thread that is not real-time.
    RealTime,
    /// Before threads whose turns are longer, as Linux has it from 6.12 on; earlier versions take note of nothing.
    ShortTurns,
    /// When its turn comes.
    Ordinary,
}

impl fmt::Display for Urgency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Urgency::RealTime => "real-time",
            Urgency::ShortTurns => "short turns",
            Urgency::Ordinary => "ordinary",
        })
    }
}

/// Makes the calling thread as urgent as the system allows. Only for threads that hardly compute: a real-time one that does
/// keeps every other from its processor.
pub fn make_urgent() -> Urgency {
    system::make_urgent()
}

#[cfg(target_os = "linux")]
mod system {
    #![expect(unsafe_code, reason = "neither the standard library nor another one sets how long a thread's turns are")]

    use super::Urgency;

    /// The least of the real-time priorities: above all threads that have none, below all others that have one.
    const LEAST: u32 = 1;
    /// The shortest turn that the system knows.
    const TURN_NANOS: u64 = 100_000;

    pub fn make_urgent() -> Urgency {
        let ordinary = attributes(libc::SCHED_OTHER);
        if set(&libc::sched_attr { sched_priority: LEAST, ..attributes(libc::SCHED_FIFO) }) {
            Urgency::RealTime
        } else if set(&libc::sched_attr { sched_runtime: TURN_NANOS, ..ordinary }) {
            Urgency::ShortTurns
        } else {
            Urgency::Ordinary
        }
    }

    fn attributes(policy: libc::c_int) -> libc::sched_attr {
        libc::sched_attr {
            size: size_of::<libc::sched_attr>() as u32,
            sched_policy: policy as u32,
            // Threads that this one starts are ordinary.
            sched_flags: libc::SCHED_FLAG_RESET_ON_FORK as u64,
            sched_nice: 0,
            sched_priority: 0,
            sched_runtime: 0,
            sched_deadline: 0,
            sched_period: 0,
        }
    }

    /// Whether the system agreed.
    fn set(attributes: &libc::sched_attr) -> bool {
        const CALLING_THREAD: libc::pid_t = 0;
        const FLAGS: libc::c_uint = 0;
        // SAFETY: the structure says its own size, lives until the call returns, and is only read.
        unsafe { libc::syscall(libc::SYS_sched_setattr, CALLING_THREAD, std::ptr::from_ref(attributes), FLAGS) == 0 }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::Urgency;

    pub fn make_urgent() -> Urgency {
        Urgency::Ordinary
    }
}

/// What the system says of a thread, by its line in `proc`: its real-time priority and its policy.
#[cfg(all(test, target_os = "linux"))]
pub fn told(stat: &str) -> (u32, u32) {
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[37].parse().unwrap(), fields[38].parse().unwrap())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn told_of_this_thread() -> (u32, u32) {
        told(&std::fs::read_to_string("/proc/thread-self/stat").unwrap())
    }

    #[test]
    fn what_it_says_is_what_the_system_says() {
        let ordinary = told_of_this_thread();
        let urgent = std::thread::spawn(|| {
            let urgency = make_urgent();
            let started = std::thread::spawn(told_of_this_thread).join().unwrap();
            (urgency, told_of_this_thread(), started)
        });
        let (urgency, urgent, started) = urgent.join().unwrap();
        assert_eq!(
            (urgency == Urgency::RealTime, urgent == ordinary),
            (urgent == (1, 1), urgency != Urgency::RealTime)
        );
        assert_eq!((told_of_this_thread(), started), (ordinary, ordinary), "no other thread is");
    }
}
