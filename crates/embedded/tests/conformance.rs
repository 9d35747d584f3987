//! The conformance suite on the embedded engine, at every pace: with checkpoints, compactions, reopenings and crashes
//! after each batch.

mod support;

use muster_embedded::{Embedded, Options};
use muster_store::suite::Subject;
use support::{open_when_free, options};

/// A data directory that lives as long as a test.
struct Directory(tempfile::TempDir);

impl Subject for Directory {
    type Store = Embedded;

    async fn open(&self) -> Embedded {
        open_when_free(options(self.0.path())).await
    }

    async fn open_cramped(&self) -> Embedded {
        open_when_free(Options { queue_batches_max: 1, queue_bytes_max: 1, ..options(self.0.path()) }).await
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
