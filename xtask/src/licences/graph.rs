//! The dependency tree, as `cargo metadata` tells it.
//!
//! Asks for exactly what the lock file says and for the platforms of the policy only. Never resolves anything itself.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

/// One package of the tree. A member of the workspace has no source.
#[derive(Clone, Debug, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    pub source: Option<String>,
    pub rust_version: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// Every package that some member needs on one of `targets`, tests and build scripts included.
///
/// # Errors
/// When cargo fails, with what it said; most often the lock file is out of date.
pub fn packages(root: &Path, targets: &[String]) -> anyhow::Result<Vec<Package>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["metadata", "--format-version", "1", "--locked"]);
    for target in targets {
        command.args(["--filter-platform", target]);
    }
    let output = command.output().context("cargo metadata cannot be started")?;
    if !output.status.success() {
        bail!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata cannot be read")?;
    Ok(metadata.packages)
}
