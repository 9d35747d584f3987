//! Whether lists agree with the records in them.
//!
//! Every user who was acknowledged stands in a list of all users once, where its own record says; nobody does who was never
//! sent. A list with a condition holds those whose records meet it. All of it while nobody sends anything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::http::Client;
use super::ledger::Ledger;
use super::messages::{CROWD_TRAIT, Collection};
use super::reads::pages;

type Records = BTreeMap<String, Value>;

/// Compares lists of users with the ledger and with each other; how many users stand in them.
#[track_caller]
pub fn audit_lists(client: &mut Client, ledger: &Ledger) -> usize {
    let all = in_order(client, "createdAt", "desc", text("createdAt"));
    let listed: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    let (promised, sent) = (ledger.users(&["user", "track"], true), ledger.users(&["user", "track", "unlink"], false));
    let missing: Vec<_> = promised.difference(&listed).collect();
    assert!(missing.is_empty(), "acknowledged and in no list: {missing:?}");
    let unknown: Vec<_> = listed.difference(&sent).collect();
    assert!(unknown.is_empty(), "in a list and never sent: {unknown:?}");
    for order in ["desc", "asc"] {
        assert_same(&all, &in_order(client, "updatedAt", order, text("updatedAt")), &format!("by updatedAt, {order}"));
    }
    let mut numbers: Vec<u64> = all.values().filter_map(number).collect();
    if !numbers.is_empty() {
        numbers.sort_unstable();
        audit_lists_by_trait(client, &all, numbers[numbers.len() / 2]);
    }
    all.len()
}

/// The same of lists by the trait that every user of the crowd has.
#[track_caller]
fn audit_lists_by_trait(client: &mut Client, all: &Records, least: u64) {
    let field = format!("trait.{CROWD_TRAIT}");
    assert_same(all, &in_order(client, &field, "desc", number), &format!("by {field}"));
    let filtered = pages(client, &format!("{}?{field}.gte={least}", Collection::Users.path()), 100);
    let expected = all.iter().filter(|(_, record)| number(record) >= Some(least));
    let expected: Records = expected.map(|(id, record)| (id.clone(), record.clone())).collect();
    assert_same(&expected, &once(filtered, &field), &format!("with {field} of at least {least}"));
}

/// A list of all users, whose values must run as it says; users without one are smaller than all others.
#[track_caller]
fn in_order<T: PartialOrd>(client: &mut Client, by: &str, order: &str, value: impl Fn(&Value) -> Option<T>) -> Records {
    let path = format!("{}?sortBy={by}&order={order}", Collection::Users.path());
    let results = pages(client, &path, 100);
    let values: Vec<Option<T>> = results.iter().map(value).collect();
    let sorted = if order == "desc" { values.is_sorted_by(|a, b| a >= b) } else { values.is_sorted_by(|a, b| a <= b) };
    assert!(sorted, "the list by {by} does not run {order}");
    once(results, by)
}

/// Records by external id; each must be there once.
#[track_caller]
fn once(results: Vec<Value>, of: &str) -> Records {
    let mut records = Records::new();
    for record in results {
        let id = record["externalId"].as_str().unwrap_or_else(|| panic!("no externalId in {record}")).to_owned();
        let twice = records.insert(id.clone(), record);
        assert!(twice.is_none(), "{id} stands twice in the list by {of}");
    }
    records
}

#[track_caller]
fn assert_same(expected: &Records, found: &Records, list: &str) {
    let missing: Vec<_> = expected.keys().filter(|id| !found.contains_key(*id)).collect();
    assert!(missing.is_empty(), "not in the list {list}: {missing:?}");
    for (id, record) in found {
        assert_eq!(expected.get(id), Some(record), "{id} in the list {list}");
    }
}

fn text(field: &'static str) -> impl Fn(&Value) -> Option<String> {
    move |record| record[field].as_str().map(str::to_owned)
}

fn number(record: &Value) -> Option<u64> {
    record["traits"][CROWD_TRAIT].as_u64()
}
