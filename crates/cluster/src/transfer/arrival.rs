//! Taking over what came since everything was, from a store that goes on meanwhile: a node of its own takes it as any other would,
//! and folds it in.
//!
//! What came since is in the order in which followers get it, and each message of it is new, so that who had so many of them there
//! has to be so much further here. Never takes what deletes, imports or takes back.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use muster_model::id::WorkspaceId;
use muster_store::{
    batch::{Batch, BatchBuilder, Entry},
    error::AppendError,
    follow::FollowerId,
    journal::Journal,
    receipt::{Outcome, Receipt},
    transfer::{Piece, TransferError},
};

use super::{change, registered, source_failed, target::Target, target_failed};
use crate::{
    cluster::{Cluster, OpenError},
    follow::letters,
    mark::{self, Mark},
    options::Options,
    sql::connection::{Connection, Transaction},
    status::end,
};

/// Messages of one workspace, and their bytes, that are taken together.
const MESSAGES_AT_ONCE: usize = 1_000;
const BYTES_AT_ONCE: usize = 4 << 20;
/// How long it is tried to take them and to have them folded in; and in the end, when nobody is served meanwhile.
const PATIENCE: Duration = Duration::from_secs(600);
const PATIENCE_LAST: Duration = Duration::from_secs(20);

const EMPTY_REGISTERED: &str = "delete from saved; delete from member; delete from access_key";
const MOVE_ON: &str = "update follower set place = place + $2 where id = $1";

/// A cluster that has taken everything over, and takes what came since.
pub struct Arrival {
    cluster: Arc<Cluster>,
    connection: Connection,
    waiting: BTreeMap<WorkspaceId, Waiting>,
    patience: Duration,
}

/// What waits of a workspace.
struct Waiting {
    batch: BatchBuilder,
    messages: usize,
    bytes: usize,
}

impl Target {
    /// Writes what is left, and begins to take what came since. No other node starts yet.
    pub fn go_on(mut self) -> Result<Arrival, TransferError> {
        self.finish()?;
        let (options, connection) = self.into_parts();
        let options = Options { takes: true, applies: true, ..options };
        let failed = |error: OpenError| TransferError::Target(error.to_string());
        let cluster = Arc::new(Cluster::open_marked(options, Mark::Arriving).map_err(failed)?);
        Ok(Arrival { cluster, connection, waiting: BTreeMap::new(), patience: PATIENCE })
    }
}

impl Arrival {
    /// From here on somebody waits for it.
    pub fn hurry(&mut self) {
        self.patience = PATIENCE_LAST;
    }

    /// Takes workspaces, keys, members and saved views as they are by now, in place of what was there.
    pub fn registered(&mut self, pieces: &[Piece]) -> Result<(), TransferError> {
        let replace = |transaction: &mut Transaction<'_>| {
            transaction.run(EMPTY_REGISTERED)?;
            pieces.iter().try_for_each(|piece| registered::insert(transaction, piece))?;
            registered::changed(transaction)
        };
        change(&mut self.connection, None, replace)?;
        self.cluster.inner.refresh(&mut self.connection).map_err(target_failed)
    }

    /// Takes a batch; it is folded in by the next [`Arrival::settle`].
    pub fn take(&mut self, batch: &Batch) -> Result<(), TransferError> {
        let of = batch.workspace();
        let new = || Waiting { batch: BatchBuilder::new(of, 0), messages: 0, bytes: 0 };
        let waiting = self.waiting.entry(of).or_insert_with(new);
        for entry in batch.entries() {
            match entry {
                Entry::Message(bytes) => waiting.batch.encoded_message(bytes),
                Entry::Refused(bytes) => waiting.batch.encoded_refused(bytes),
                Entry::Forget(id) => waiting.batch.forget(id),
                Entry::Owners(bytes) => waiting.batch.encoded_owners(bytes),
                Entry::Decree(_) | Entry::Import(_) | Entry::TakeBack(_) => {
                    let says = "something was deleted or imported while everything was moved; move again";
                    return Err(TransferError::Busy(says.to_owned()));
                }
            }
        }
        waiting.messages += batch.messages();
        waiting.bytes += batch.bytes().len();
        if waiting.messages >= MESSAGES_AT_ONCE || waiting.bytes >= BYTES_AT_ONCE { self.send() } else { Ok(()) }
    }

    /// Has everything that was taken folded in.
    pub fn settle(&mut self) -> Result<(), TransferError> {
        self.send()?;
        self.cluster.fold_in(self.patience)
    }

    /// Takes letters in place of those that were there, and notes how many messages followers have had since.
    pub fn followers(&mut self, letters: Vec<Piece>, had: &BTreeMap<FollowerId, u64>) -> Result<(), TransferError> {
        change(&mut self.connection, None, |transaction| {
            transaction.run("truncate letter")?;
            for piece in letters {
                if let Piece::Letter(of, follower, letter) = piece {
                    transaction.enter(of)?;
                    letters::insert(transaction, (of, follower), &letter)?;
                }
            }
            for (follower, had) in had {
                transaction.execute(MOVE_ON, &[&(follower.0 as i64), &(*had as i64)])?;
            }
            Ok(())
        })
    }

    /// The cluster is one as any other from now on.
    pub fn open_up(mut self) -> Result<(), TransferError> {
        let inner = Arc::clone(&self.cluster.inner);
        self.cluster.inner.wait_for(async move { end(&inner).await }).map_err(target_failed)?;
        change(&mut self.connection, None, |transaction| mark::put(transaction, None))
    }

    /// Has what waits put onto the stream, each workspace's after what came before of it.
    fn send(&mut self) -> Result<(), TransferError> {
        let batches: Vec<Batch> =
            std::mem::take(&mut self.waiting).into_values().map(|one| one.batch.build()).collect();
        let (cluster, until) = (Arc::clone(&self.cluster), Instant::now() + self.patience);
        let sent = self.cluster.inner.wait_for(async move {
            try_join_all(batches.into_iter().map(|batch| append(&cluster, batch, until))).await
        });
        let receipts = sent.map_err(source_failed)?.map_err(|error| TransferError::Target(error.to_string()))?;
        // One that was sent twice, as there was no answer, is found to be a duplicate.
        let is_odd = |receipt: &Receipt| receipt.count(Outcome::Conflict) > 0 || receipt.count(Outcome::Deleted) > 0;
        if receipts.iter().any(is_odd) {
            let says = "messages that were new where they came from are not new here".to_owned();
            return Err(TransferError::Target(says));
        }
        Ok(())
    }
}

/// Has a batch taken, however often that has to be tried within a bound.
async fn append(cluster: &Cluster, batch: Batch, until: Instant) -> Result<Receipt, AppendError> {
    loop {
        match cluster.append(batch.clone()).await {
            Err(AppendError::Full { retry_after } | AppendError::Hindered { retry_after, .. })
                if Instant::now() < until =>
            {
                tokio::time::sleep(retry_after).await;
            }
            done => return done,
        }
    }
}
