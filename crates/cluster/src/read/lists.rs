//! Lists of records.

use muster_model::id::WorkspaceId;
use muster_store::{
    Answer,
    error::ReadError,
    profiles::{ListPage, ListQuery},
};

use crate::cluster::Cluster;

/// A page of records.
pub fn list(_: &Cluster, _: WorkspaceId, _: ListQuery) -> Answer<'_, ListPage, ReadError> {
    Box::pin(async { Err(ReadError::Failed { what: "lists are not there yet".to_owned() }) })
}
