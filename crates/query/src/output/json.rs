//! One object: `columns`, `rows`, then what became of the query.
//!
//! Numbers are JSON numbers; one that is none (infinite) is `null`. Bytes are hexadecimal digits.

use std::io::Write;

use rusqlite::types::ValueRef;

use super::{Ended, Head, hex};

/// The beginning, up to the first row.
pub fn begin(heads: &[Head], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"columns\":[");
    for (at, head) in heads.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"name\":" } else { b",{\"name\":" });
        text(&head.name, out);
        out.extend_from_slice(b",\"type\":");
        match &head.declared {
            Some(declared) => text(declared, out),
            None => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"rows\":[");
}

/// A row; `number` counts from 0.
pub fn row<'v>(number: u64, columns: usize, value: impl Fn(usize) -> ValueRef<'v>, out: &mut Vec<u8>) {
    out.extend_from_slice(if number == 0 { b"[" } else { b",[" });
    for at in 0..columns {
        if at > 0 {
            out.push(b',');
        }
        match value(at) {
            ValueRef::Null => out.extend_from_slice(b"null"),
            ValueRef::Integer(integer) => drop(write!(out, "{integer}")),
            ValueRef::Real(real) => drop(serde_json::to_writer(&mut *out, &real)),
            ValueRef::Text(bytes) => text(&String::from_utf8_lossy(bytes), out),
            ValueRef::Blob(bytes) => {
                out.push(b'"');
                hex(bytes, out);
                out.push(b'"');
            }
        }
    }
    out.push(b']');
}

/// The end.
pub fn end(rows: u64, ended: &Ended<'_>, out: &mut Vec<u8>) {
    let _ = write!(out, "],\"rowCount\":{rows},\"truncated\":{}", ended.truncated);
    let _ = write!(out, ",\"scanned\":{{\"messages\":{},\"records\":{}}}", ended.work.rows, ended.work.profiles);
    if let Some(error) = ended.error {
        out.extend_from_slice(b",\"error\":{\"code\":");
        text(error.code(), out);
        out.extend_from_slice(b",\"message\":");
        text(&error.to_string(), out);
        out.push(b'}');
    }
    out.extend_from_slice(b"}\n");
}

fn text(text: &str, out: &mut Vec<u8>) {
    // Writing to memory does not fail, and a text is always JSON.
    let _ = serde_json::to_writer(out, text);
}
