//! Accepting messages durably.

use crate::{Answer, batch::Batch, error::AppendError, receipt::Receipt};

/// The one way in.
///
/// When `append` answers `Ok`, then
/// 1. every entry of the batch is on stable storage and survives the loss of power;
/// 2. each message has been folded into profiles, links and timelines exactly once, however often it was appended,
///    by this call or others before, after or beside it;
/// 3. any read that starts from now on sees it;
/// 4. of messages with one identity the first appended stands; others with the same content are duplicates, others
///    with different content are set aside as conflicts.
///
/// When it answers `Err`, nothing was promised: the batch may be there after a restart, whole, or not at all; appending
/// it again is always safe. When the future is dropped, the same holds.
///
/// `append` never waits for a place: when too much is waiting it answers [`AppendError::Full`] at once.
pub trait Journal: Send + Sync {
    /// Takes a batch.
    fn append(&self, batch: Batch) -> Answer<'_, Receipt, AppendError>;

    /// The same for whoever need not know what became of each message: a store that finds it out later answers as soon as the
    /// batch is on stable storage, with nothing. Reads that start from then on see it all the same.
    fn accept(&self, batch: Batch) -> Answer<'_, Option<Receipt>, AppendError> {
        let appended = self.append(batch);
        Box::pin(async move { appended.await.map(Some) })
    }
}
