//! What became of each message of a batch.

/// The fate of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// New; stored and visible.
    Stored,
    /// The same message was stored before.
    Duplicate,
    /// A message of this identity with other content was stored before; this one was set aside.
    Conflict,
    /// It names a record that was deleted at or after the message's timestamp; not stored.
    Deleted,
}

/// The answer to a batch: an outcome for each of its messages, in order. Entries to set aside have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    pub outcomes: Vec<Outcome>,
}

impl Receipt {
    /// How many messages had this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.outcomes.iter().filter(|one| **one == outcome).count()
    }
}
