//! Paths such as `std::fs::File`, with `use` groups written out.
//!
//! Guarantees that `use std::{fs, net::{self, TcpStream}};` yields each path in full. A path inside a group is also
//! met on its own, without its prefix. Never follows a renaming `as`.

use super::token::{Kind, Token};

/// A path and the line of its last segment. `*` and `self` appear as segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub segments: Vec<String>,
    pub line: usize,
}

impl Path {
    /// Whether the path is `prefix` (segments joined by `::`) or below it.
    pub fn is_at_or_below(&self, prefix: &str) -> bool {
        let mut segments = self.segments.iter();
        prefix.split("::").all(|wanted| segments.next().is_some_and(|segment| segment == wanted))
    }
}

/// Every path in the file, single words included.
pub fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    for index in 0..tokens.len() {
        if tokens[index].kind == Kind::Word && !continues_path(tokens, index) {
            expand(tokens, index, &[], &mut found);
        }
    }
    found
}

fn continues_path(tokens: &[Token], index: usize) -> bool {
    let Some(before) = index.checked_sub(3) else { return false };
    is_separator(tokens, index - 2) && (tokens[before].kind == Kind::Word || tokens[before].is_mark(">"))
}

fn is_separator(tokens: &[Token], at: usize) -> bool {
    let colon = |at: usize| tokens.get(at).is_some_and(|token| token.is_mark(":"));
    colon(at) && colon(at + 1)
}

/// Reads one path from `at` on, below `prefix`, and pushes it; a group in braces pushes one path for each element.
fn expand(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Path>) {
    let mut segments = prefix.to_vec();
    let mut line = tokens[at].line;
    while let Some(token) = tokens.get(at) {
        if token.kind == Kind::Word || token.is_mark("*") {
            segments.push(token.text.clone());
            line = token.line;
        } else if token.is_open("{") {
            for element in elements(tokens, at) {
                expand(tokens, element, &segments, found);
            }
            return;
        } else {
            break;
        }
        if !is_separator(tokens, at + 1) {
            break;
        }
        at += 3;
    }
    if segments.len() > prefix.len() {
        found.push(Path { segments, line });
    }
}

/// Where each comma-separated element of a brace group starts.
fn elements(tokens: &[Token], open: usize) -> Vec<usize> {
    let close = tokens[open].partner;
    let mut starts = Vec::new();
    let (mut at, mut expects) = (open + 1, true);
    while at < close {
        if expects {
            starts.push(at);
        }
        expects = tokens[at].is_mark(",");
        at = if tokens[at].kind == Kind::Open { tokens[at].partner + 1 } else { at + 1 };
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::super::token::flatten;
    use super::paths;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<_> = paths(&flatten(text).unwrap()).iter().map(|path| path.segments.join("::")).collect();
        for path in expected {
            assert!(found.iter().any(|found| found == path), "{path} not found in {text}: {found:?}");
        }
    }

    #[test]
    fn writes_groups_out() {
        check(
            "use std::{fs, net::{self, TcpStream}, io::*};",
            &["std::fs", "std::net::self", "std::net::TcpStream", "std::io::*"],
        );
        check("use {std::fs, other::b};", &["std::fs", "other::b"]);
    }

    #[test]
    fn reads_paths_in_expressions_and_macros() {
        check("let a = ::std::fs::read(b)?;", &["std::fs::read"]);
        check("vec![std::env::var(\"A\")]", &["std::env::var"]);
        check("let a: std::time::Instant = b;", &["std::time::Instant"]);
        check("Vec::<u8>::new()", &["Vec"]);
    }

    #[test]
    fn a_body_after_a_path_is_not_its_group() {
        let found = paths(&flatten("match std::A { fs => 1 }").unwrap());
        assert!(!found.iter().any(|path| path.segments.join("::") == "std::A::fs"));
    }

    #[test]
    fn compares_by_segment() {
        let found = paths(&flatten("std::fsx::a").unwrap());
        assert!(found[0].is_at_or_below("std") && !found[0].is_at_or_below("std::fs"));
    }
}
