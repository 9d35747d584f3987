//! Which crate may know which, and who may name the embedded engine.
//!
//! The arrows keep the rules (`model`) free of machinery and every store behind the seam (`store`), so that a backend
//! can be replaced without touching the server. Only dependencies that ship are looked at; a crate's tests may bring
//! another crate in, as the conformance suite does.

use crate::finding::Finding;
use crate::tree::Tree;

/// Each crate with the crates of ours it may depend on, and nothing else.
const ARROWS: [(&str, &[&str]); 8] = [
    ("model", &[]),
    ("store", &["model"]),
    ("history", &["model", "store"]),
    ("embedded", &["model", "store", "history"]),
    ("cluster", &["model", "store", "history"]),
    ("query", &["model", "store"]),
    ("server", &["model", "store", "query"]),
    ("cli", &["model", "store", "embedded", "cluster", "query", "server"]),
];

/// The one module that chooses a backend.
const ASSEMBLE: &str = "crates/cli/src/assemble/";
/// The engines, and where each lies.
const ENGINES: [(&str, &str); 2] = [("muster_embedded", "crates/embedded/"), ("muster_cluster", "crates/cluster/")];

/// Checks every manifest below `crates` and every source that ships.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let manifests = tree.texts().filter_map(|(path, text)| Some((path, crate_of_manifest(path)?, text)));
    let mut findings: Vec<_> = manifests.flat_map(|(path, name, text)| arrows(path, name, text)).collect();
    findings.extend(engine(tree));
    findings
}

fn crate_of_manifest(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml").filter(|name| !name.contains('/'))
}

fn arrows(path: &str, name: &str, text: &str) -> Vec<Finding> {
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        let says = "this crate has no entry in the table of arrows: a new crate must enforce an arrow or wall off a \
                    heavy optional dependency; say which in ARCHITECTURE.md and add it to xtask/src/tidy/arrow.rs";
        return vec![Finding::new(path, 1, "arrow", says)];
    };
    let Ok(manifest) = text.parse::<toml::Table>() else {
        return vec![Finding::new(path, 1, "arrow", "this manifest is not valid TOML")];
    };
    let mut findings = Vec::new();
    for (key, package) in shipped_dependencies(&manifest) {
        let Some(ours) = package.strip_prefix("muster-") else { continue };
        if !allowed.contains(&ours) {
            let says = format!("`{name}` may not depend on `{ours}`: {}", allowed_sentence(allowed));
            findings.push(Finding::new(path, line_of_key(text, &key), "arrow", says));
        }
    }
    findings
}

fn allowed_sentence(allowed: &[&str]) -> String {
    if allowed.is_empty() {
        return "it knows no other crate of ours, so that everything can rest on it".to_owned();
    }
    format!("the only arrows from it go to {}; what you need belongs there or behind the seam", allowed.join(", "))
}

/// Every dependency that ends up in the program: its key in the manifest and the package it names.
pub fn shipped_dependencies(manifest: &toml::Table) -> Vec<(String, String)> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let per_target = targets.into_iter().flat_map(|targets| targets.values().filter_map(toml::Value::as_table));
    let tables = std::iter::once(manifest).chain(per_target);
    let sections = tables.flat_map(|table| ["dependencies", "build-dependencies"].map(|section| table.get(section)));
    let entries = sections.flatten().filter_map(toml::Value::as_table).flatten();
    entries.map(|(key, value)| (key.clone(), package_of(key, value))).collect()
}

fn package_of(key: &str, value: &toml::Value) -> String {
    value.get("package").and_then(toml::Value::as_str).unwrap_or(key).to_owned()
}

/// The line on which a dependency is written, 1 when it is written in an unusual way.
pub fn line_of_key(text: &str, key: &str) -> usize {
    let starts = |line: &str| {
        let rest = line.trim_start().trim_start_matches('"').strip_prefix(key);
        let in_header = line.trim_end().strip_suffix(']').is_some_and(|head| head.ends_with(&format!(".{key}")));
        in_header || rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=', '"']))
    };
    text.lines().position(starts).map_or(1, |index| index + 1)
}

/// Sources outside the engine's own crate that name it. Tests may: a test over the real engine has to start one.
fn engine(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (engine, own) in ENGINES {
        let elsewhere = |path: &str| !path.starts_with(ASSEMBLE) && path.contains("/src/") && !path.starts_with(own);
        for (path, source) in tree.sources().filter(|(path, _)| elsewhere(path)) {
            let named = source.tokens().filter(|(_, token)| token.is_word(engine));
            findings.extend(named.map(|(_, token)| {
                let says = format!(
                    "`{engine}` is named outside {ASSEMBLE}: everything else speaks to the seam in `muster_store`, so that \
                     another backend is a change in one module"
                );
                Finding::new(path, token.line, "engine", says)
            }));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::{check, line_of_key};

    #[test]
    fn the_arrows_hold() {
        let good = [
            ("crates/model/Cargo.toml", "[dependencies]\nserde.workspace = true\n"),
            ("crates/store/Cargo.toml", "[dependencies]\nmuster-model.workspace = true\n"),
            (
                "crates/server/Cargo.toml",
                "[dependencies]\nmuster-store.workspace = true\n[dev-dependencies]\nmuster-embedded.workspace = true\n",
            ),
            (
                "crates/cli/Cargo.toml",
                "[dependencies]\nmuster-embedded.workspace = true\nmuster-server.workspace = true\n",
            ),
        ];
        assert_places(check, &good, &[]);
    }

    #[test]
    fn any_other_arrow_is_refused() {
        let check = |name: &str, manifest: &str, line: usize| {
            let path = format!("crates/{name}/Cargo.toml");
            assert_places(check, &[(&path, manifest)], &[&format!("{path}:{line}")]);
        };
        check("model", "[dependencies]\nserde = \"1\"\nmuster-store.workspace = true\n", 3);
        check("store", "[dependencies]\nmuster-embedded = { workspace = true }\n", 2);
        check("server", "[dependencies]\nengine = { package = \"muster-embedded\", path = \"../embedded\" }\n", 2);
        check("server", "[build-dependencies]\nmuster-cli.workspace = true\n", 2);
        check("embedded", "[target.'cfg(unix)'.dependencies]\nmuster-server.workspace = true\n", 2);
        check("embedded", "[dependencies.muster-server]\nworkspace = true\n", 1);
        check("unheard-of", "[package]\n", 1);
        check("model", "[dependencies\n", 1);
    }

    #[test]
    fn one_module_names_the_engine() {
        let text = "//! a\nuse muster_embedded::Engine;\n";
        assert_places(check, &[("crates/cli/src/serve.rs", text)], &["crates/cli/src/serve.rs:2"]);
        assert_places(check, &[("crates/server/src/lib.rs", text)], &["crates/server/src/lib.rs:2"]);
        for place in [
            "crates/cli/src/assemble/mod.rs",
            "crates/embedded/src/lib.rs",
            "crates/embedded/tests/a.rs",
            "crates/cli/tests/a.rs",
        ] {
            assert_places(check, &[(place, text)], &[]);
        }
        assert_places(check, &[("crates/store/src/a.rs", "//! a\n// muster_embedded keeps it on disk.\n")], &[]);
    }

    #[test]
    fn finds_the_line_of_a_dependency() {
        let text = "[dependencies]\nab = \"1\"\na.workspace = true\n\"c\" = \"1\"\n[dependencies.d]\n";
        assert_eq!(["ab", "a", "c", "d", "e"].map(|key| line_of_key(text, key)), [2, 3, 4, 5, 1]);
    }
}
