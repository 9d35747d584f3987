//! Finding the messages in a body.
//!
//! The whole body is validated once, without building anything and without recursion, and then walked once, message by
//! message. A body that is not JSON is refused as a whole, with the place at which it stops being JSON. Bytes that are no
//! UTF-8 spoil only the message they stand in: they are masked for the walk, and the message keeps its original bytes.

use std::borrow::Cow;

use muster_model::{draft::Draft, json::Walk};
use serde::de::IgnoredAny;
use serde_json::error::Category;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Stands for each byte that is no UTF-8 while a body is walked; as long as what it stands for.
const MASK: u8 = b'?';

/// A body that is JSON, apart from bytes that are no UTF-8.
pub(crate) struct Body<'a> {
    text: Cow<'a, str>,
    original: &'a [u8],
    /// Where in the body the text starts.
    offset: usize,
    /// Positions in the text of bytes that are no UTF-8, ascending.
    masked: Vec<usize>,
}

/// Why a body could not be read at all. Nothing of it was stored or set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// There is nothing in it.
    Empty,
    /// It ends where something more must follow.
    CutShort { position: usize },
    /// It is not JSON from here on.
    NotJson { position: usize, line: usize, column: usize },
    /// A batch that is no array.
    NotAnArray { position: usize },
    /// A batch of more messages than one may have.
    TooMany { count: usize, messages_max: usize },
}

/// One message of a body, not checked yet.
pub(crate) struct Element<'t> {
    pub draft: Draft<'t>,
    /// The message as it came.
    pub original: &'t [u8],
    /// The position in the body of the first byte that is no UTF-8.
    pub masked_at: Option<usize>,
}

impl<'a> Body<'a> {
    /// Validates a body.
    pub fn read(body: &'a [u8]) -> Result<Body<'a>, Malformed> {
        let original = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        let offset = body.len() - original.len();
        let (text, masked) = match std::str::from_utf8(original) {
            Ok(text) => (Cow::Borrowed(text), Vec::new()),
            Err(_) => mask(original),
        };
        match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(IgnoredAny) => Ok(Body { text, original, offset, masked }),
            Err(error) => Err(malformed(&text, offset, &error)),
        }
    }

    /// The body as text, every byte that is no UTF-8 masked.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The body as one message.
    pub fn one(&self, depth_max: usize) -> Element<'_> {
        self.element(&mut Walk::new(&self.text, depth_max))
    }

    /// The body as a batch: calls `each` for its messages, in order, and returns how many there are. Whether there are
    /// too many shows at the end only; what was made of the first ones must be dropped then.
    pub fn each<'t>(
        &'t self,
        depth_max: usize,
        messages_max: usize,
        mut each: impl FnMut(Element<'t>),
    ) -> Result<usize, Malformed> {
        let mut walk = Walk::new(&self.text, depth_max);
        if !walk.enter_array() {
            return Err(Malformed::NotAnArray { position: self.offset + walk.position() });
        }
        let mut count = 0;
        while walk.next_element() {
            if count < messages_max {
                each(self.element(&mut walk));
            } else {
                walk.value(1);
            }
            count += 1;
        }
        if count > messages_max { Err(Malformed::TooMany { count, messages_max }) } else { Ok(count) }
    }

    fn element<'t>(&'t self, walk: &mut Walk<'t>) -> Element<'t> {
        let draft = Draft::read(walk, &self.text);
        if self.masked.is_empty() {
            return Element { original: draft.text.as_bytes(), draft, masked_at: None };
        }
        let start = draft.text.as_ptr() as usize - self.text.as_ptr() as usize;
        let end = start + draft.text.len();
        let first = self.masked.partition_point(|at| *at < start);
        let masked_at = self.masked.get(first).filter(|at| **at < end).map(|at| self.offset + at);
        Element { draft, original: &self.original[start..end], masked_at }
    }
}

/// The text with every byte that is no UTF-8 masked, and where those bytes are.
fn mask(bytes: &[u8]) -> (Cow<'_, str>, Vec<usize>) {
    let mut text = String::with_capacity(bytes.len());
    let mut masked = Vec::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for _ in chunk.invalid() {
            masked.push(text.len());
            text.push(char::from(MASK));
        }
    }
    debug_assert_eq!(text.len(), bytes.len());
    (Cow::Owned(text), masked)
}

/// Whether a body is JSON in UTF-8, and where it stops being that.
pub(crate) fn validate(body: &[u8]) -> Result<(), Malformed> {
    Body::read(body).map(|_| ())
}

