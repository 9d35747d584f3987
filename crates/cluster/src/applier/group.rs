//! Some batches of a lane that are folded in together: whatever is ready, within bounds. No timer: a lone one goes at once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{sync::mpsc::Receiver, time::timeout};

use super::LOOK_UP;
use crate::{
    cluster::Inner,
    fault::Fault,
    stream::{Taken, parcel::Parcel},
};

/// A message of the stream, and what it holds if that can be read.
pub struct Item {
    pub sequence: u64,
    pub payload: Bytes,
    pub parcel: Option<Parcel>,
}

/// Some of them, in order.
pub struct Group {
    pub items: Vec<Item>,
}

impl Group {
    /// Waits for a message and takes those that are ready behind it; none when nothing comes for a while.
    pub fn collect(ready: &mut Receiver<Result<Taken, Fault>>, inner: &Arc<Inner>) -> Result<Option<Group>, Fault> {
        let ended = || Fault::Stream("the lane's messages ended".to_owned());
        let waited = inner.handle.block_on(async { timeout(LOOK_UP, ready.recv()).await });
        let first = match waited {
            Err(_) => return Ok(None),
            Ok(None) => return Err(ended()),
            Ok(Some(first)) => first?,
        };
        let mut bytes = first.payload.len();
        let mut items = vec![Item::of(first)];
        // A large transaction is cheaper a message, and what it holds is seen later: bytes bound both.
        while items.len() < inner.options.group_batches_max && bytes < inner.options.group_bytes_max {
            let Ok(next) = ready.try_recv() else { break };
            let next = next?;
            bytes += next.payload.len();
            items.push(Item::of(next));
        }
        Ok(Some(Group { items }))
    }
}

impl Item {
    fn of(taken: Taken) -> Item {
        let parcel = Parcel::decode(&taken.payload).ok();
        Item { sequence: taken.sequence, payload: taken.payload, parcel }
    }
}

const _: () =
    assert!(LOOK_UP.as_nanos() < Duration::from_secs(1).as_nanos(), "closing does not wait long for a lane at rest");
