//! Everything that can be read through a moment, as text.
//!
//! Scans that must agree with each other are compared on the way: conditions and the whole, records in pages of any
//! size, where a track stands in a scan and where its attribution is asked for.

use std::{collections::BTreeSet, fmt::Write, sync::Arc};

use muster_model::{
    association::Link,
    id::{RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    profile::{Profile, Span},
    time::Micros,
};

use crate::{
    profiles::Children,
    rows::{Column, RowBatch},
    scan::{Moment, Scans, Wanted, among},
};

/// One row of a scan, on its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub number: u64,
    pub kind: Kind,
    pub timestamp: Micros,
    pub received_at: Micros,
    /// In the order of [`Column::ALL`]; `None` as well where a column was not asked for.
    pub texts: Vec<Option<String>>,
}

impl Row {
    /// The text in a column.
    #[must_use]
    pub fn text(&self, column: Column) -> Option<&str> {
        self.texts[column as usize].as_deref()
    }
}

/// All rows of a scan, sorted by number. Panics when two have the same number.
pub fn scan(moment: &Arc<dyn Moment>, wanted: Wanted) -> Vec<Row> {
    let mut scan = Arc::clone(moment).scan(wanted).expect("a scan can begin");
    let (mut rows, mut batch) = (Vec::new(), RowBatch::default());
    while scan.next(&mut batch).expect("a scan can go on") {
        rows.extend((0..batch.len()).map(|row| Row {
            number: batch.numbers[row],
            kind: batch.kinds[row],
            timestamp: batch.timestamps[row],
            received_at: batch.received_at[row],
            texts: Column::ALL.map(|column| batch.text(column, row).map(str::to_owned)).to_vec(),
        }));
    }
    rows.sort();
    assert!(rows.windows(2).all(|pair| pair[0].number < pair[1].number), "every row has a number of its own");
    assert!(rows.iter().all(|row| row.number < 1 << 47));
    rows
}

/// All records of a kind, in pages of so many.
pub fn records(moment: &Arc<dyn Moment>, kind: RecordKind, limit: usize) -> Vec<Arc<Profile>> {
    let mut found: Vec<Arc<Profile>> = Vec::new();
    loop {
        let after: Option<RecordId> = found.last().map(|profile| profile.id);
        let page = moment.profiles(kind, after, limit).expect("records can be read");
        assert!(page.len() <= limit, "a page holds at most what was asked for");
        if page.is_empty() {
            return found;
        }
        found.extend(page);
        assert!(found.is_sorted_by(|one, other| one.id < other.id), "records come in the order of their ids");
    }
}

/// Everything that can be scanned of a workspace. Panics when a read fails or contradicts another.
pub fn render(store: &dyn Scans, workspace: WorkspaceId) -> String {
    let moment = store.moment(workspace).expect("a moment can be taken");
    let mut out = String::new();
    for kind in RecordKind::SHOWN {
        let all = records(&moment, kind, 1_000);
        assert_eq!(records(&moment, kind, 3), all, "pages of any size");
        for profile in &all {
            belongs(&moment, profile);
            let alone = moment.profile(kind, profile.id).expect("a record can be read");
            assert_eq!(alone.as_ref(), Some(profile), "one record is what the pages show");
        }
    }
    for attributed in [false, true] {
        let base = Wanted {
            attributed,
            columns: Column::ALL.to_vec(),
            ..if attributed { Wanted::events() } else { Wanted::everything() }
        };
        let whole = scan(&moment, base.clone());
        conditions(&moment, &base, &whole);
        let mut lines: Vec<String> =
            whole.iter().map(|row| format!("== row {:?} {:?} {:?}", row.kind, row.timestamp, row.texts)).collect();
        lines.sort();
        for line in lines {
            let _ = writeln!(out, "{line}");
        }
        if attributed {
            first_and_last(&moment, &whole);
        }
    }
    out
}

/// A record is among the children of those it belongs to.
fn belongs(moment: &Arc<dyn Moment>, profile: &Profile) {
    let mut parents: Vec<(RecordKind, RecordId)> = Vec::new();
    if let Some(user) = profile.as_user() {
        let of = |kind, links: Vec<&Link>| links.into_iter().map(move |link| (kind, link.parent)).collect::<Vec<_>>();
        parents.extend(of(RecordKind::Account, user.accounts.standing()));
        parents.extend(of(RecordKind::Organization, user.organizations.standing()));
    }
    let organization = profile.as_account().and_then(|account| account.parent());
    parents.extend(organization.map(|organization| (RecordKind::Organization, organization.id)));
    for parent in parents {
        let (mut found, mut next) = (0, Some(Children::of(parent, profile.kind())));
        while let Some(children) = next {
            let page = moment.children(children, 2).expect("children can be read");
            assert!(page.is_sorted() && page.iter().all(|id| children.takes((profile.kind(), *id))));
            found += page.iter().filter(|child| **child == profile.id).count();
            next = children.behind(&page, 2);
        }
        assert_eq!(found, 1, "{} is a child of {parent:?}, once", profile.external_id);
    }
}

