//! Every Rust file says what it is for; every `mod` in a contents page has a caption.
//!
//! A reader who opens a file at random learns in its first lines whether to read on, and `lib.rs` or `mod.rs` read from
//! top to bottom is the way of a message. Whether the words are true is for the reviewer.

use crate::finding::Finding;
use crate::source::Source;
use crate::tree::Tree;

/// Checks every Rust file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in tree.sources() {
        findings.extend(opening(path, source));
        let name = path.rsplit('/').next().unwrap_or(path);
        if matches!(name, "lib.rs" | "mod.rs") {
            findings.extend(captions(path, source));
        }
    }
    findings
}

fn opening(path: &str, source: &Source) -> Option<Finding> {
    let first = source.lines().first().map_or("", String::as_str);
    if first.strip_prefix("//!").is_some_and(|words| !words.trim().is_empty()) {
        return None;
    }
    let says = "the first line must be `//!` with a sentence: what the file is for, then what it guarantees and what it \
                never does, so that a reader knows whether to read on";
    Some(Finding::new(path, 1, "opening", says))
}

fn captions(path: &str, source: &Source) -> Vec<Finding> {
    let bare = source.modules().filter(|module| !module.is_test && !module.documented);
    let bare = bare.filter(|module| !has_comment_above(source, module.first_line));
    bare.map(|module| {
        let says = format!(
            "`mod {}` needs a caption, one comment right above it: this file is the table of contents",
            module.name
        );
        Finding::new(path, module.line, "caption", says)
    })
    .collect()
}

/// A `//` comment with words on the line before `line`; `//!` belongs to the file and `//` with a dash ruler to nobody.
fn has_comment_above(source: &Source, line: usize) -> bool {
    let above = line.checked_sub(2).and_then(|index| source.lines().get(index));
    let words = above.and_then(|above| above.trim_start().strip_prefix("//"));
    words.is_some_and(|words| !words.starts_with('!') && words.contains(char::is_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::check;

    #[test]
    fn every_file_opens_with_its_purpose() {
        assert_places(check, &[("a.rs", "//! What it is for.\nfn a() {}\n"), ("b.md", "text")], &[]);
        for bad in
            ["fn a() {}\n", "\n//! Late.\n", "//!\n//! Late.\n", "// Not a doc.\n", "/// Not inner.\nfn a() {}\n", ""]
        {
            assert_places(check, &[("a.rs", bad)], &["a.rs:1"]);
        }
    }

    #[test]
    fn contents_pages_have_captions() {
        for good in [
            "/// Caption.\npub mod a;\n",
            "// Caption.\nmod a;\n",
            "/// Caption.\n#[cfg(unix)]\npub(crate) mod a;\n",
            "// Caption.\n#[cfg(unix)]\nmod a;\n",
            "#[cfg(test)]\nmod tests;\n",
            "#[cfg(test)]\nmod tests { mod b {} }\n",
        ] {
            assert_places(check, &[("a/lib.rs", &format!("//! A.\n\n{good}"))], &[]);
        }
        for bad in ["mod a;", "pub mod a;", "mod a { }"] {
            assert_places(check, &[("a/mod.rs", &format!("//! A.\n{bad}\n"))], &["a/mod.rs:2"]);
        }
        assert_places(
            check,
            &[("lib.rs", "//! A.\n/// One.\nmod a;\nmod b;\n//\nmod c;\n")],
            &["lib.rs:4", "lib.rs:6"],
        );
        assert_places(check, &[("a/engine.rs", "//! A.\nmod b;\n")], &[]);
    }
}
