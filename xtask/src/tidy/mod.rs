//! The house rules, one file per group of rules.
//!
//! Guarantees that each finding names its place, the rule, the reason behind it and the way out. Each check is a plain
//! function from the [`Tree`] to findings, so its tests are small trees written in place. Never changes a file.

/// Files stop at 500 lines, functions at 70.
mod length;

/// Every Rust file says what it is for; every `mod` in a contents page has a caption.
mod opening;

/// Files and modules are named after things and stages.
mod name;

/// Calls that belong in tests or in the one file that prints.
mod call;

/// Which crate may know which, and who may name the embedded engine.
mod arrow;

/// The model crate: no I/O, no clock, no randomness, no async, no globals.
mod purity;

/// What every manifest must say, and the Rust version all places agree on.
mod manifest;

/// Words that belong to somebody's machine and not in a public repository.
mod leak;

/// Relative links in documents, and documents nobody links to.
mod link;

use crate::finding::Finding;
use crate::tree::Tree;

/// Runs every check.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let checks: [fn(&Tree) -> Vec<Finding>; 10] = [
        unreadable,
        length::check,
        opening::check,
        name::check,
        call::check,
        arrow::check,
        purity::check,
        manifest::check,
        leak::check,
        link::check,
    ];
    checks.iter().flat_map(|check| check(tree)).collect()
}

/// A file the other checks could not look into must not pass for one without findings.
fn unreadable(tree: &Tree) -> Vec<Finding> {
    let says =
        |reason: &str| format!("this file does not split into Rust tokens, so nothing in it was checked: {reason}");
    tree.unreadable().map(|(path, reason)| Finding::new(path, 1, "tokens", says(reason))).collect()
}

/// What the tests of the checks share: run one over a small tree and compare the places it reports.
#[cfg(test)]
fn assert_places(check: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], expected: &[&str]) {
    let mut findings = check(&Tree::of(files));
    findings.sort();
    let places: Vec<_> = findings.iter().map(Finding::place).collect();
    assert_eq!(places, expected, "{files:?}\n{findings:#?}");
}

#[cfg(test)]
mod tests {
    use super::{assert_places, check};

    #[test]
    fn a_file_that_cannot_be_read_is_a_finding() {
        assert_places(super::unreadable, &[("a.rs", "//! a\nfn b( {\n"), ("c.rs", "//! c\n")], &["a.rs:1"]);
    }

    #[test]
    fn every_check_is_run() {
        let files = [
            ("Cargo.toml", "[workspace.package]\nrust-version = \"1.95\"\n"),
            ("CONTRIBUTING.md", "Rust 1.95\n[gone](gone.md)\n"),
            ("crates/model/src/helpers.rs", "fn a() { b().unwrap() }\nuse std::fs;\nuse muster_embedded::E;\n"),
            ("crates/model/src/lib.rs", "//! m\nmod a;\n"),
            ("crates/odd/Cargo.toml", "[package]\nname = \"muster-odd\"\n"),
            ("notes.txt", concat!("see ../", "shared/x\n")),
            ("crates/cli/src/broken.rs", "//! b\n}"),
        ];
        let long = format!("//! l\n{}", "\n".repeat(501));
        let mut files = files.to_vec();
        files.push(("crates/cli/src/long.rs", &long));
        let rules: std::collections::BTreeSet<String> = check(&crate::tree::Tree::of(&files))
            .iter()
            .map(|finding| finding.to_string().rsplit_once('[').unwrap().1.trim_end_matches(']').to_owned())
            .collect();
        for rule in [
            "tokens",
            "file-length",
            "opening",
            "caption",
            "name",
            "unwrap",
            "arrow",
            "engine",
            "purity",
            "manifest",
            "leak",
            "link",
        ] {
            assert!(rules.contains(rule), "no finding of rule {rule}: {rules:?}");
        }
    }
}
