//! Keys that go into a list and out of it, in bulk or as part of a commit. Which these are is decided elsewhere.

use fjall::{Keyspace, OwnedWriteBatch};

use super::gaps::{GapBook, List};

/// Keys of one list.
#[derive(Debug)]
pub struct Moves<const N: usize> {
    list: List,
    inserted: Vec<[u8; N]>,
    removed: Vec<[u8; N]>,
}

impl<const N: usize> Moves<N> {
    pub fn new(list: List) -> Moves<N> {
        Moves { list, inserted: Vec::new(), removed: Vec::new() }
    }

    pub fn insert(&mut self, key: [u8; N]) {
        self.inserted.push(key);
    }

    pub fn remove(&mut self, key: [u8; N]) {
        self.removed.push(key);
    }

    pub fn count(&self) -> usize {
        self.inserted.len() + self.removed.len()
    }

    /// Writes them as a table of their own, past the store's log and memory; none is left.
    pub fn ingest(&mut self, keyspace: &Keyspace, gaps: &GapBook) -> fjall::Result<()> {
        self.prepare(gaps);
        if self.count() == 0 {
            return Ok(());
        }
        let mut ingestion = keyspace.start_ingestion()?;
        let mut removed = self.removed.drain(..).peekable();
        for key in self.inserted.drain(..) {
            while let Some(gone) = removed.next_if(|gone| *gone < key) {
                ingestion.write_tombstone(gone.as_slice())?;
            }
            ingestion.write(key.as_slice(), [].as_slice())?;
        }
        for gone in removed {
            ingestion.write_tombstone(gone.as_slice())?;
        }
        ingestion.finish()
    }

    /// Adds them to a commit, in the order of the keys: neighbours are found in the processor's caches.
    pub fn put(mut self, batch: &mut OwnedWriteBatch, keyspace: &Keyspace, gaps: &GapBook) {
        self.prepare(gaps);
        self.removed.iter().for_each(|key| batch.remove(keyspace, *key));
        self.inserted.iter().for_each(|key| batch.insert(keyspace, *key, []));
    }

    fn prepare(&mut self, gaps: &GapBook) {
        self.inserted.sort_unstable();
        self.removed.sort_unstable();
        gaps.fill(self.list, self.inserted.iter().map(<[u8; N]>::as_slice));
    }
}
