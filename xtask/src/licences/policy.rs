//! What `deny.toml` allows.
//!
//! Reads the keys that the check understands and refuses a file in which one of them is missing or broken, because a
//! policy that is half read would let everything pass. Keys that only concern `cargo-deny` are left to it.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::Deserialize;
use spdx::Licensee;

/// The allowed licences, for all and for single crates, the banned crates, and the platforms looked at.
pub struct Policy {
    pub allowed: Vec<Licensee>,
    pub exceptions: BTreeMap<String, Vec<Licensee>>,
    pub banned: BTreeMap<String, String>,
    pub targets: Vec<String>,
}

#[derive(Deserialize)]
struct Written {
    graph: Graph,
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    #[serde(default)]
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
}

impl Policy {
    /// Reads the text of `deny.toml`.
    ///
    /// # Errors
    /// When a key is missing, a licence is not one of SPDX's, or foreign sources are not denied.
    pub fn parse(text: &str) -> anyhow::Result<Policy> {
        let written: Written = toml::from_str(text).context("deny.toml cannot be read")?;
        if written.licenses.allow.is_empty() || written.graph.targets.is_empty() {
            bail!("deny.toml: `licenses.allow` and `graph.targets` must each name at least one");
        }
        if written.sources.unknown_registry != "deny" || written.sources.unknown_git != "deny" {
            bail!("deny.toml: `sources.unknown-registry` and `sources.unknown-git` must be \"deny\": crates.io only");
        }
        let exceptions = written.licenses.exceptions.into_iter();
        Ok(Policy {
            allowed: licensees(&written.licenses.allow)?,
            exceptions: exceptions.map(|one| Ok((one.name, licensees(&one.allow)?))).collect::<anyhow::Result<_>>()?,
            banned: written.bans.deny.into_iter().map(|ban| (ban.name, ban.reason)).collect(),
            targets: written.graph.targets,
        })
    }
}

fn licensees(names: &[String]) -> anyhow::Result<Vec<Licensee>> {
    let parse = |name: &String| {
        Licensee::parse(name)
            .map_err(|error| anyhow::anyhow!("deny.toml allows {name:?}, which SPDX does not know: {error}"))
    };
    names.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::Policy;

    const GOOD: &str = "[graph]\ntargets = [\"x86_64-unknown-linux-gnu\"]\n[licenses]\nallow = [\"MIT\", \"ISC\"]\n\
        exceptions = [{ crate = \"a\", allow = [\"Zlib\"] }]\n[bans]\ndeny = [{ crate = \"b\", reason = \"no\" }]\n\
        [sources]\nunknown-registry = \"deny\"\nunknown-git = \"deny\"\n";

    #[test]
    fn reads_what_it_needs() {
        let policy = Policy::parse(GOOD).unwrap();
        assert_eq!(policy.allowed.len(), 2);
        assert_eq!(policy.exceptions["a"].len(), 1);
        assert_eq!(policy.banned["b"], "no");
        assert_eq!(policy.targets, ["x86_64-unknown-linux-gnu"]);
    }

    #[test]
    fn refuses_a_policy_that_would_allow_everything() {
        for (from, to) in [
            ("\"MIT\", \"ISC\"", ""),
            ("\"MIT\"", "\"MITT\""),
            ("unknown-git = \"deny\"", "unknown-git = \"allow\""),
            ("unknown-registry = \"deny\"\n", ""),
            ("[\"x86_64-unknown-linux-gnu\"]", "[]"),
            ("[bans]", "[other]"),
            ("[graph]", "[graph"),
        ] {
            assert!(GOOD.contains(from));
            assert!(Policy::parse(&GOOD.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }

    #[test]
    fn our_own_file_is_readable() {
        let policy = Policy::parse(include_str!("../../../deny.toml")).unwrap();
        assert!(policy.allowed.len() > 5 && policy.banned.contains_key("openssl"));
    }
}
