//! Which rows of a file may be wanted, by what its directory says lies where.

use std::{collections::BTreeSet, ops::Range};

use crate::{
    chunks::Chunks,
    directory::{By, Key},
    footers::Footer,
};
use muster_model::{id::IdSpace, kind::RecordKind};

use super::file::Plan;

type NameSet = BTreeSet<Box<str>>;

/// The rows, sorted, neighbours joined.
pub fn rows(footer: &Footer, ids: IdSpace, plan: &Plan) -> Vec<Range<u64>> {
    let directory = &footer.directory;
    let mut found = directory.in_time(plan.wanted.first, plan.wanted.last);
    let find = |by: By, names: &NameSet, chunks: &mut Chunks| {
        for name in names {
            let key = by.kind().map_or_else(|| Key::of_event(name), |kind| Key::of_record(ids.record(kind, name)));
            directory.find(by, key, chunks);
        }
    };
    let candidates = &plan.candidates;
    let each = [
        (By::Organization, &candidates.organizations),
        (By::Account, &candidates.accounts),
        (By::User, &candidates.users),
        (By::Event, &candidates.events),
    ];
    let anonymous = |names: &NameSet, chunks: &mut Chunks| {
        let key = |name: &str| Key::of_record(ids.record(RecordKind::Anonymous, name));
        names.iter().for_each(|name| directory.find(By::User, key(name), chunks));
    };
    for (by, names) in each.into_iter().filter_map(|(by, names)| Some((by, names.as_ref()?))) {
        let mut holding = directory.none();
        find(by, names, &mut holding);
        if by == By::User {
            anonymous(&candidates.anonymous, &mut holding);
        }
        found.keep(&holding);
    }
    if let Some(belonging) = &candidates.belonging {
        let mut holding = directory.none();
        find(By::Account, &belonging.accounts, &mut holding);
        find(By::User, &belonging.users, &mut holding);
        anonymous(&belonging.anonymous, &mut holding);
        find(By::Organization, &belonging.organizations, &mut holding);
        found.keep(&holding);
    }
    found.ranges()
}

/// What of sorted ranges lies within one range, counted from its start.
pub fn within(ranges: &[Range<u64>], whole: &Range<u64>) -> Vec<Range<usize>> {
    let first = ranges.partition_point(|range| range.end <= whole.start);
    let cut = |range: &Range<u64>| {
        let (start, end) = (range.start.max(whole.start), range.end.min(whole.end));
        (start - whole.start) as usize..(end - whole.start) as usize
    };
    ranges[first..].iter().take_while(|range| range.start < whole.end).map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_a_group() {
        let ranges = [0..10, 20..30, 40..100, 120..130];
        assert_eq!(within(&ranges, &(25..60)), [0..5, 15..35]);
        assert_eq!(within(&ranges, &(10..20)), [0..0; 0]);
        assert_eq!(within(&ranges, &(0..200)).len(), 4);
    }
}
