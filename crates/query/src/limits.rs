//! What a query may cost.

use std::{path::PathBuf, time::Duration};

/// Bytes of one value for each byte that a message may have: a row may hold a whole message, its properties and more.
pub const VALUE_BYTES_PER_MESSAGE_BYTE: usize = 3;
/// Levels of nesting in an expression.
pub const EXPRESSION_DEPTH_MAX: i32 = 200;
/// `SELECT`s joined by `UNION` and its like.
pub const COMPOUND_MAX: i32 = 50;
/// Columns of a result.
pub const COLUMNS_MAX: i32 = 500;
/// Instructions of a compiled statement.
pub const INSTRUCTIONS_MAX: i32 = 250_000;
/// Arguments of a function.
pub const ARGUMENTS_MAX: i32 = 100;
/// Bytes of a pattern of `LIKE` or `GLOB`.
pub const PATTERN_BYTES_MAX: i32 = 250;
/// Parameters of a statement.
pub const PARAMETERS_MAX: i32 = 1_000;
/// Instructions between two looks at the clock.
pub const INSTRUCTIONS_PER_LOOK: i32 = 2_000;

/// Where queries may write what does not fit in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spill {
    /// A directory of their own; made when it is first needed.
    pub dir: PathBuf,
    /// Bytes of its disk that have to stay free.
    pub free_bytes_min: u64,
}

/// What one query may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long it may run, handing out its answer included.
    pub time_max: Duration,
    /// Bytes of memory that SQLite may hold for it; tables may hold as many for putting events into an order, and a
    /// quarter of it for records that are looked up again.
    pub memory_bytes_max: usize,
    /// Bytes of temporary files that it may have at one time, and where; without a place there are none.
    pub spill_bytes_max: u64,
    pub spill: Option<Spill>,
    /// Rows of its answer.
    pub rows_max: u64,
    /// Bytes of its answer.
    pub answer_bytes_max: usize,
    /// Bytes of one value, and of one row that is sorted.
    pub value_bytes_max: usize,
    /// Bytes of its text.
    pub sql_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            time_max: Duration::from_secs(30),
            memory_bytes_max: 256 << 20,
            spill_bytes_max: 4 << 30,
            spill: None,
            rows_max: 1_000_000,
            answer_bytes_max: 256 << 20,
            value_bytes_max: 4 << 20,
            sql_bytes_max: 64 << 10,
        }
    }
}
