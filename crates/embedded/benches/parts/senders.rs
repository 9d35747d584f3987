//! Senders that fill an engine for a benchmark. Never measures by itself.

use std::sync::Arc;

use muster_embedded::Embedded;
use muster_store::{batch::Batch, journal::Journal};

/// 32 senders, each waiting for its answer before it sends the next batch.
pub async fn append(engine: &Arc<Embedded>, batches: Vec<Batch>) {
    const SENDERS: usize = 32;
    let mut shares: Vec<Vec<Batch>> = vec![Vec::new(); SENDERS];
    for (at, batch) in batches.into_iter().enumerate() {
        shares[at % SENDERS].push(batch);
    }
    let send = |share: Vec<Batch>| {
        let engine = Arc::clone(engine);
        tokio::spawn(async move {
            for batch in share {
                engine.append(batch).await.expect("an acknowledgement");
            }
        })
    };
    for task in shares.into_iter().map(send).collect::<Vec<_>>() {
        task.await.expect("a sender");
    }
}