/// A condition leaves exactly the rows that meet it, with the numbers they have in the whole.
fn conditions(moment: &Arc<dyn Moment>, base: &Wanted, whole: &[Row]) {
    let columns = [Column::Organization, Column::Account, Column::User, Column::Event];
    let seen = columns.map(|column| {
        let names: BTreeSet<Box<str>> = whole.iter().filter_map(|row| row.text(column)).map(Into::into).collect();
        names.into_iter().take(3).chain(["nobody".into()]).collect::<Vec<Box<str>>>()
    });
    let middle = whole.get(whole.len() / 2).map(|row| row.timestamp);
    let mut cases = vec![
        Wanted { first: middle, ..base.clone() },
        Wanted { last: middle, ..base.clone() },
        Wanted { kinds: vec![Kind::User, Kind::Track], ..base.clone() },
    ];
    for (at, names) in seen.iter().enumerate() {
        let sets = names.iter().map(|name| BTreeSet::from([name.clone()])).chain([names.iter().cloned().collect()]);
        for set in sets {
            let mut wanted = base.clone();
            match columns[at] {
                Column::Organization => wanted.organizations = Some(set),
                Column::Account => wanted.accounts = Some(set),
                Column::User => wanted.users = Some(set),
                _ => wanted.events = Some(set),
            }
            cases.push(Wanted { first: middle, ..wanted.clone() });
            cases.push(wanted);
        }
    }
    let both = (seen[0].first().cloned(), seen[1].first().cloned());
    cases.push(Wanted {
        organizations: both.0.map(|name| [name].into()),
        accounts: both.1.map(|name| [name].into()),
        ..base.clone()
    });
    let tracks = Wanted { kinds: vec![Kind::Track], columns: Column::ALL.to_vec(), ..Wanted::everything() };
    let named = if base.attributed { scan(moment, tracks) } else { Vec::new() };
    for wanted in cases {
        let meets = |row: &&Row| {
            (base.attributed || wanted.kinds.contains(&row.kind))
                && wanted.in_time(row.timestamp)
                && among(&wanted.organizations, row.text(Column::Organization))
                && among(&wanted.accounts, row.text(Column::Account))
                && among(&wanted.users, row.text(Column::User))
                && among(&wanted.events, row.text(Column::Event))
        };
        let expected: Vec<&Row> = whole.iter().filter(meets).collect();
        let found = scan(moment, wanted.clone());
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{wanted:?}");
        // What is asked for does not change which rows come.
        let few = scan(moment, Wanted { columns: vec![Column::Event], ..wanted.clone() });
        let numbers = |rows: &[Row]| rows.iter().map(|row| row.number).collect::<Vec<u64>>();
        assert_eq!(numbers(&few), numbers(&found));
        if base.attributed {
            // By where they belong, as they were sent.
            let shown = scan(moment, Wanted { shown_as_named: true, columns: base.columns.clone(), ..wanted });
            let expected: Vec<&Row> = named.iter().filter(|row| numbers(&found).contains(&row.number)).collect();
            assert_eq!(shown.iter().collect::<Vec<_>>(), expected);
        }
        assert!(few.iter().zip(&found).all(|(few, row)| few.text(Column::Event) == row.text(Column::Event)));
    }
}

/// An account's first and last track are those of its rows.
fn first_and_last(moment: &Arc<dyn Moment>, tracks: &[Row]) {
    for account in records(moment, RecordKind::Account, 1_000) {
        let mut expected = Span::default();
        for row in tracks.iter().filter(|row| row.text(Column::Account) == Some(&*account.external_id)) {
            let bound = row.received_at.plus_micros(muster_model::limits::FUTURE_MICROS_MAX);
            expected.take_in(row.timestamp.min(bound));
        }
        let seen = moment.seen(&account, &|| true).expect("first and last track can be read");
        assert_eq!(seen, expected, "{}", account.external_id);
    }
}
