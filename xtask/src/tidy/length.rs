//! Files stop at 500 lines, functions at 70.
//!
//! A file that is longer holds two ideas; a function that is longer hides its branches. A trailing
//! `#[cfg(test)] mod … { … }` is counted apart, against the same bound. Exceptions are a table with a reason for each
//! entry; an entry must match what is there exactly, so every improvement has to be recorded and none can be undone.

use crate::finding::Finding;
use crate::source::Source;
use crate::tree::Tree;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// A file (or one function of it) that is longer than the bound, and why that is better than the alternative.
struct Exception {
    path: &'static str,
    /// `None` for the file as a whole.
    function: Option<&'static str>,
    lines: usize,
    reason: &'static str,
}

/// Only ever shrinks: its length is part of its type, lower it with each entry that goes and never raise it.
const EXCEPTIONS: [Exception; 0] = [];

const THIS_FILE: &str = "xtask/src/tidy/length.rs";

/// Checks every Rust file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    check_with(tree, &EXCEPTIONS)
}

fn check_with(tree: &Tree, exceptions: &[Exception]) -> Vec<Finding> {
    let mut met = vec![false; exceptions.len()];
    let mut findings = Vec::new();
    for (path, source) in tree.sources() {
        for long in too_long(source) {
            let entry = exceptions.iter().position(|entry| entry.path == path && entry.function == long.function());
            match entry {
                Some(entry) => {
                    met[entry] = true;
                    findings.extend(compare(path, &long, &exceptions[entry]));
                }
                None => findings.push(Finding::new(path, long.line, long.rule(), long.says())),
            }
        }
    }
    let stale = exceptions.iter().zip(met).filter(|(_, met)| !met);
    findings.extend(stale.map(|(entry, _)| {
        let says = format!("{} is no longer too long: remove its exception ({})", entry.path, entry.reason);
        Finding::new(THIS_FILE, 1, "exceptions", says)
    }));
    findings
}

/// Something over its bound.
struct Long {
    what: What,
    line: usize,
    lines: usize,
}

enum What {
    File,
    Tests,
    Function(String),
}

impl Long {
    fn function(&self) -> Option<&str> {
        match &self.what {
            What::Function(name) => Some(name),
            What::File | What::Tests => None,
        }
    }

    fn rule(&self) -> &'static str {
        match self.what {
            What::File | What::Tests => "file-length",
            What::Function(_) => "function-length",
        }
    }

    fn says(&self) -> String {
        let lines = self.lines;
        match &self.what {
            What::File => format!(
                "this file has {lines} lines without its trailing tests, at most {FILE_LINES_MAX} are allowed: a file \
                 this long holds more than one idea; give the second one a file of its own"
            ),
            What::Tests => format!(
                "the tests that end this file take {lines} lines, at most {FILE_LINES_MAX} are allowed: move them to \
                 files below tests/, or turn repeated cases into rows of a table"
            ),
            What::Function(name) => format!(
                "`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX} are allowed: it should fit on one screen; \
                 keep the branches here and move the straight parts into functions named after what they do"
            ),
        }
    }
}

fn too_long(source: &Source) -> Vec<Long> {
    let total = source.lines().len();
    let code = source.trailing_tests_line().map_or(total, |line| line - 1);
    let mut long = Vec::new();
    if code > FILE_LINES_MAX {
        long.push(Long { what: What::File, line: FILE_LINES_MAX + 1, lines: code });
    }
    if total - code > FILE_LINES_MAX {
        long.push(Long { what: What::Tests, line: code + 1, lines: total - code });
    }
    let functions = source.functions().iter().filter(|function| function.lines() > FUNCTION_LINES_MAX);
    long.extend(functions.map(|function| Long {
        what: What::Function(function.name.clone()),
        line: function.first_line,
        lines: function.lines(),
    }));
    long
}

fn compare(path: &str, long: &Long, entry: &Exception) -> Option<Finding> {
    if long.lines == entry.lines {
        return None;
    }
    let says = if long.lines > entry.lines {
        format!(
            "this has grown from {} to {} lines; its exception ({}) only allows what was there: split off what is new",
            entry.lines, long.lines, entry.reason
        )
    } else {
        format!("this has shrunk to {} lines: write that into its exception, so that it stays so", long.lines)
    };
    Some(Finding::new(path, long.line, long.rule(), says))
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::{Exception, check, check_with};
    use crate::finding::Finding;
    use crate::tree::Tree;

    fn file(lines: usize, tests: usize) -> String {
        let mut text = "//! a\n".to_owned() + &"// b\n".repeat(lines - 1);
        if tests > 0 {
            text += "#[cfg(test)]\nmod tests {\n";
            text += &"// b\n".repeat(tests - 3);
            text += "}\n";
        }
        text
    }

    fn function(lines: usize) -> String {
        format!("//! a\n/// Doc.\nfn long() {{\n{}}}\n", "    a();\n".repeat(lines - 2))
    }

    #[test]
    fn files_stop_at_500_and_their_tests_as_well() {
        assert_places(check, &[("a.rs", &file(500, 0)), ("b.rs", &file(500, 500))], &[]);
        assert_places(check, &[("a.rs", &file(501, 0))], &["a.rs:501"]);
        assert_places(check, &[("a.rs", &file(10, 501))], &["a.rs:11"]);
        assert_places(check, &[("a.md", &file(501, 0))], &[]);
    }

    #[test]
    fn functions_stop_at_70() {
        assert_places(check, &[("a.rs", &function(70))], &[]);
        assert_places(check, &[("a.rs", &function(71))], &["a.rs:3"]);
        assert_places(check, &[("a/tests/b.rs", &function(71))], &["a/tests/b.rs:3"]);
    }

    #[test]
    fn an_exception_matches_exactly_or_is_reported() {
        let entry = |lines| [Exception { path: "a.rs", function: Some("long"), lines, reason: "a table" }];
        let says = |text: &str, lines| {
            let findings = check_with(&Tree::of(&[("a.rs", text)]), &entry(lines));
            findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(says(&function(80), 80), "");
        assert!(says(&function(81), 80).contains("a.rs:3: this has grown from 80 to 81 lines"));
        assert!(says(&function(79), 80).contains("a.rs:3: this has shrunk to 79 lines"));
        assert!(says(&function(70), 80).contains("a.rs is no longer too long"));
    }
}
