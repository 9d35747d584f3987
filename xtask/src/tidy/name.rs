//! Files and modules are named after things and stages.
//!
//! A file called `util` says nothing about what is in it, so everything ends up there. `traits` is allowed: it holds
//! customers' traits. Looks at the names of Rust files, of their directories and of inline modules.

use crate::finding::Finding;
use crate::tree::Tree;

const FORBIDDEN: [&str; 14] = [
    "util",
    "utils",
    "utility",
    "utilities",
    "helper",
    "helpers",
    "common",
    "misc",
    "type",
    "types",
    "constant",
    "constants",
    "enum",
    "enums",
];

/// Checks every Rust file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in tree.sources() {
        let forbidden = path.split('/').map(|part| part.trim_end_matches(".rs")).find(|part| is_forbidden(part));
        findings.extend(forbidden.map(|name| finding(path, 1, name)));
        let inline = source.modules().filter(|module| module.inline && is_forbidden(&module.name));
        findings.extend(inline.map(|module| finding(path, module.line, &module.name)));
    }
    findings
}

fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.contains(&name)
}

fn finding(path: &str, line: usize, name: &str) -> Finding {
    let says =
        format!("`{name}` says nothing about what is in it: name the file after the thing or the stage it holds");
    Finding::new(path, line, "name", says)
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::check;

    #[test]
    fn names_are_things_and_stages() {
        assert_places(check, &[("a/traits.rs", "//! a"), ("a/commonwealth.rs", "//! a"), ("docs/common.md", "")], &[]);
        for bad in ["a/util.rs", "a/helpers/mod.rs", "a/tests/common/mod.rs", "a/misc.rs", "a/types.rs", "enums/b.rs"] {
            assert_places(check, &[(bad, "//! a")], &[&format!("{bad}:1")]);
        }
        assert_places(check, &[("a/b.rs", "//! a\n\nmod helpers {\n}\nmod traits {}\n")], &["a/b.rs:3"]);
    }
}
