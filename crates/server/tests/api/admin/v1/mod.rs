//! Keys: `/admin/v1`.

/// Made, listed, ended.
mod keys;
