//! The table of settings in `docs/configuration.md`, compared with the built-in file.
//!
//! The comments of `config.default.toml` are the words of the documentation; the table in the document is made from
//! them. When they differ the test says how to write it anew.

use std::{fmt::Write, fs, path::PathBuf};

use super::{environment::variable_of, known::DEFAULT_FILE};

const BEGIN: &str = "<!-- settings: made from config.default.toml -->\n";
const END: &str = "<!-- settings: end -->\n";
/// Set to write the table into the document.
const UPDATE: &str = "UPDATE_DOCS";

/// One table a section, in the order of the file.
fn reference(file: &str) -> String {
    let heading = "| setting | default | in the environment | |\n|---|---|---|---|\n";
    let mut text = format!("### Top of the file\n\n{heading}");
    let (mut section, mut words) = (String::new(), String::new());
    for line in file.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            words = if words.is_empty() { comment.to_owned() } else { format!("{words} {comment}") };
        } else if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
            write!(text, "\n### `[{name}]`\n\n{heading}").unwrap();
        } else if let Some((key, value)) = line.split_once(" = ") {
            let variable = variable_of(&format!("{section}{key}"));
            assert!(!words.is_empty(), "{section}{key} has no comment in config.default.toml");
            writeln!(text, "| `{key}` | `{value}` | `{variable}` | {words} |").unwrap();
            words.clear();
        } else {
            words.clear();
        }
    }
    text
}

fn document() -> PathBuf {
    // As cargo says now: the test may have been built in another checkout that shares the target directory.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(here).join("../../docs/configuration.md")
}

#[test]
fn the_document_lists_every_setting_as_the_built_in_file_has_it() {
    let document = document();
    let page = fs::read_to_string(&document).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the document has the line where the table begins");
    let (table, after) = rest.split_once(END).expect("the document has the line where the table ends");
    let made = format!("\n{}\n", reference(DEFAULT_FILE));
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&document, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
        return;
    }
    assert!(
        table == made,
        "docs/configuration.md does not agree with config.default.toml; run the tests of muster-cli once with {UPDATE}=1"
    );
}

#[test]
fn comments_become_words_and_keys_become_variables() {
    let table = reference("# Head.\n\n# One\n# line.\na = 1\n\n[b]\n# Two.\nc_d = \"x\"\n");
    assert!(table.contains("| `a` | `1` | `MUSTER_A` | One line. |"), "{table}");
    assert!(table.contains("### `[b]`") && table.contains("| `c_d` | `\"x\"` | `MUSTER_B__C_D` | Two. |"), "{table}");
    assert!(!table.contains("Head"), "{table}");
}
