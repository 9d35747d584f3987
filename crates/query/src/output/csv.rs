//! Lines, as RFC 4180 has them: a heading, commas, quotes where they are needed.
//!
//! `NULL` is an empty field and an empty text is `""`, so that the two can be told apart. Bytes are hexadecimal digits.

use std::io::Write;

use rusqlite::types::ValueRef;

use super::{Head, hex};

/// The heading.
pub fn begin(heads: &[Head], out: &mut Vec<u8>) {
    for (at, head) in heads.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        text(head.name.as_bytes(), out);
    }
    out.extend_from_slice(b"\r\n");
}

/// A row.
pub fn row<'v>(columns: usize, value: impl Fn(usize) -> ValueRef<'v>, out: &mut Vec<u8>) {
    for at in 0..columns {
        if at > 0 {
            out.push(b',');
        }
        match value(at) {
            ValueRef::Null => {}
            ValueRef::Integer(integer) => drop(write!(out, "{integer}")),
            ValueRef::Real(real) => drop(write!(out, "{real:?}")),
            ValueRef::Text(bytes) => text(bytes, out),
            ValueRef::Blob(bytes) => hex(bytes, out),
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn text(bytes: &[u8], out: &mut Vec<u8>) {
    let plain = !bytes.is_empty() && !bytes.iter().any(|byte| matches!(byte, b'"' | b',' | b'\r' | b'\n'));
    if plain {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    for byte in bytes {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
