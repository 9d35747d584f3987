//! What every manifest must say, and the Rust version all places agree on.
//!
//! Versions, licence and lints are written once, in the root manifest; a crate that says them again will drift. The
//! Rust version we promise is the one in `[workspace.package]`, and documents that name one must name that one. That
//! no dependency needs a newer Rust is checked with the licences, where their manifests are at hand.

use super::arrow::line_of_key;
use crate::finding::Finding;
use crate::tree::Tree;

const ROOT: &str = "Cargo.toml";
const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];
const DEPENDENCY_SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// The document that must name the Rust version, because it tells people what to install.
const MUST_NAME_RUST: &str = "CONTRIBUTING.md";

/// Checks the root manifest, each member's, and the documents that name a Rust version.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| is_member(path)) {
        match text.parse::<toml::Table>() {
            Ok(manifest) => findings.extend(member(path, text, &manifest)),
            Err(error) => findings.push(finding(path, 1, format!("this is not valid TOML: {error}"))),
        }
    }
    findings.extend(rust_version(tree));
    findings
}

fn is_member(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    matches!(parts.as_slice(), ["crates", _, "Cargo.toml"] | ["xtask", "Cargo.toml"])
}

fn finding(path: &str, line: usize, says: impl Into<String>) -> Finding {
    Finding::new(path, line, "manifest", says)
}

fn member(path: &str, text: &str, manifest: &toml::Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    let package = manifest.get("package").and_then(toml::Value::as_table);
    for key in INHERITED {
        if !package.and_then(|package| package.get(key)).is_some_and(is_inherited) {
            let says = format!("write `{key}.workspace = true`: it is decided once, in the root manifest");
            findings.push(finding(path, line_of_key(text, key), says));
        }
    }
    if !manifest.get("lints").is_some_and(is_inherited) {
        findings.push(finding(
            path,
            1,
            "write `[lints]` with `workspace = true`: one set of lints holds for every crate",
        ));
    }
    for section in DEPENDENCY_SECTIONS {
        let entries = manifest.get(section).and_then(toml::Value::as_table);
        let pinned_here = entries.into_iter().flatten().filter(|(_, value)| !is_inherited(value));
        findings.extend(pinned_here.map(|(key, _)| {
            let says = format!(
                "write `{key}.workspace = true` and its version in the root manifest, so that no two crates use \
                 different ones"
            );
            finding(path, line_of_key(text, key), says)
        }));
    }
    findings
}

fn is_inherited(value: &toml::Value) -> bool {
    value.get("workspace").and_then(toml::Value::as_bool) == Some(true)
}

fn rust_version(tree: &Tree) -> Vec<Finding> {
    let manifest = tree.text(ROOT).and_then(|text| text.parse::<toml::Table>().ok());
    let package = manifest.as_ref().and_then(|manifest| manifest.get("workspace")?.get("package")?.as_table());
    let Some(promised) = package.and_then(|package| package.get("rust-version")?.as_str()) else {
        return vec![finding(
            ROOT,
            1,
            "`[workspace.package]` must state a `rust-version`: it is what we promise to build with",
        )];
    };
    let mut findings = Vec::new();
    let mut named = false;
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with(".md")) {
        for (index, version) in rust_versions(text) {
            named |= path == MUST_NAME_RUST;
            if version != promised {
                let says = format!("this says Rust {version}, the root manifest says {promised}: make them agree");
                findings.push(finding(path, index + 1, says));
            }
        }
    }
    if !named {
        let says = format!("say that Rust {promised} or later is needed: nobody should have to find out by failing");
        findings.push(finding(MUST_NAME_RUST, 1, says));
    }
    findings
}

/// Every `Rust 1.x` in a document, with the index of its line.
fn rust_versions(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices("Rust 1.") {
            let version = &line[at + "Rust ".len()..];
            let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
            found.push((index, version[..end].trim_end_matches('.')));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::{check, rust_versions};

    const ROOT: (&str, &str) = ("Cargo.toml", "[workspace.package]\nrust-version = \"1.95\"\n");
    const GUIDE: (&str, &str) = ("CONTRIBUTING.md", "You need Rust 1.95 or later.\n");
    const GOOD: &str = "[package]\nname = \"muster-a\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n\n[lints]\nworkspace = true\n\n\
        [dependencies]\nserde.workspace = true\ntokio = { workspace = true, features = [\"fs\"] }\n";

    fn member(manifest: &str, expected: &[usize]) {
        let places: Vec<_> = expected.iter().map(|line| format!("crates/a/Cargo.toml:{line}")).collect();
        let places: Vec<_> = places.iter().map(String::as_str).collect();
        assert_places(check, &[ROOT, GUIDE, ("crates/a/Cargo.toml", manifest)], &places);
    }

    #[test]
    fn members_inherit() {
        member(GOOD, &[]);
        member(&GOOD.replace("edition.workspace = true", "edition = \"2024\""), &[4]);
        member(&GOOD.replace("license.workspace = true\n", ""), &[1]);
        member(&GOOD.replace("[lints]\nworkspace = true\n", ""), &[1]);
        member(&GOOD.replace("serde.workspace = true", "serde = \"1\""), &[13]);
        member(&GOOD.replace("[dependencies]", "[dev-dependencies]\nrand = { version = \"0.9\" }"), &[13]);
        member("[package", &[1]);
    }

    #[test]
    fn one_rust_version() {
        assert_places(check, &[ROOT, GUIDE, ("README.md", "Rust 1.95.\n")], &[]);
        assert_places(check, &[ROOT, GUIDE, ("README.md", "a\nneeds Rust 1.94, or\n")], &["README.md:2"]);
        assert_places(check, &[ROOT], &["CONTRIBUTING.md:1"]);
        assert_places(check, &[ROOT, ("README.md", "Rust 1.95\n")], &["CONTRIBUTING.md:1"]);
        assert_places(check, &[("Cargo.toml", "[workspace]\n"), GUIDE], &["Cargo.toml:1"]);
        assert_eq!(rust_versions("Rust 1.9.\nRust 1.10.1 (Rust 1.2)"), [(0, "1.9"), (1, "1.10.1"), (1, "1.2")]);
    }
}
