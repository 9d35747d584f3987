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
    /// Waits for the message after a position and takes those that are ready behind it; none when nothing comes for a while.
    pub fn collect(
        ready: &mut Receiver<Result<Taken, Fault>>,
        inner: &Arc<Inner>,
        position: u64,
    ) -> Result<Option<Group>, Fault> {
        let ended = || Fault::Stream("the lane's messages ended".to_owned());
        let waited = inner.handle.block_on(async { timeout(LOOK_UP, ready.recv()).await });
        let first = match waited {
            Err(_) => return Ok(None),
            Ok(None) => return Err(ended()),
            Ok(Some(first)) => first?,
        };
        let mut bytes = first.payload.len();
        let mut items: Vec<Item> = Item::after(position, first)?.into_iter().collect();
        // A large transaction is cheaper a message, and what it holds is seen later: bytes bound both.
        while items.len() < inner.options.group_batches_max && bytes < inner.options.group_bytes_max {
            let Ok(next) = ready.try_recv() else { break };
            let next = next?;
            bytes += next.payload.len();
            let before = items.last().map_or(position, |item| item.sequence);
            items.extend(Item::after(before, next)?);
        }
        Ok((!items.is_empty()).then_some(Group { items }))
    }
}

impl Item {
    /// The message that comes next after one; none if it was before. A stream has no holes, but whoever hands its messages out
    /// begins anew when a server fails, at the very beginning if it knows no better; and what was let go of too early is gone.
    fn after(before: u64, taken: Taken) -> Result<Option<Item>, Fault> {
        let Taken { sequence, payload, .. } = taken;
        if sequence > before + 1 {
            return Err(Fault::Stream(format!(
                "after message {before} of the lane comes {sequence}; those between are missing"
            )));
        }
        let parcel = Parcel::decode(&payload).ok();
        Ok((sequence == before + 1).then_some(Item { sequence, payload, parcel }))
    }
}

const _: () =
    assert!(LOOK_UP.as_nanos() < Duration::from_secs(1).as_nanos(), "closing does not wait long for a lane at rest");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_once_and_none_is_passed_over() {
        let taken = |sequence| Taken { sequence, payload: Bytes::new(), room: None };
        let number = |before, sequence| Item::after(before, taken(sequence)).map(|item| item.map(|item| item.sequence));
        assert_eq!(number(4, 5).unwrap(), Some(5));
        assert_eq!((number(4, 4).unwrap(), number(4, 1).unwrap()), (None, None));
        assert!(number(4, 6).is_err());
    }
}
