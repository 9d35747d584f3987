//! Relative links in documents, and documents nobody links to.
//!
//! A link to a file or a heading that moved costs its reader more than no link. A document without a link to it is not
//! found. Links to other sites are not followed: the gate must not depend on the network.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::finding::Finding;
use crate::tree::Tree;

/// Where readers start. Documents in `docs/` are linked from one of these; deeper ones may be reached in steps.
const ENTRANCES: [&str; 2] = ["README.md", "ARCHITECTURE.md"];

/// Checks every Markdown file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let documents: BTreeMap<&str, Document> = tree
        .texts()
        .filter(|(path, _)| path.ends_with(".md"))
        .map(|(path, text)| (path, Document::read(text)))
        .collect();
    let mut findings = Vec::new();
    let mut targets: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (path, document) in &documents {
        for link in &document.links {
            let target = resolve(path, &link.to);
            let broken = broken(tree, &documents, &target, &link.to);
            findings.extend(broken.map(|says| Finding::new(path, link.line, "link", says)));
            if let Target::Inside { file, .. } = target {
                targets.entry(path).or_default().insert(file);
            }
        }
    }
    findings.extend(unlinked(&documents, &targets));
    findings
}

/// What a document links to and which headings it offers.
struct Document {
    links: Vec<Link>,
    anchors: BTreeSet<String>,
}

struct Link {
    to: String,
    line: usize,
}

impl Document {
    fn read(text: &str) -> Document {
        let mut links = Vec::new();
        let mut anchors = BTreeSet::new();
        let mut heading: Option<String> = None;
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    let line = text[..range.start].matches('\n').count() + 1;
                    links.push(Link { to: dest_url.into_string(), line });
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    if let Some(words) = heading.take() {
                        add_anchor(&mut anchors, &words);
                    }
                }
                Event::Text(words) | Event::Code(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                _ => {}
            }
        }
        Document { links, anchors }
    }
}

/// The anchor a code host gives a heading: lower case, blanks as dashes, punctuation gone, repeats numbered.
fn add_anchor(anchors: &mut BTreeSet<String>, words: &str) {
    let kept = words.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
    let repeats = (1_usize..).map(|n| format!("{anchor}-{n}"));
    let free = std::iter::once(anchor.clone()).chain(repeats).find(|name| !anchors.contains(name));
    anchors.extend(free);
}

/// Where a link leads.
enum Target {
    /// To another site, which is not followed.
    Elsewhere,
    /// To a path that means nothing, or different things to different readers; with the sentence about it.
    Nowhere(String),
    /// To a file or directory, relative to the root, and perhaps to a heading in it.
    Inside { file: String, heading: Option<String> },
}

fn resolve(from: &str, to: &str) -> Target {
    let has_scheme = to.split(['/', '#', '?']).next().is_some_and(|start| start.contains(':'));
    if has_scheme || to.starts_with("//") {
        return Target::Elsewhere;
    }
    if to.starts_with('/') {
        return Target::Nowhere(format!("the link `{to}` starts with a slash: write it relative to this file"));
    }
    let (path, heading) = to.split_once('#').map_or((to, None), |(path, heading)| (path, Some(heading.to_owned())));
    if path.is_empty() {
        return Target::Inside { file: from.to_owned(), heading };
    }
    let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.is_empty() => {
                return Target::Nowhere(format!(
                    "the link `{to}` leads out of the repository: nobody else can follow it"
                ));
            }
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Target::Inside { file: parts.join("/"), heading }
}

/// The sentence about a link that leads nowhere.
fn broken(tree: &Tree, documents: &BTreeMap<&str, Document>, target: &Target, to: &str) -> Option<String> {
    let (file, heading) = match target {
        Target::Elsewhere => return None,
        Target::Nowhere(says) => return Some(says.clone()),
        Target::Inside { file, heading } => (file, heading),
    };
    if !tree.holds(file) {
        return Some(format!("the link `{to}` leads to `{file}`, which is not there: correct it or remove it"));
    }
    let heading = heading.as_ref()?;
    let missing = !documents.get(file.as_str())?.anchors.contains(heading);
    missing.then(|| format!("`{file}` has no heading for `#{heading}`: correct the link `{to}`"))
}

