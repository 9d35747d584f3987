//! Groups of several types, where nobody said which type is the account.
//!
//! An event that names groups of several types is kept without an account then. That must not be found out afterwards: what
//! was seen is counted here, told before an import begins as far as can be seen by then, and told again at its end. Never
//! guesses which type it is.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Types that are remembered by name.
const TYPES_MAX: usize = 20;

/// What was seen so far; clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Groups(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    types: BTreeSet<String>,
    /// Events that name groups of several types.
    unclear: u64,
}

impl Groups {
    /// Takes in the types of the groups that an event names.
    pub fn note<'t>(&self, types: impl ExactSizeIterator<Item = &'t str>) {
        let mut seen = self.seen();
        seen.unclear += u64::from(types.len() > 1);
        for one in types {
            if seen.types.len() < TYPES_MAX && !seen.types.contains(one) {
                seen.types.insert(one.to_owned());
            }
        }
    }

    /// How many events are kept without an account because of it.
    pub fn unclear(&self) -> u64 {
        self.seen().unclear
    }

    /// What to say where there are several types; nothing otherwise.
    pub fn warning(&self) -> Option<String> {
        let seen = self.seen();
        let types = seen.types.iter().map(String::as_str).collect::<Vec<_>>();
        (types.len() > 1).then(|| {
            format!(
                "warning: there are groups of several types ({}), and nobody said which type is the account: an event that names \
                 several is kept without an account, and of any other its one group is taken for it. Give \
                 --account-group {}, or another of them",
                types.join(", "),
                types[0]
            )
        })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_types_are_told_and_one_is_not() {
        let groups = Groups::default();
        groups.note([].into_iter());
        groups.note(["company"].into_iter());
        assert_eq!((groups.warning(), groups.unclear()), (None, 0));
        groups.note(["team", "company"].into_iter());
        groups.note(["team", "company"].into_iter());
        let says = groups.warning().unwrap();
        assert!(says.contains("(company, team)") && says.contains("--account-group company"), "{says}");
        assert_eq!(groups.clone().unclear(), 2);
        (0..100).for_each(|n| groups.note([format!("t{n}").as_str()].into_iter()));
        assert_eq!(groups.seen().types.len(), TYPES_MAX);
    }
}
