//! Whether a message was certainly never heard of, told from memory alone.
//!
//! A filter over every identity that is known, in memory or on disk: what it does not hold is new, and nothing else has to
//! be asked. Nearly every message is new, so this decides about nearly all of them. Seldom it seems to hold what was never
//! put in; then the maps and the disk decide, as they would without it. It never loses what was put in; identities that were
//! removed are out of it after the next start.
//!
//! What was on disk when the store was opened is read by a thread of its own, once something is written; until all of it was,
//! nothing is excluded. Its size is bounded. With a bound that is too small for all identities it excludes less and less,
//! and the disk is asked more often.

use std::{
    ops::Bound,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use crossbeam_channel::{Receiver, Sender};
use fjall::{Keyspace, UserKey};
use tracing::{debug, warn};

use super::known::IdentityKey;
use crate::keys;

const WORDS: usize = 8;
const BLOCK_BYTES: usize = WORDS * size_of::<u64>();
/// Bits for each identity: of a thousand that were never put in, one or two seem to be there for each layer that is full.
const BITS: usize = 16;
/// Bytes of the first layer.
const LAYER_BYTES_MIN: usize = 2 << 20;
/// By how much a layer is larger than all before it.
const GROWTH: usize = 3;
/// Identities read from the disk before it is asked whether the store is closing.
const READ_AT_ONCE: usize = 20_000;

/// The filter.
#[derive(Debug)]
pub struct Sieve {
    /// What was on disk at the start; nothing before all of it was read.
    below: Arc<OnceLock<Layer>>,
    layers: Vec<Layer>,
    bytes_max: usize,
    /// Tells the thread that reads the disk to begin. Gone once it did.
    begin: Option<Sender<()>>,
}

/// What reads the disk for a filter.
#[derive(Debug)]
pub struct Filling {
    below: Arc<OnceLock<Layer>>,
    bytes_max: usize,
    begun: Receiver<()>,
}

/// A filter of a fixed size. The bits of an identity lie in one block, one in each word, and a block in one line of the
/// processor's cache.
#[derive(Debug)]
struct Layer {
    words: Vec<u64>,
    /// Where the first block begins.
    first: usize,
    blocks: u64,
    /// How many more identities it is large enough for.
    room: usize,
}

/// Where an identity lies in every layer.
#[derive(Clone, Copy)]
struct Place {
    block: u64,
    bits: u64,
}

/// Bytes that what was on disk at the start may take; the rest is for what comes.
fn disk_share(bytes_max: usize) -> usize {
    bytes_max - bytes_max / (GROWTH + 1)
}

impl Sieve {
    /// A filter for a store that has these identities on disk, and what is to read them.
    pub fn new(disk: &Keyspace, bytes_max: usize) -> (Sieve, Filling) {
        let below = Arc::default();
        let (begin, begun) = crossbeam_channel::bounded(1);
        if disk.approximate_len() == 0 {
            let _ = OnceLock::set(&below, Layer::new(0));
        }
        let filling = Filling { below: Arc::clone(&below), bytes_max, begun };
        (Sieve { below, layers: Vec::new(), bytes_max, begin: Some(begin) }, filling)
    }

    /// Whether an identity may have been heard of. What was put in always may.
    pub fn may_hold(&self, key: IdentityKey) -> bool {
        let Some(below) = self.below.get() else { return true };
        let place = Place::of(key);
        self.layers.iter().rev().any(|layer| layer.has(place)) || below.has(place)
    }

    /// Looks where an identity would lie, so that the processor fetches several such places at once.
    pub fn warm(&self, key: IdentityKey) -> u64 {
        let place = Place::of(key);
        self.layers.iter().chain(self.below.get()).fold(0, |all, layer| all ^ layer.peek(place))
    }

    /// Puts an identity in.
    pub fn put(&mut self, key: IdentityKey) {
        if let Some(begin) = self.begin.take() {
            // Nobody waits for it when there was nothing to read.
            let _ = begin.try_send(());
        }
        if self.layers.last().is_none_or(|layer| layer.room == 0) {
            self.grow();
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.put(Place::of(key));
        }
    }

    /// Adds a layer as long as there are bytes for it; then the last one takes more than it is meant for.
    fn grow(&mut self) {
        let held: usize = self.layers.iter().map(Layer::bytes).sum();
        let below = self.below.get().map_or(disk_share(self.bytes_max), Layer::bytes);
        let left = self.bytes_max.saturating_sub(held + below);
        let bytes = (held * GROWTH).max(LAYER_BYTES_MIN).min(left);
        if self.layers.is_empty() || bytes >= LAYER_BYTES_MIN {
            self.layers.push(Layer::new(bytes.max(BLOCK_BYTES)));
        }
    }
}

impl Filling {
    /// Reads what the disk has, once somebody wants it. Ends early when the store closes or cannot be read; then nothing is
    /// excluded, and every look-up asks the disk.
    pub fn run(self, disk: &Keyspace, closing: &AtomicBool) {
        if self.below.get().is_some() || self.begun.recv().is_err() {
            return;
        }
        match self.read(disk, closing) {
            Ok(Some(layer)) => {
                debug!(bytes = layer.bytes(), "the filter of identities holds all of them");
                let _ = self.below.set(layer);
            }
            Ok(None) => {}
            Err(fault) => {
                warn!(error = %fault, "the filter of identities could not be made; each message is looked up on the disk");
            }
        }
    }

    fn read(&self, disk: &Keyspace, closing: &AtomicBool) -> fjall::Result<Option<Layer>> {
        let mut layer = Layer::new((disk.approximate_len() * BITS / 8).min(disk_share(self.bytes_max)));
        let mut after: Option<UserKey> = None;
        loop {
            if closing.load(Ordering::Acquire) {
                return Ok(None);
            }
            let from = after.take().map_or(Bound::Unbounded, Bound::Excluded);
            for entry in disk.range::<UserKey, _>((from, Bound::Unbounded)).take(READ_AT_ONCE) {
                let key = entry.key()?;
                if let Some(identity) = keys::parse_identity_key(&key) {
                    layer.put(Place::of(identity));
                }
                after = Some(key);
            }
            if after.is_none() {
                return Ok(Some(layer));
            }
        }
    }
}

impl Layer {
    fn new(bytes: usize) -> Layer {
        let blocks = bytes.div_ceil(BLOCK_BYTES).max(1);
        // Room for moving the first block to where a line begins.
        let words = vec![0u64; (blocks + 1) * WORDS];
        let first = words.as_ptr().align_offset(BLOCK_BYTES).min(WORDS);
        Layer { words, first, blocks: blocks as u64, room: blocks * BLOCK_BYTES * 8 / BITS }
    }

    fn bytes(&self) -> usize {
        size_of_val(self.words.as_slice())
    }

    fn start(&self, place: Place) -> usize {
        let block = (u128::from(place.block) * u128::from(self.blocks)) >> 64;
        self.first + block as usize * WORDS
    }

    fn peek(&self, place: Place) -> u64 {
        self.words[self.start(place)]
    }

    fn has(&self, place: Place) -> bool {
        let start = self.start(place);
        let block = &self.words[start..start + WORDS];
        block.iter().zip(place.masks()).all(|(word, mask)| word & mask != 0)
    }

    fn put(&mut self, place: Place) {
        let start = self.start(place);
        let block = &mut self.words[start..start + WORDS];
        block.iter_mut().zip(place.masks()).for_each(|(word, mask)| *word |= mask);
        self.room = self.room.saturating_sub(1);
    }
}

impl Place {
    /// Identities are hashes already, and those of different workspaces have nothing to do with each other.
    fn of((workspace, identity): IdentityKey) -> Place {
        let spread = u64::from(workspace.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Place { block: (identity.0 >> 64) as u64 ^ spread, bits: identity.0 as u64 ^ spread }
    }

    /// One bit for each word of a block.
    fn masks(self) -> impl Iterator<Item = u64> {
        (0..WORDS).map(move |word| 1 << ((self.bits >> (6 * word)) & 63))
    }
}

#[cfg(test)]
mod tests {
    use muster_model::id::{Identity, WorkspaceId};
    use xxhash_rust::xxh3::xxh3_128;

    use super::*;
    use crate::{state::State, writer::known::Known};

    fn key(number: u64) -> IdentityKey {
        (WorkspaceId(number as u32 % 3), Identity(xxh3_128(&number.to_le_bytes())))
    }

    fn open(dir: &std::path::Path) -> State {
        State::open(dir, 1 << 20).unwrap()
    }

    #[test]
    fn what_was_put_in_is_held_and_hardly_anything_else() {
        let dir = tempfile::tempdir().unwrap();
        let state = open(dir.path());
        let (mut sieve, _) = Sieve::new(&state.identities, 16 << 20);
        let full = LAYER_BYTES_MIN * 8 / BITS * (1 + GROWTH);
        for number in 0..full as u64 {
            sieve.put(key(number));
        }
        assert_eq!(sieve.layers.len(), 2);
        assert!((0..full as u64).all(|number| sieve.may_hold(key(number))));
        let wrong = (0..100_000).filter(|number| sieve.may_hold(key(u64::MAX - number))).count();
        assert!(wrong < 500, "{wrong} of 100 000 seem to be there");
    }

    #[test]
    fn it_stays_within_its_bound_and_forgets_nothing_beyond_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = open(dir.path());
        for bytes_max in [0, 4_096, LAYER_BYTES_MIN] {
            let (mut sieve, _) = Sieve::new(&state.identities, bytes_max);
            (0..50_000).for_each(|number| sieve.put(key(number)));
            assert!((0..50_000).all(|number| sieve.may_hold(key(number))));
            let held: usize = sieve.layers.iter().map(Layer::bytes).sum();
            assert!(held <= bytes_max.max(BLOCK_BYTES) + BLOCK_BYTES, "{held} bytes of {bytes_max}");
        }
    }

    #[test]
    fn nothing_is_excluded_before_the_disk_was_read() {
        let dir = tempfile::tempdir().unwrap();
        let state = open(dir.path());
        let kept = READ_AT_ONCE as u64 + 5;
        for number in 0..kept {
            let (workspace, identity) = key(number);
            state
                .identities
                .insert(keys::identity_key(workspace, identity), Known::gone().to_bytes().as_ref())
                .unwrap();
        }
        let (mut sieve, filling) = Sieve::new(&state.identities, 4 << 20);
        assert!(sieve.may_hold(key(u64::MAX)), "nothing was read yet");
        sieve.put(key(kept));
        assert!(sieve.may_hold(key(u64::MAX)));
        filling.run(&state.identities, &AtomicBool::new(false));
        assert!((0..=kept).all(|number| sieve.may_hold(key(number))));
        let wrong = (0..10_000).filter(|number| sieve.may_hold(key(u64::MAX - number))).count();
        assert!(wrong < 200, "{wrong} of 10 000 seem to be there");
    }

    #[test]
    fn a_store_that_closes_is_not_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let state = open(dir.path());
        state.identities.insert(keys::identity_key(WorkspaceId(1), Identity(1)), [0; 16]).unwrap();
        let (mut sieve, filling) = Sieve::new(&state.identities, 4 << 20);
        sieve.put(key(1));
        filling.run(&state.identities, &AtomicBool::new(true));
        assert!(sieve.may_hold(key(2)));
        // Nor is one to which nothing is ever written.
        let (sieve, filling) = Sieve::new(&state.identities, 4 << 20);
        let below = Arc::clone(&sieve.below);
        drop(sieve);
        filling.run(&state.identities, &AtomicBool::new(false));
        assert!(below.get().is_none());
    }
}
