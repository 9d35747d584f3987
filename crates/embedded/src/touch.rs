//! Looking at memory before it is needed.
//!
//! The processor fetches many places at once sooner than one after the other. Whoever goes through records that lie
//! anywhere looks at some of them together first; what is found there means nothing. Never changes anything.

use std::{hint::black_box, ops::BitXor};

/// Looks at all of these.
pub fn touch<T: BitXor<Output = T> + Default>(values: impl Iterator<Item = T>) {
    black_box(values.fold(T::default(), |all, one| all ^ one));
}
