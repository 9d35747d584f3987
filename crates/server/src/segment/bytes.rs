//! Bytes that are no UTF-8, kept through text and back.
//!
//! Each is written as the escape of half a surrogate pair, `\udc80` to `\udcff`: no Unicode text has one, so that it is
//! shown as the replacement character, and which byte it was can be told from it for ever.

use std::borrow::Cow;

const ESCAPE: &[u8] = b"\\udc";
const ESCAPE_BYTES: usize = 6;

/// A body as UTF-8. Borrowed when it is that already.
pub(super) fn escape(body: &[u8]) -> Cow<'_, [u8]> {
    if std::str::from_utf8(body).is_ok() {
        return Cow::Borrowed(body);
    }
    let mut out = Vec::with_capacity(body.len() + body.len() / 8 + ESCAPE_BYTES);
    for chunk in body.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\udc{byte:02x}").as_bytes());
        }
    }
    Cow::Owned(out)
}

/// The bytes that [`escape`] made this of.
pub(super) fn restore(escaped: &str) -> Vec<u8> {
    let bytes = escaped.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match original(bytes, at) {
            Some(byte) => {
                out.push(byte);
                at += ESCAPE_BYTES;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

fn original(bytes: &[u8], at: usize) -> Option<u8> {
    let escape = bytes.get(at..at + ESCAPE_BYTES)?;
    let digits = std::str::from_utf8(escape.strip_prefix(ESCAPE)?).ok()?;
    u8::from_str_radix(digits, 16).ok().filter(|byte| *byte >= 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were() {
        for body in [&b"{\"a\":\"\xff\xc3x\"}"[..], b"\xed\xa0\xbd", b"", b"\xc3\xa9", b"\x80"] {
            let escaped = escape(body).into_owned();
            assert_eq!(restore(std::str::from_utf8(&escaped).unwrap()), body);
        }
        assert_eq!(escape(b"\"a\xff\""), &b"\"a\\udcff\""[..]);
        assert!(matches!(escape(b"{}"), Cow::Borrowed(_)));
    }
}