fn malformed(text: &str, offset: usize, error: &serde_json::Error) -> Malformed {
    if text.trim_ascii().is_empty() {
        return Malformed::Empty;
    }
    // The library counts up to the byte at fault, except that it stops one byte before a control character.
    let before = usize::from(error.to_string().starts_with("control character"));
    let (line, column) = (error.line(), error.column() + before);
    let position = offset + position_of(text, line, column);
    match error.classify() {
        Category::Eof => Malformed::CutShort { position: offset + text.len() },
        Category::Syntax | Category::Data | Category::Io => Malformed::NotJson { position, line, column },
    }
}

/// The byte at which a line and a column, both counted from one, lie; columns are bytes.
fn position_of(text: &str, line: usize, column: usize) -> usize {
    let mut newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    let line_start = line.checked_sub(2).map_or(0, |nth| newlines.nth(nth).map_or(text.len(), |(at, _)| at + 1));
    (line_start + column.saturating_sub(1)).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8], expected: Malformed) {
        let found = Body::read(body).and_then(|body| body.each(64, 100, |_| {}));
        assert_eq!(found, Err(expected), "{}", String::from_utf8_lossy(body));
    }

    #[test]
    fn the_place_of_a_fault_is_exact() {
        check(b"", Malformed::Empty);
        check(b" \n", Malformed::Empty);
        check(b"[{\"a\":1},", Malformed::CutShort { position: 9 });
        check(b"[{\"a\":\"b", Malformed::CutShort { position: 8 });
        check(b"[1,x]", Malformed::NotJson { position: 3, line: 1, column: 4 });
        check(b"[1,\n {\"a\" 1}]", Malformed::NotJson { position: 10, line: 2, column: 7 });
        check(b"\xef\xbb\xbf[1,x]", Malformed::NotJson { position: 6, line: 1, column: 4 });
        check(b"[1]]", Malformed::NotJson { position: 3, line: 1, column: 4 });
        check(b"[\"\\x\"]", Malformed::NotJson { position: 3, line: 1, column: 4 });
        check(b"[01]", Malformed::NotJson { position: 2, line: 1, column: 3 });
        check(b"[1.]", Malformed::NotJson { position: 3, line: 1, column: 4 });
        check(b"[tru]", Malformed::NotJson { position: 4, line: 1, column: 5 });
        check(b"[\"a\tb\"]", Malformed::NotJson { position: 3, line: 1, column: 4 });
        check(b"{}", Malformed::NotAnArray { position: 0 });
        check(b" 7", Malformed::NotAnArray { position: 1 });
        check(format!("[0{}]", ",0".repeat(100)).as_bytes(), Malformed::TooMany { count: 101, messages_max: 100 });
        check(
            format!("[0{}]", ",[0]".repeat(10_000)).as_bytes(),
            Malformed::TooMany { count: 10_001, messages_max: 100 },
        );
        check(b"[\xff]", Malformed::NotJson { position: 1, line: 1, column: 2 });
    }

    #[test]
    fn nesting_is_no_trouble() {
        let deep = format!("[{}{}]", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let mut too_deep = Vec::new();
        let body = Body::read(deep.as_bytes()).map_err(|_| ()).unwrap();
        assert_eq!(body.each(64, 100, |element| too_deep.push(element.draft.not_an_object)), Ok(1));
        assert_eq!(too_deep, [true]);
        check("{\"a\":".repeat(100_000).as_bytes(), Malformed::CutShort { position: 500_000 });
    }

    #[test]
    fn bytes_that_are_no_utf8_spoil_only_their_message() {
        let bytes = b" [{\"a\":\"\xc3\xa9\"},{\"b\":\"x\xff\xc3\"} ,{\"\xf0\x9f\":1},{}]";
        let body = Body::read(bytes).map_err(|_| ()).unwrap();
        let mut seen = Vec::new();
        let count = body.each(64, 100, |element| {
            seen.push((element.original.to_vec(), element.draft.text.to_owned(), element.masked_at));
        });
        assert_eq!(count, Ok(4));
        let expected: [(&[u8], &str, Option<usize>); 4] = [
            (b"{\"a\":\"\xc3\xa9\"}", "{\"a\":\"é\"}", None),
            (b"{\"b\":\"x\xff\xc3\"}", "{\"b\":\"x??\"}", Some(20)),
            (b"{\"\xf0\x9f\":1}", "{\"??\":1}", Some(28)),
            (b"{}", "{}", None),
        ];
        assert_eq!(seen, expected.map(|(original, text, at)| (original.to_vec(), text.to_owned(), at)));
        assert_eq!(body.one(64).masked_at, Some(20));
    }
}
