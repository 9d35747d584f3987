//! What a check reports: a place, a rule and a sentence.
//!
//! Guarantees that every finding prints as `path:line: sentence [rule]`, so that editors can jump to it, and that a
//! list of findings has one order. Never decides what is wrong; the checks do.

use std::fmt;

/// One thing to put right. Ordered by place, so a report reads like the tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    says: String,
}

impl Finding {
    /// `line` counts from 1. `says` tells what is wrong, why it matters and what to do.
    pub fn new(path: &str, line: usize, rule: &'static str, says: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, rule, says: says.into() }
    }

    /// `path:line`, what most tests compare.
    #[cfg(test)]
    pub fn place(&self) -> String {
        format!("{}:{}", self.path, self.line)
    }

    /// The sentence, for tests that check what it tells the reader.
    #[cfg(test)]
    pub fn says(&self) -> &str {
        &self.says
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} [{}]", self.path, self.line, self.says, self.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::Finding;

    #[test]
    fn prints_place_sentence_and_rule() {
        let finding = Finding::new("a/b.rs", 7, "opening", "say what the file is for");
        assert_eq!(finding.to_string(), "a/b.rs:7: say what the file is for [opening]");
    }

    #[test]
    fn sorts_by_path_then_line() {
        let at = |path: &str, line| Finding::new(path, line, "r", "s");
        let mut findings = [at("b", 1), at("a", 10), at("a", 9)];
        findings.sort();
        assert_eq!(findings.iter().map(Finding::place).collect::<Vec<_>>(), ["a:9", "a:10", "b:1"]);
    }
}
