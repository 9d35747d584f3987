//! `muster migrate`: the tables of a cluster, made or brought to the version of this program.

use crate::{
    assemble,
    config::settings::Settings,
    exit::{Exit, Failure},
    output,
};

/// Migrates the database of the settings.
pub fn run(settings: &Settings) -> anyhow::Result<Exit> {
    let Some(cluster) = &settings.cluster else {
        let says = "there is no cluster to migrate: set cluster.state_url and cluster.journal_url; a data directory needs no \
                    migration of this kind";
        return Err(Failure::error(Exit::Usage, says.to_owned()));
    };
    output::line(&assemble::migrate(cluster)?)?;
    Ok(Exit::Success)
}
