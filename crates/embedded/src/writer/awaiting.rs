//! Who asked for a checkpoint and waits for it, while the writer goes on.
//!
//! What was there when somebody asked is in the overlay that is frozen next. One checkpoint is under way at a time, so there
//! are those whom it serves and those who wait for the one after it.

use tokio::sync::oneshot;

/// Everyone who waits; each is told whether the journal holds nothing any more of what was there when they asked.
#[derive(Default)]
pub struct Awaiting {
    next: Vec<oneshot::Sender<bool>>,
    under_way: Vec<oneshot::Sender<bool>>,
}

impl Awaiting {
    /// Somebody asks.
    pub fn add(&mut self, reply: oneshot::Sender<bool>) {
        self.next.push(reply);
    }

    /// Whether anybody waits for a checkpoint that has not begun.
    pub fn is_asked(&self) -> bool {
        !self.next.is_empty()
    }

    /// A checkpoint begins; it holds what everyone who asked until now asked for.
    pub fn begun(&mut self) {
        self.under_way.append(&mut self.next);
    }

    /// The checkpoint under way is done.
    pub fn done(&mut self, journal_is_clear: bool) {
        for reply in self.under_way.drain(..) {
            // Whoever asked may be gone.
            let _ = reply.send(journal_is_clear);
        }
    }

    /// There is nothing to bring into place, or no more checkpoint.
    pub fn none_comes(&mut self, journal_is_clear: bool) {
        self.begun();
        self.done(journal_is_clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_during_a_checkpoint_waits_for_the_one_after_it() {
        let mut awaiting = Awaiting::default();
        let ((first, mut first_answer), (second, mut second_answer)) = (oneshot::channel(), oneshot::channel());
        awaiting.add(first);
        awaiting.begun();
        awaiting.add(second);
        awaiting.done(true);
        assert_eq!(first_answer.try_recv(), Ok(true));
        assert!(second_answer.try_recv().is_err() && awaiting.is_asked());
        awaiting.begun();
        assert!(!awaiting.is_asked());
        awaiting.done(false);
        assert_eq!(second_answer.try_recv(), Ok(false));
    }
}
