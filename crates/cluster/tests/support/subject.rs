//! A place as the suite sees it.

use muster_cluster::{Cluster, Options};
use muster_store::suite::Subject;

use crate::support::Place;

impl Subject for Place {
    type Store = Cluster;

    // Opening a node greets two servers, which takes as long as folding in hundreds of messages.
    const PAUSED_CASES: usize = 3;

    async fn open(&self) -> Cluster {
        Place::open(self, self.options())
    }

    async fn open_cramped(&self) -> Cluster {
        Place::open(self, Options { queue_batches_max: 1, queue_bytes_max: 1, ..self.options() })
    }

    async fn settle(&self, store: &Cluster) {
        store.file_everything().await.expect("the history goes into files");
    }

    async fn abandon(&self, store: Cluster) {
        drop(store);
    }
}
