//! Lists of records: each page is one transaction, and so of one moment.
//!
//! A record has a row for each of its values, written in the transaction that writes the record, so rows and records always
//! belong together. A page of few candidates reads and sorts them all; any other follows the order, looks at a bounded
//! number of rows and records and is short when that does not fill it. What the rows say is looked up in the record before
//! it is handed out.

/// What singles records out.
mod sources;

/// The places of an order, one after the other.
mod walk;

/// A page.
mod page;

/// Records whose first and last track were uncertain, made certain.
pub mod settle;

use std::sync::Arc;

use muster_model::id::WorkspaceId;
use muster_store::{
    Answer,
    error::ReadError,
    profiles::{ListPage, ListQuery},
};

use crate::cluster::Cluster;
use page::Outcome;

/// A page of records.
pub fn list(cluster: &Cluster, workspace: WorkspaceId, query: ListQuery) -> Answer<'_, ListPage, ReadError> {
    Box::pin(async move {
        let whose = (workspace, query.kind);
        let query = Arc::new(query);
        let read = || {
            let query = Arc::clone(&query);
            cluster.with_book(workspace, move |book| page::read(book, &query))
        };
        for settled in [false, true] {
            match read().await? {
                Outcome::Page { page, counted } => {
                    if counted {
                        settle::begin(&cluster.inner, whose);
                    }
                    return Ok(page);
                }
                Outcome::Uncertain if settled => break,
                Outcome::Uncertain => settle::wait(&cluster.inner, whose).await,
            }
        }
        let what = "the last tracks of many records are being worked out, since they or their users moved; ask again in \
            a while, or order by something else";
        Err(ReadError::TooLarge { what: what.to_owned() })
    })
}
