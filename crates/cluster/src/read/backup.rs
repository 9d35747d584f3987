//! Copies of everything: what PostgreSQL and the stream keep is copied by their own means.

use std::path::PathBuf;

use muster_store::{
    Answer,
    backup::{Backup, Backups},
    error::AdminError,
};

use crate::cluster::Cluster;

impl Backups for Cluster {
    fn backup(&self, _into: PathBuf) -> Answer<'_, Backup, AdminError> {
        let says = "this server is a node of a cluster, which has no directory to copy; `muster backup` with the settings of the cluster \
                    makes a data directory of what it holds";
        Box::pin(async { Err(AdminError::Invalid(says.to_owned())) })
    }
}
