//! The files of the repository, read once and handed to every check.
//!
//! Guarantees paths with forward slashes, relative to the root, in one order; what `.gitignore` names at the root and
//! what is not part of a clone is left out. Never follows symbolic links and never writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::source::Source;

/// Files above this size are kept by name only: no source or document comes near it.
const TEXT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Every file by path. A file that is not text is there with its name alone.
pub struct Tree {
    files: BTreeMap<String, File>,
    test_modules: BTreeSet<String>,
}

struct File {
    text: Option<String>,
    rust: Option<Result<Source, String>>,
}

impl Tree {
    /// Reads the repository below `root`.
    ///
    /// # Errors
    /// When a directory or file cannot be read.
    pub fn read(root: &Path) -> anyhow::Result<Tree> {
        let ignored = ignored_names(&fs::read_to_string(root.join(".gitignore")).unwrap_or_default());
        let mut files = BTreeMap::new();
        walk(root, "", &ignored, &mut files)?;
        Ok(Tree::from_texts(files))
    }

    fn from_texts(texts: BTreeMap<String, Option<String>>) -> Tree {
        let files: BTreeMap<String, File> = texts
            .into_iter()
            .map(|(path, text)| {
                let rust = text.as_deref().filter(|_| path.ends_with(".rs")).map(Source::parse);
                (path, File { text, rust })
            })
            .collect();
        let test_modules = files
            .iter()
            .filter_map(|(path, file)| Some((path, file.rust.as_ref()?.as_ref().ok()?)))
            .flat_map(|(path, source)| test_module_paths(path, source))
            .collect();
        Tree { files, test_modules }
    }

    /// How many files were read.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Every path.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Every text file with its text.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, file)| Some((path.as_str(), file.text.as_deref()?)))
    }

    /// Every Rust file that could be split into tokens.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.files.iter().filter_map(|(path, file)| Some((path.as_str(), file.rust.as_ref()?.as_ref().ok()?)))
    }

    /// Rust files that could not be split into tokens, with the reason.
    pub fn unreadable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, file)| Some((path.as_str(), file.rust.as_ref()?.as_ref().err()?.as_str())))
    }

    /// The text of one file, `None` when it is not there or not text.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.text.as_deref()
    }

    /// Whether `path` is a file or a directory that holds one. The root is the empty path.
    pub fn holds(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty() || self.files.keys().any(|file| is_at_or_below(file, path))
    }

    /// Whether a whole Rust file is test code: below a `tests` directory of its crate, or declared by a
    /// `#[cfg(test)] mod name;`.
    pub fn is_test_file(&self, path: &str) -> bool {
        let in_tests = path.split('/').rev().skip(1).any(|part| part == "tests");
        let stem = path.trim_end_matches(".rs").trim_end_matches("/mod");
        in_tests || self.test_modules.iter().any(|module| is_at_or_below(stem, module))
    }

    /// A tree out of thin air, for the tests of the checks.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        Tree::from_texts(files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned()))).collect())
    }
}

fn is_at_or_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The names `.gitignore` excludes at the root, written `/name`. Other patterns are not needed here and not read.
fn ignored_names(gitignore: &str) -> BTreeSet<String> {
    let names = gitignore.lines().filter_map(|line| line.trim().strip_prefix('/'));
    names.map(|name| name.trim_end_matches('/').to_owned()).chain([".git".to_owned()]).collect()
}

fn walk(
    root: &Path,
    below: &str,
    ignored: &BTreeSet<String>,
    files: &mut BTreeMap<String, Option<String>>,
) -> anyhow::Result<()> {
    let directory = root.join(below);
    for entry in fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", directory.display()))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type().with_context(|| format!("cannot look at {path}"))?;
        if ignored.contains(&path) || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            walk(root, &path, ignored, files)?;
        } else {
            let text = read_text(&entry.path()).with_context(|| format!("cannot read {path}"))?;
            files.insert(path, text);
        }
    }
    Ok(())
}

fn read_text(path: &Path) -> std::io::Result<Option<String>> {
    if fs::metadata(path)?.len() > TEXT_BYTES_MAX {
        return Ok(None);
    }
    Ok(String::from_utf8(fs::read(path)?).ok().filter(|text| !text.contains('\0')))
}

/// The paths, without `.rs`, of the modules that `source` declares as test code in files of their own.
fn test_module_paths(path: &str, source: &Source) -> Vec<String> {
    let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
    let base = match file {
        "lib.rs" | "main.rs" | "mod.rs" => directory.to_owned(),
        _ => path.trim_end_matches(".rs").to_owned(),
    };
    source.modules().filter(|module| module.is_test && !module.inline).map(|m| format!("{base}/{}", m.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Tree, ignored_names};

    #[test]
    fn knows_test_files_by_directory_and_by_declaration() {
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", "//! a\n#[cfg(test)]\nmod checks;\nmod plain;\n"),
            ("crates/a/src/fold.rs", "//! f\n#[cfg(test)] mod deep;\n"),
        ]);
        for (path, expected) in [
            ("crates/a/tests/http.rs", true),
            ("crates/a/tests/http/kill.rs", true),
            ("crates/a/src/checks.rs", true),
            ("crates/a/src/checks/mod.rs", true),
            ("crates/a/src/checks/more.rs", true),
            ("crates/a/src/fold/deep.rs", true),
            ("crates/a/src/plain.rs", false),
            ("crates/a/src/checksum.rs", false),
            ("crates/a/src/tests.rs", false),
        ] {
            assert_eq!(tree.is_test_file(path), expected, "{path}");
        }
    }

    #[test]
    fn holds_files_and_directories() {
        let tree = Tree::of(&[("docs/api.md", "")]);
        assert!(tree.holds("docs/api.md") && tree.holds("docs") && tree.holds("docs/") && tree.holds(""));
        assert!(!tree.holds("doc") && !tree.holds("docs/api"));
    }

    #[test]
    fn leaves_out_what_gitignore_names_at_the_root() {
        let names = ignored_names("/target\n# note\n/data/\n*.log\n");
        assert_eq!(names.into_iter().collect::<Vec<_>>(), [".git", "data", "target"]);
    }

    #[test]
    fn reads_a_directory_as_it_lies() {
        let root = std::env::temp_dir().join(format!("xtask-tree-{}", std::process::id()));
        std::fs::create_dir_all(root.join("target")).unwrap();
        std::fs::create_dir_all(root.join("src")).unwrap();
        std::fs::write(root.join(".gitignore"), "/target\n").unwrap();
        std::fs::write(root.join("target/out.rs"), "//! no\n").unwrap();
        std::fs::write(root.join("src/lib.rs"), "//! yes\n").unwrap();
        std::fs::write(root.join("src/blob"), [0xff, 0x00]).unwrap();
        let tree = Tree::read(&root);
        std::fs::remove_dir_all(&root).unwrap();
        let tree = tree.unwrap();
        assert_eq!(tree.paths().collect::<Vec<_>>(), [".gitignore", "src/blob", "src/lib.rs"]);
        assert_eq!(tree.text("src/lib.rs"), Some("//! yes\n"));
        assert_eq!(tree.text("src/blob"), None);
        assert_eq!(tree.sources().count(), 1);
    }
}
