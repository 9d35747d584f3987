//! The suite on the in-memory twin, and that the suite leaves out none of its cases.

use muster_store::suite::{Subject, subject::Twin};

fn twin() -> impl Subject {
    Twin::new()
}

muster_store::conformance!(twin);

/// A case that is not in the list would never run.
#[test]
fn every_case_is_in_the_list() {
    let list = include_str!("../src/suite/cases.rs");
    let files = [
        include_str!("../src/suite/journal.rs"),
        include_str!("../src/suite/profiles.rs"),
        include_str!("../src/suite/lists.rs"),
        include_str!("../src/suite/history.rs"),
        include_str!("../src/suite/attribution.rs"),
        include_str!("../src/suite/seen.rs"),
        include_str!("../src/suite/refused.rs"),
        include_str!("../src/suite/deletion.rs"),
        include_str!("../src/suite/imports.rs"),
        include_str!("../src/suite/credentials.rs"),
        include_str!("../src/suite/saved.rs"),
        include_str!("../src/suite/status.rs"),
        include_str!("../src/suite/order.rs"),
    ];
    let mut cases = 0;
    for line in files.iter().flat_map(|file| file.lines()) {
        let Some(name) = line.strip_prefix("pub async fn ").filter(|rest| rest.contains("(subject: &S, ")) else {
            continue;
        };
        let name = name.split('<').next().unwrap();
        assert!(list.lines().any(|listed| listed.trim() == name), "{name} is not in src/suite/cases.rs");
        cases += 1;
    }
    assert!(cases > 80, "only {cases} cases were found; has their form changed?");
}
