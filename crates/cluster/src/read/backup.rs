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
        let says = "a cluster's data is in PostgreSQL; back it up with pg_dump or pg_basebackup, which include everything \
                    that was folded in";
        Box::pin(async { Err(AdminError::Invalid(says.to_owned())) })
    }
}
