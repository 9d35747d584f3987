//! Calls that belong in tests or in the one file that prints.
//!
//! `unwrap` outside tests turns a surprise into a crash without a reason. Printing from anywhere would mix talk into
//! data that another program reads. Looks at names alone, inside macro calls too; clippy, which knows types, looks as
//! well.

use crate::finding::Finding;
use crate::source::Source;
use crate::tree::Tree;

/// The one file whose business is printing.
const OUTPUT: &str = "crates/cli/src/output.rs";

const PRINTS: [&str; 5] = ["println", "print", "eprintln", "eprint", "dbg"];

/// Checks every Rust file that is not a test.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in tree.sources().filter(|(path, _)| !tree.is_test_file(path)) {
        findings.extend(unwraps(path, source));
        // A benchmark is a program of its own, whose figures are its output.
        if path != OUTPUT && !path.starts_with("xtask/") && !path.contains("/benches/") {
            findings.extend(prints(path, source));
        }
    }
    findings
}

fn unwraps(path: &str, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, token) in source.tokens() {
        if !token.is_word("unwrap") {
            continue;
        }
        let before = index.checked_sub(1).and_then(|before| source.token(before));
        let is_method = before.is_some_and(|before| before.is_mark(".") || before.is_mark(":"));
        if is_method && !source.is_test(index) {
            let says = "`unwrap` outside tests crashes without saying why: return an error, or use `expect` with the \
                        invariant that makes it impossible";
            findings.push(Finding::new(path, token.line, "unwrap", says));
        }
    }
    findings
}

fn prints(path: &str, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, token) in source.tokens() {
        let Some(called) = PRINTS.iter().find(|name| source.is_macro_call(index, name)) else { continue };
        if !source.is_test(index) {
            let says = format!(
                "`{called}!` outside {OUTPUT}: stdout is data for other programs and stderr is talk; return the text \
                 to the command and print it there, or log it with tracing"
            );
            findings.push(Finding::new(path, token.line, "print", says));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::check;

    #[test]
    fn unwrap_is_for_tests() {
        let bad = "//! a\nfn a() {\n b.unwrap();\n c!(d.unwrap());\n e\n  .unwrap();\n f.map(Option::unwrap);\n}\n";
        assert_places(
            check,
            &[("crates/a/src/b.rs", bad)],
            &["crates/a/src/b.rs:3", "crates/a/src/b.rs:4", "crates/a/src/b.rs:6", "crates/a/src/b.rs:7"],
        );
        assert_places(check, &[("crates/a/tests/b.rs", bad)], &[]);
        for good in [
            "a.unwrap_or_default(); b.unwrap_or(1); c.expect(\"checked above\");",
            "/// ```\n/// a.unwrap();\n/// ```\nfn a() { let b = \".unwrap()\"; } // .unwrap()",
            "#[cfg(test)]\nmod tests { fn a() { b.unwrap() } }",
            "#[test]\nfn a() { b.unwrap() }",
            "fn unwrap() {}",
            "let source = OsRng.unwrap_err();",
        ] {
            assert_places(check, &[("crates/a/src/b.rs", &format!("//! a\n{good}\n"))], &[]);
        }
        let split = [
            ("crates/a/src/lib.rs", "//! a\n#[cfg(test)]\nmod b;\n"),
            ("crates/a/src/b.rs", "//! a\nfn a() { b.unwrap() }\n"),
        ];
        assert_places(check, &split, &[]);
    }

    #[test]
    fn printing_has_one_place() {
        for print in ["println!()", "eprintln!(\"a\")", "print!(\"a\")", "eprint!(\"a\")", "dbg!(a)", "std::println!()"]
        {
            let text = format!("//! a\nfn a() {{ {print}; }}\n");
            assert_places(check, &[("crates/cli/src/serve.rs", &text)], &["crates/cli/src/serve.rs:2"]);
            for place in
                ["crates/cli/src/output.rs", "xtask/src/a.rs", "crates/cli/tests/a.rs", "crates/a/benches/b.rs"]
            {
                assert_places(check, &[(place, &text)], &[]);
            }
        }
        assert_places(check, &[("crates/a/src/b.rs", "//! a\n#[test]\nfn a() { println!(); }\n")], &[]);
    }
}
