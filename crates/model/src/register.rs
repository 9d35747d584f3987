//! Last-writer-wins registers: the join that makes folding independent of order.
//!
//! A register keeps the value with the greatest stamp. Stamps are totally ordered, by time and then by the identity of
//! the message that made the statement, so merging is commutative, associative and idempotent.

use crate::{id::Identity, time::Micros};

/// The place of a statement in the order of all statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    pub at: Micros,
    pub by: Identity,
}

impl Stamp {
    /// Before every stamp a message can have.
    pub const NEVER: Stamp = Stamp { at: Micros::MIN, by: Identity(0) };
}

/// A value and the stamp of the statement it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register<T> {
    stamp: Stamp,
    value: T,
}

impl<T> Register<T> {
    /// A register that holds what one statement said.
    pub fn new(stamp: Stamp, value: T) -> Self {
        Register { stamp, value }
    }

    /// The value that stands.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The statement it came from.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Takes the value if its statement is later than the one that stands; `true` if it was.
    pub fn merge(&mut self, stamp: Stamp, value: impl FnOnce() -> T) -> bool {
        let later = stamp > self.stamp;
        if later {
            self.stamp = stamp;
            self.value = value();
        }
        later
    }
}

/// Merges into a register that may not have heard any statement yet.
pub fn merge_option<T>(register: &mut Option<Register<T>>, stamp: Stamp, value: impl FnOnce() -> T) -> bool {
    match register {
        Some(register) => register.merge(stamp, value),
        None => {
            *register = Some(Register::new(stamp, value()));
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_do_not_matter() {
        let statements = [(5, 1, 'a'), (5, 2, 'b'), (3, 9, 'c')];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
            let mut register = None;
            for index in order.into_iter().chain(order) {
                let (at, by, value) = statements[index];
                merge_option(&mut register, Stamp { at: Micros(at), by: Identity(by) }, || value);
            }
            assert_eq!(register.map(|r| *r.value()), Some('b'));
        }
    }
}
