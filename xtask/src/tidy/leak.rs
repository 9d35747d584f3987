//! Words that belong to somebody's machine and not in a public repository.
//!
//! A path that exists on one computer misleads every other reader, and a package mirror written into the sources sends
//! everybody's builds to a host they cannot reach. The words are written in two halves here, so that this file passes
//! its own check. Text of any kind is looked at, and the names of files; the lock file only for its sources.

use crate::finding::Finding;
use crate::tree::Tree;

/// What must not appear, whatever its case, and what it is.
const WORDS: [(&str, &str); 12] = [
    (concat!("../", "shared"), "a directory outside the repository"),
    (concat!("/work", "/"), "a directory of one machine"),
    (concat!("/ro", "ot/"), "a directory of one machine"),
    (concat!(".libr", "ary"), "a directory outside the repository"),
    (concat!("far", "m-"), "a machine's name"),
    (concat!("issues ", "show"), "a command other readers do not have"),
    (concat!("artif", "actory"), "a package mirror"),
    (concat!("sparse", "+http"), "a package registry other than the default one"),
    (concat!("replace", "-with"), "a package registry other than the default one"),
    (concat!("[regis", "tries"), "a package registry other than the default one"),
    (concat!("index", ".crates.io"), "a registry host; cargo knows it without being told"),
    (concat!("static", ".crates.io"), "a registry host; cargo knows it without being told"),
];

const LOCK: &str = "Cargo.lock";
const LOCK_SOURCE: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// Checks every text file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let named = tree.paths().filter_map(|path| Some(finding(path, 1, found_in(&format!("/{path}"))?)));
    let texts = tree.texts().filter(|(path, _)| *path != LOCK);
    let written = texts.flat_map(|(path, text)| {
        let lines = text.lines().enumerate();
        lines.filter_map(move |(index, line)| Some(finding(path, index + 1, found_in(line)?)))
    });
    named.chain(written).chain(lock_sources(tree)).collect()
}

fn found_in(text: &str) -> Option<&'static (&'static str, &'static str)> {
    let text = text.to_lowercase();
    WORDS.iter().find(|(word, _)| text.match_indices(word).any(|(at, _)| stands_alone(&text[..at])))
}

/// Whether what precedes a word leaves it on its own: `self.field` is code and `a/dir/` is a relative path.
fn stands_alone(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ')' | ']' | '?'))
}

fn finding(path: &str, line: usize, (word, what): &(&str, &str)) -> Finding {
    let says = format!(
        "`{word}` is {what}: the repository is read and built elsewhere; use a relative path, a variable, or leave it out"
    );
    Finding::new(path, line, "leak", says)
}

fn lock_sources(tree: &Tree) -> Vec<Finding> {
    let lines = tree.text(LOCK).unwrap_or_default().lines().enumerate();
    let foreign = lines.filter(|(_, line)| line.starts_with("source = ") && *line != LOCK_SOURCE);
    foreign
        .map(|(index, _)| {
            let says = "this package does not come from crates.io: everybody must be able to fetch what is locked";
            Finding::new(LOCK, index + 1, "leak", says)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::{LOCK_SOURCE, WORDS, check};

    #[test]
    fn no_word_of_the_list_in_any_text() {
        for (word, _) in WORDS {
            let text = format!("fine\nsee {}x\n", word.to_uppercase());
            assert_places(check, &[("docs/a.md", &text)], &["docs/a.md:2"]);
            assert_places(check, &[("scripts/run", &text)], &["scripts/run:2"]);
        }
    }

    #[test]
    fn file_names_count() {
        let name = concat!("docs/far", "m-1.md");
        assert_places(check, &[(name, "")], &[&format!("{name}:1")]);
    }

    #[test]
    fn ordinary_text_passes() {
        let text = "a library, a farm, network/ and framework/ paths, ../store, /var/lib/muster, $HOME/.cache\n";
        let code = concat!("self.libr", "ary.load(); open()?.libr", "ary(); a/ro", "ot/b\n");
        assert_places(check, &[("a.rs", &format!("//! a\n{code}"))], &[]);
        assert_places(check, &[("README.md", text), ("Cargo.lock", &format!("{LOCK_SOURCE}\n"))], &[]);
    }

    #[test]
    fn the_lock_file_knows_one_source() {
        let name = concat!("name = \"far", "m-hash\"");
        let text = format!("{name}\n{LOCK_SOURCE}\nsource = \"git+https://example.com/a\"\n");
        assert_places(check, &[("Cargo.lock", &text)], &["Cargo.lock:3"]);
    }
}
