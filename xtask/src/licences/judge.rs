//! The tree held to the policy.
//!
//! Guarantees a finding for each package that is not allowed, whatever the reason that it cannot be shown to be. More
//! than one version of a crate is a note, not a finding: it costs build time and is often not ours to change.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;
use spdx::{Expression, Licensee, ParseMode};

use super::graph::{self, Package};
use super::policy::Policy;
use crate::finding::Finding;

const POLICY: &str = "deny.toml";
const LOCK: &str = "Cargo.lock";
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What was found: how many packages were looked at, what is not allowed, and what is only worth knowing.
#[derive(Debug)]
pub struct Verdict {
    pub packages: usize,
    pub findings: Vec<Finding>,
    pub notes: Vec<String>,
}

/// Holds the workspace at `root` to its `deny.toml`.
///
/// # Errors
/// When the policy, the manifest or the tree cannot be read.
pub fn check(root: &Path) -> anyhow::Result<Verdict> {
    let read = |name: &str| fs::read_to_string(root.join(name)).with_context(|| format!("{name} cannot be read"));
    let policy = Policy::parse(&read(POLICY)?)?;
    let rust_version = promised_rust(&read("Cargo.toml")?)?;
    let packages = graph::packages(root, &policy.targets)?;
    Ok(judge(&policy, &rust_version, &packages))
}

fn promised_rust(manifest: &str) -> anyhow::Result<String> {
    let manifest: toml::Table = manifest.parse().context("Cargo.toml cannot be read")?;
    let package = manifest.get("workspace").and_then(|workspace| workspace.get("package"));
    let version = package.and_then(|package| package.get("rust-version")?.as_str());
    version.map(str::to_owned).context("Cargo.toml: `[workspace.package]` must state a `rust-version`")
}

fn judge(policy: &Policy, rust_version: &str, packages: &[Package]) -> Verdict {
    let mut findings = Vec::new();
    for package in packages {
        let named = format!("{} {}", package.name, package.version);
        let mut report = |path: &str, rule: &'static str, says: String| {
            findings.push(Finding::new(path, 1, rule, format!("{named}: {says}")));
        };
        if let Err(says) = licence(policy, package) {
            report(POLICY, "licence", says);
        }
        if let Some(source) = package.source.as_deref().filter(|source| *source != REGISTRY) {
            report(LOCK, "source", format!("it comes from {source}; dependencies come from crates.io only"));
        }
        if let Some(reason) = policy.banned.get(&package.name) {
            report(
                LOCK,
                "ban",
                format!("it is banned in {POLICY}: {reason}; `cargo tree -i {}` says who needs it", package.name),
            );
        }
        if let Some(needs) = package.rust_version.as_deref().filter(|needs| is_newer(needs, rust_version)) {
            report(
                "Cargo.toml",
                "rust-version",
                format!("it needs Rust {needs}, but we promise to build with {rust_version}"),
            );
        }
    }
    Verdict { packages: packages.len(), findings, notes: several_versions(packages) }
}

/// Whether the declared licence can be satisfied with what the policy allows; if not, why not.
fn licence(policy: &Policy, package: &Package) -> Result<(), String> {
    let Some(declared) = package.license.as_deref() else {
        return Err("it declares no licence, so nothing allows us to ship it".to_owned());
    };
    let expression = Expression::parse_mode(declared, ParseMode::LAX)
        .map_err(|error| format!("its licence {declared:?} cannot be read: {error}"))?;
    let own: &[Licensee] = policy.exceptions.get(&package.name).map_or(&[], Vec::as_slice);
    let satisfied =
        expression.evaluate(|needed| policy.allowed.iter().chain(own).any(|licensee| licensee.satisfies(needed)));
    if satisfied {
        return Ok(());
    }
    Err(format!(
        "its licence {declared:?} asks for more than {POLICY} allows: use another crate, or, if the licence is \
         permissive, allow it there with the reason"
    ))
}

