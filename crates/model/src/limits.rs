//! Every bound a message must respect, with its unit.
//!
//! The numbers are the public contract's; those an operator may change travel in `MessageLimits`. Never reads
//! settings itself.

/// An identifier, a `messageId` or a custom object's name, in bytes after trimming.
pub const ID_BYTES_MAX: usize = 256;
/// An event's name, in bytes after trimming.
pub const EVENT_BYTES_MAX: usize = 1_024;
/// Messages in one batch.
pub const BATCH_MESSAGES_MAX: usize = 100;

/// Messages in one request that imports history.
pub const IMPORT_MESSAGES_MAX: usize = 1_000;
/// How far after its receipt a message may place itself in the order of statements.
pub const FUTURE_MICROS_MAX: i64 = 5 * 60 * 1_000_000;

/// The deepest nesting that can be configured; the walk over a message recurses this far and no further.
pub const DEPTH_CEILING: usize = 128;
/// The largest message that can be configured, in bytes: record offsets are 32 bits wide.
pub const MESSAGE_BYTES_CEILING: usize = 16 * 1024 * 1024;

/// Bounds that an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLimits {
    /// Bytes of one message's JSON text.
    pub message_bytes_max: usize,
    /// Keys at every level of one message together.
    pub message_keys_max: usize,
    /// Levels of nesting, the message itself being the first.
    pub message_depth_max: usize,
}

impl Default for MessageLimits {
    fn default() -> Self {
        MessageLimits { message_bytes_max: 1024 * 1024, message_keys_max: 4_096, message_depth_max: 64 }
    }
}

const _: () = assert!(MESSAGE_BYTES_CEILING < u32::MAX as usize);
const _: () = assert!(ID_BYTES_MAX <= EVENT_BYTES_MAX);
