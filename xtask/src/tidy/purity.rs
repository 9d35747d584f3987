//! The model crate: no I/O, no clock, no randomness, no async, no globals.
//!
//! The same journal must give the same profiles on every machine and on every replay, and that only holds while the
//! rules are functions of their arguments. Its tests obey as well. Dependencies are a short list for the same reason.

use super::arrow::{line_of_key, shipped_dependencies};
use crate::finding::Finding;
use crate::source::Source;
use crate::tree::Tree;

const MODEL: &str = "crates/model/";

/// Paths the model may not name, with what they would bring in.
const FORBIDDEN_PATHS: [(&str, &str); 9] = [
    ("std::fs", "the file system"),
    ("std::net", "the network"),
    ("std::env", "the environment"),
    ("std::process", "other processes"),
    ("std::thread", "threads"),
    ("std::io::stdin", "input"),
    ("std::io::stdout", "output"),
    ("tokio", "async"),
    ("rand", "randomness"),
];

/// Words the model may not use at all.
const FORBIDDEN_WORDS: [(&str, &str); 8] = [
    ("SystemTime", "a clock"),
    ("Instant", "a clock"),
    ("async", "async"),
    ("await", "async"),
    ("thread_local", "a global"),
    ("Mutex", "shared state"),
    ("RwLock", "shared state"),
    ("RandomState", "randomness"),
];

/// What the model may depend on, and why each is free of I/O.
const DEPENDENCIES: [(&str, &str); 9] = [
    ("jiff", "reads and writes instants; its clock is not used, see `now` below"),
    ("memchr", "searches bytes in memory"),
    ("rustc-hash", "a hash function with a fixed seed"),
    ("serde", "the traits behind JSON"),
    ("serde_json", "JSON text in memory"),
    ("smallvec", "a vector"),
    ("thiserror", "error types"),
    ("uuid", "a type and its text form; its random constructors are features that stay off"),
    ("xxhash-rust", "a hash function"),
];

/// Checks the sources and the manifest of the model.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let sources = tree.sources().filter(|(path, _)| path.starts_with(MODEL) && path.contains("/src/"));
    let mut findings: Vec<_> = sources.flat_map(|(path, source)| impure(path, source)).collect();
    let manifest = format!("{MODEL}Cargo.toml");
    findings.extend(tree.text(&manifest).into_iter().flat_map(|text| dependencies(&manifest, text)));
    findings
}

fn impure(path: &str, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |line: usize, name: &str, brings: &str| {
        let says = format!(
            "`{name}` would bring {brings} into the model: the same messages must give the same profiles everywhere; \
             let the caller pass the value in"
        );
        findings.push(Finding::new(path, line, "purity", says));
    };
    for found in source.paths() {
        let several = found.segments.len() > 1;
        if let Some((name, brings)) = FORBIDDEN_PATHS.iter().find(|(name, _)| several && found.is_at_or_below(name)) {
            report(found.line, name, brings);
        }
        if several && found.segments.last().is_some_and(|last| last == "now") {
            report(found.line, &found.segments.join("::"), "a clock");
        }
    }
    for (index, token) in source.tokens() {
        if let Some((word, brings)) = FORBIDDEN_WORDS.iter().find(|(word, _)| token.is_word(word)) {
            report(token.line, word, brings);
        }
        if token.is_word("static") && source.token(index + 1).is_some_and(|next| next.is_word("mut")) {
            report(token.line, "static mut", "a global");
        }
        if token.text.starts_with("Atomic") && token.text.len() > "Atomic".len() && token.is_word(&token.text) {
            report(token.line, &token.text, "shared state");
        }
    }
    findings
}

fn dependencies(path: &str, text: &str) -> Vec<Finding> {
    let Ok(manifest) = text.parse::<toml::Table>() else { return Vec::new() };
    let shipped = shipped_dependencies(&manifest);
    let unknown = shipped.iter().filter(|(_, package)| {
        !package.starts_with("muster-") && !DEPENDENCIES.iter().any(|(known, _)| known == package)
    });
    unknown
        .map(|(key, package)| {
            let says = format!(
                "the model may not depend on `{package}`: it does no I/O and has no clock; if this crate has neither, \
                 add it to xtask/src/tidy/purity.rs with the reason"
            );
            Finding::new(path, line_of_key(text, key), "purity", says)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::check;

    fn model(line: &str, expected: usize) {
        let text = format!("//! a\n{line}\n");
        let places: Vec<_> = (0..expected).map(|_| "crates/model/src/a.rs:2").collect();
        assert_places(
            |tree| {
                let mut findings = check(tree);
                findings.sort();
                findings.dedup();
                findings
            },
            &[("crates/model/src/a.rs", &text)],
            &places,
        );
        assert_places(check, &[("crates/store/src/a.rs", &text)], &[]);
    }

    #[test]
    fn the_model_does_no_io_and_has_no_clock() {
        for bad in [
            "use std::fs::File;",
            "use std::{cmp, net::TcpStream};",
            "let a = ::std::env::var(b);",
            "let a = std::time::SystemTime::UNIX_EPOCH;",
            "use std::time::{Duration, Instant};",
            "let a = jiff::Timestamp::now();",
            "let a = rand::random::<u8>();",
            "tokio::spawn(a);",
            "async fn a() {}",
            "static mut A: u8 = 0;",
            "static A: AtomicU64 = AtomicU64::new(0);",
            "static A: Mutex<u8> = B;",
            "#[cfg(test)] mod tests { use std::fs; }",
        ] {
            model(bad, 1);
        }
    }

    #[test]
    fn the_model_may_compute() {
        for good in [
            "use std::{cmp::Ordering, collections::BTreeMap, fmt, time::Duration};",
            "// std::fs, tokio and Instant are not for us.",
            "let rand = 1; let a = \"std::fs\";",
            "static PARSER: DateTimeParser = DateTimeParser::new();",
            "fn a(now: Micros) -> Micros { now }",
            "use std::io::Write;",
        ] {
            model(good, 0);
        }
    }

    #[test]
    fn its_dependencies_are_a_list() {
        let path = "crates/model/Cargo.toml";
        assert_places(
            check,
            &[(path, "[dependencies]\nserde.workspace = true\n[dev-dependencies]\nrand = \"1\"\n")],
            &[],
        );
        assert_places(
            check,
            &[(path, "[dependencies]\nserde.workspace = true\ntokio.workspace = true\n")],
            &["crates/model/Cargo.toml:3"],
        );
    }
}