fn is_newer(needs: &str, promised: &str) -> bool {
    let numbers =
        |version: &str| -> Vec<u64> { version.split('.').map(|part| part.parse().unwrap_or(u64::MAX)).collect() };
    let (mut needs, mut promised) = (numbers(needs), numbers(promised));
    needs.resize(3, 0);
    promised.resize(3, 0);
    needs > promised
}

fn several_versions(packages: &[Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    let several = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    several
        .map(|(name, versions)| {
            format!("note: more than one version of {name}: {}", versions.into_iter().collect::<Vec<_>>().join(", "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Package, Policy, REGISTRY, is_newer, judge};

    const POLICY: &str = "[graph]\ntargets = [\"x\"]\n[licenses]\nallow = [\"MIT\", \"Apache-2.0\", \"BSD-3-Clause\"]\n\
        exceptions = [{ crate = \"roots\", allow = [\"CDLA-Permissive-2.0\"] }]\n\
        [bans]\ndeny = [{ crate = \"openssl\", reason = \"rustls\" }]\n\
        [sources]\nunknown-registry = \"deny\"\nunknown-git = \"deny\"\n";

    fn package(name: &str, license: Option<&str>) -> Package {
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: Some(REGISTRY.to_owned()),
            rust_version: None,
        }
    }

    /// The sentences about `package`, joined.
    fn says(package: Package) -> String {
        let verdict = judge(&Policy::parse(POLICY).unwrap(), "1.95", &[package]);
        verdict.findings.iter().map(|finding| finding.says().to_owned()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_licence_must_be_satisfiable() {
        for good in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-2.0-only OR MIT",
            "MIT AND BSD-3-Clause",
            "(MPL-2.0 OR MIT) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception OR MIT",
        ] {
            assert_eq!(says(package("a", Some(good))), "", "{good}");
        }
        for bad in ["GPL-3.0-only", "MIT AND MPL-2.0", "AGPL-3.0-or-later", "BUSL-1.1", "CDLA-Permissive-2.0"] {
            assert!(says(package("a", Some(bad))).contains("asks for more"), "{bad}");
        }
        assert!(says(package("a", None)).contains("declares no licence"));
        assert!(says(package("a", Some("see file"))).contains("cannot be read"));
    }

    #[test]
    fn an_exception_is_for_one_crate() {
        assert_eq!(says(package("roots", Some("CDLA-Permissive-2.0"))), "");
        assert_eq!(says(package("roots", Some("MIT"))), "");
        assert!(says(package("roots", Some("GPL-3.0-only"))).contains("asks for more"));
    }

    #[test]
    fn sources_bans_and_rust_versions() {
        let mut foreign = package("a", Some("MIT"));
        foreign.source = Some("git+https://example.com/a".to_owned());
        assert!(says(foreign).contains("crates.io only"));
        let mut ours = package("muster-a", Some("MIT"));
        ours.source = None;
        assert_eq!(says(ours), "");
        assert!(says(package("openssl", Some("MIT"))).contains("banned in deny.toml: rustls"));
        let mut new = package("a", Some("MIT"));
        new.rust_version = Some("1.96".to_owned());
        assert!(says(new).contains("needs Rust 1.96"));
    }

    #[test]
    fn compares_rust_versions_by_number() {
        let newer = [("1.96", "1.95"), ("1.95.1", "1.95"), ("2.0", "1.95"), ("odd", "1.95")];
        assert!(newer.iter().all(|(needs, promised)| is_newer(needs, promised)));
        let not = [("1.95", "1.95"), ("1.95.0", "1.95"), ("1.9", "1.95"), ("1.56.1", "1.95")];
        assert!(!not.iter().any(|(needs, promised)| is_newer(needs, promised)));
    }

    #[test]
    fn several_versions_are_a_note() {
        let mut second = package("a", Some("MIT"));
        second.version = "2.0.0".to_owned();
        let packages = [package("a", Some("MIT")), second, package("b", Some("MIT"))];
        let verdict = judge(&Policy::parse(POLICY).unwrap(), "1.95", &packages);
        assert!(verdict.findings.is_empty());
        assert_eq!(verdict.notes, ["note: more than one version of a: 1.0.0, 2.0.0"]);
    }
}
