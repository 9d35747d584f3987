//! The conformance suite on the embedded engine, at every pace: with checkpoints, compactions, reopenings and crashes
//! after each batch.

mod support;

use std::time::Duration;

use muster_embedded::{Embedded, OpenError, Options};
use muster_store::suite::Subject;
use support::{NOW, options};

/// A data directory that lives as long as a test.
struct Directory(tempfile::TempDir);

impl Directory {
    async fn open_with(&self, options: Options) -> Embedded {
        // An abandoned engine's threads need a moment to notice.
        for _ in 0..1_000 {
            match Embedded::open(options.clone(), NOW) {
                Ok((engine, _)) => return engine,
                Err(OpenError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(other) => panic!("{other}"),
            }
        }
        panic!("the directory stayed in use");
    }
}

impl Subject for Directory {
    type Store = Embedded;

    async fn open(&self) -> Embedded {
        self.open_with(options(self.0.path())).await
    }

    async fn open_cramped(&self) -> Embedded {
        self.open_with(Options { queue_batches_max: 1, queue_bytes_max: 1, ..options(self.0.path()) }).await
    }

    async fn settle(&self, store: &Embedded) {
        store.checkpoint().await;
    }

    async fn abandon(&self, store: Embedded) {
        drop(store);
    }
}

fn directory() -> impl Subject {
    Directory(tempfile::tempdir().expect("a temporary directory"))
}

muster_store::conformance!(directory);