/// Documents in `docs/` that no entrance links to, and deeper ones that cannot be reached from the entrances at all.
fn unlinked(documents: &BTreeMap<&str, Document>, targets: &BTreeMap<&str, BTreeSet<String>>) -> Vec<Finding> {
    let links_of = |path: &str| targets.get(path).into_iter().flatten();
    let direct: BTreeSet<&String> = ENTRANCES.iter().flat_map(|entrance| links_of(entrance)).collect();
    let mut reached: BTreeSet<&String> = BTreeSet::new();
    let mut waiting: Vec<&String> = direct.iter().copied().collect();
    while let Some(path) = waiting.pop() {
        if reached.insert(path) {
            waiting.extend(links_of(path));
        }
    }
    let in_docs = documents.keys().filter_map(|path| Some((*path, path.strip_prefix("docs/")?)));
    let lost = in_docs.filter(|(path, below)| {
        let set = if below.contains('/') { &reached } else { &direct };
        !set.iter().any(|reached| reached.as_str() == *path)
    });
    lost.map(|(path, _)| {
        let says = format!("no reader finds this: link it from {}", ENTRANCES.join(" or "));
        Finding::new(path, 1, "link", says)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::{Document, check};

    #[test]
    fn relative_links_resolve() {
        let check = |text: &str, expected: &[&str]| {
            let readme = "[a](docs/a.md)\n";
            let files = [("README.md", readme), ("docs/a.md", text), ("src/main.rs", "//! m"), ("docs/b c.png", "")];
            assert_places(check, &files, expected);
        };
        check(
            "# A b\n[x](../README.md), [y](../src/), ![z](b%20c.png), [u](https://a.example/b), [m](mailto:a@b)\n",
            &[],
        );
        check("[ref]\n\n[ref]: ../src/main.rs\n", &[]);
        check("one\n\nsee [x](gone.md)\n", &["docs/a.md:3"]);
        check("![x](gone.png)\n", &["docs/a.md:1"]);
        check("[x](../../out.md)\n", &["docs/a.md:1"]);
        check("[x](/README.md)\n", &["docs/a.md:1"]);
        check("[ref]\n\n[ref]: gone.md\n", &["docs/a.md:1"]);
        check("`[x](gone.md)`\n\n```\n[x](gone.md)\n```\n", &[]);
        check("| a |\n|---|\n| [x](gone.md) |\n", &["docs/a.md:3"]);
    }

    #[test]
    fn links_to_headings_resolve() {
        let files = |link: &'static str| [("README.md", link), ("docs/a.md", "# What `a` is, and isn't\n## B\n## B\n")];
        for good in ["docs/a.md#what-a-is-and-isnt", "docs/a.md#b", "docs/a.md#b-1", "docs/a.md#b) [x](#top"] {
            let text: &'static str = Box::leak(format!("# Top\n[x]({good})\n").into_boxed_str());
            assert_places(check, &files(text), &[]);
        }
        assert_places(check, &files("[x](docs/a.md#c)\n"), &["README.md:1"]);
        assert_places(check, &files("[x](docs/a.md)\n\n[y](#top)\n"), &["README.md:3"]);
    }

    #[test]
    fn every_document_is_found() {
        let document = ("docs/a.md", "# A\n[d](decisions/1.md)\n");
        let deep = ("docs/decisions/1.md", "# D\n");
        assert_places(check, &[("README.md", "[a](docs/a.md)"), document, deep], &[]);
        assert_places(check, &[("ARCHITECTURE.md", "[a](docs/a.md)"), document, deep], &[]);
        assert_places(check, &[("README.md", ""), document, deep], &["docs/a.md:1", "docs/decisions/1.md:1"]);
        assert_places(check, &[("README.md", "[d](docs/decisions/1.md)"), document, deep], &["docs/a.md:1"]);
        let second = ("docs/b.md", "# B\n");
        let through = ("docs/a.md", "[b](b.md)\n");
        assert_places(check, &[("README.md", "[a](docs/a.md)"), through, second], &["docs/b.md:1"]);
    }

    #[test]
    fn knows_the_line_of_a_link() {
        let document = Document::read("[a](1)\n[b](2)\n\ntext [c](3) and [d](4)\n");
        let lines: Vec<_> = document.links.iter().map(|link| link.line).collect();
        assert_eq!(lines, [1, 2, 4, 4]);
    }
}
