//! A walk over validated JSON text: members, spans, depth, digests; strings that need care.
//!
//! One pass finds where every member of a message starts and ends, counts keys and levels, and digests the content so
//! that neither white space nor the order of keys matters. The text must have been validated as JSON before; the walk
//! never panics on other text, but what it reports is then meaningless. It never builds a tree.

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_128;

/// Where a walk stands in its text, and what it has counted so far.
#[derive(Debug)]
pub struct Walk<'a> {
    text: &'a str,
    at: usize,
    depth_max: usize,
    /// Keys met so far, at every level.
    pub keys: usize,
    /// Some part lies deeper than the bound; that part was passed over, not digested.
    pub too_deep: bool,
}

/// One member of an object, as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The key between its quotes, escapes untouched.
    pub raw_key: &'a str,
    /// The value, from its first byte to its last.
    pub value: &'a str,
    /// The value's digest.
    pub digest: u128,
}

const MULTIPLIER: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
const OBJECT_TAG: u128 = 0x6f62_6a65_6374;
const ARRAY_TAG: u128 = 0x61_7272_6179;

/// The part that one member adds to its object's digest; parts are added up, so order does not matter.
#[must_use]
pub fn member_digest(key: &str, value_digest: u128) -> u128 {
    (xxh3_128(key.as_bytes()) ^ MULTIPLIER).wrapping_mul(value_digest | 1).rotate_left(29)
}

/// The digest of a string with its quotes: of the text it stands for, whichever characters are escaped in it. One with
/// half of a surrogate pair stands for no text and is taken as it is written.
fn string_digest(quoted: &str) -> u128 {
    match string_value(quoted) {
        Some(Ok(Cow::Owned(text))) => xxh3_128(format!("\"{text}\"").as_bytes()),
        _ => xxh3_128(quoted.as_bytes()),
    }
}

impl<'a> Walk<'a> {
    /// A walk at the start of `text`, recursing at most `depth_max` levels.
    #[must_use]
    pub fn new(text: &'a str, depth_max: usize) -> Self {
        Walk { text, at: 0, depth_max, keys: 0, too_deep: false }
    }

    /// The byte position in the text.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The first byte of the next value, or 0 at the end.
    pub fn peek(&mut self) -> u8 {
        self.skip_space();
        self.byte()
    }

    /// Steps into an array: `true` if the text stands at one.
    pub fn enter_array(&mut self) -> bool {
        self.peek() == b'[' && {
            self.at += 1;
            true
        }
    }

    /// Whether another element follows in the array that was entered; steps over commas and the closing bracket.
    pub fn next_element(&mut self) -> bool {
        if self.peek() == b',' {
            self.at += 1;
            self.skip_space();
        }
        match self.byte() {
            b']' | 0 => {
                self.at += 1;
                false
            }
            _ => true,
        }
    }

    /// Walks over one value and returns its text and digest.
    pub fn value(&mut self, depth: usize) -> (&'a str, u128) {
        self.skip_space();
        let start = self.at;
        let digest = match self.byte() {
            b'{' => self.members(depth, |_, _| {}),
            b'[' => self.array(depth),
            b'"' => {
                self.string();
                string_digest(self.slice(start, self.at))
            }
            _ => {
                self.scalar();
                xxh3_128(self.bytes_from(start))
            }
        };
        (self.slice(start, self.at), digest)
    }

    /// Walks over the object at which the text stands, calls `each` for every member, and returns its digest.
    pub fn members(&mut self, depth: usize, mut each: impl FnMut(&mut Self, Member<'a>)) -> u128 {
        if depth > self.depth_max {
            self.pass_over();
            return 0;
        }
        self.at += 1;
        let mut sum = OBJECT_TAG;
        loop {
            self.skip_space();
            match self.byte() {
                b'"' => {}
                b',' => {
                    self.at += 1;
                    continue;
                }
                _ => break,
            }
            let key_start = self.at + 1;
            self.string();
            let raw_key = self.slice(key_start, self.at.saturating_sub(1).max(key_start));
            self.keys += 1;
            if self.peek() == b':' {
                self.at += 1;
            }
            let (value, digest) = self.value(depth + 1);
            let key = unescape(raw_key);
            sum = sum.wrapping_add(member_digest(key.as_deref().unwrap_or(raw_key), digest));
            each(self, Member { raw_key, value, digest });
        }
        self.at = (self.at + 1).min(self.text.len());
        sum.wrapping_mul(MULTIPLIER) ^ (sum >> 64)
    }

    fn array(&mut self, depth: usize) -> u128 {
        if depth > self.depth_max {
            self.pass_over();
            return 0;
        }
        self.at += 1;
        let mut digest = ARRAY_TAG;
        while self.next_element() {
            let before = self.at;
            let (_, element) = self.value(depth + 1);
            digest = (digest ^ element).wrapping_mul(MULTIPLIER).rotate_left(31);
            if self.at == before {
                break;
            }
        }
        self.at = self.at.min(self.text.len());
        digest
    }

    /// Steps over a bracketed value without recursion.
    fn pass_over(&mut self) {
        self.too_deep = true;
        let mut open = 0usize;
        while self.at < self.text.len() {
            match self.byte() {
                b'"' => {
                    self.string();
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open = open.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return;
            }
        }
    }

    /// Steps over a string, quotes included.
    fn string(&mut self) {
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(found) = bytes.get(self.at..).and_then(find_quote_or_escape) {
            self.at += found;
            if bytes[self.at] == b'"' {
                self.at += 1;
                return;
            }
            self.at += 2;
        }
        self.at = bytes.len();
    }

    fn scalar(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t' | b':') {
                return;
            }
            self.at += 1;
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn bytes_from(&self, start: usize) -> &'a [u8] {
        self.slice(start, self.at).as_bytes()
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or("")
    }
}

fn find_quote_or_escape(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2(b'"', b'\\', bytes)
}

/// The text of a JSON string given between its quotes, escapes resolved. `Err` holds the text with every lone surrogate
/// replaced by U+FFFD, for uses that can live with it.
pub fn unescape(raw: &str) -> Result<Cow<'_, str>, String> {
    if !raw.contains('\\') {
        return Ok(Cow::Borrowed(raw));
    }
    let quoted = format!("\"{raw}\"");
    match serde_json::from_str::<String>(&quoted) {
        Ok(text) => Ok(Cow::Owned(text)),
        Err(_) => Err(serde_json::from_str::<String>(&mend_surrogates(&quoted)).unwrap_or_default()),
    }
}

/// The string that a JSON value is, or `None` when it is another kind of value. Inner `Err` as in [`unescape`].
#[must_use]
pub fn string_value(value: &str) -> Option<Result<Cow<'_, str>, String>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    Some(unescape(inner))
}

/// JSON text in which every escape of a lone surrogate, which is no Unicode text and which many readers reject, is
/// replaced by the replacement character's. Borrowed when there is none.
#[must_use]
pub fn mend_surrogates(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut mended: Option<String> = None;
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += found;
        match surrogate_at(bytes, at) {
            None => at += 2,
            Some(Surrogate::High) if matches!(surrogate_at(bytes, at + 6), Some(Surrogate::Low)) => at += 12,
            Some(_) => {
                let out = mended.get_or_insert_with(|| String::with_capacity(text.len()));
                out.push_str(&text[copied..at]);
                out.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
        }
    }
    match mended {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.push_str(&text[copied..]);
            Cow::Owned(out)
        }
    }
}

/// JSON text in one form for everything that is the same: no white space between tokens, members sorted by key, of
/// members with one key the last. Numbers and strings keep their spelling, but for what many readers refuse, and a whole answer
/// with it: lone surrogates are mended, and a number beyond what a double holds, such as `1e999`, becomes a text. Nothing deeper than `depth_max` levels is touched.
#[must_use]
pub fn canonical(text: &str, depth_max: usize) -> String {
    let mended = mend_surrogates(text);
    let mut out = String::with_capacity(mended.len());
    write_canonical(&mended, depth_max, &mut out);
    out
}

fn write_canonical(value: &str, levels: usize, out: &mut String) {
    let mut walk = Walk::new(value, 0);
    match walk.peek() {
        b'{' if levels > 0 => {
            let mut members: Vec<(&str, &str)> = Vec::new();
            walk.members(0, |_, member| members.push((member.raw_key, member.value)));
            members.reverse();
            members.sort_by_key(|(key, _)| *key);
            members.dedup_by_key(|(key, _)| *key);
            out.push('{');
            for (number, (key, value)) in members.into_iter().enumerate() {
                out.push_str(if number == 0 { "\"" } else { ",\"" });
                out.push_str(key);
                out.push_str("\":");
                write_canonical(value, levels - 1, out);
            }
            out.push('}');
        }
        b'[' if levels > 0 => {
            walk.enter_array();
            let mut number = 0;
            out.push('[');
            while walk.next_element() {
                if number > 0 {
                    out.push(',');
                }
                number += 1;
                write_canonical(walk.value(1).0, levels - 1, out);
            }
            out.push(']');
        }
        _ => {
            let value = value.trim_ascii();
            let quote = if is_beyond_doubles(value) { "\"" } else { "" };
            out.extend([quote, value, quote]);
        }
    }
}

/// Whether a value is a number beyond what a double holds.
fn is_beyond_doubles(value: &str) -> bool {
    let is_number = value.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    // Few numbers are so long or have an exponent.
    let may_be = || value.len() > f64::MAX_10_EXP as usize || value.contains(['e', 'E']);
    is_number && may_be() && value.parse().is_ok_and(f64::is_infinite)
}

enum Surrogate {
    High,
    Low,
}

fn surrogate_at(bytes: &[u8], at: usize) -> Option<Surrogate> {
    let escape = bytes.get(at..at + 6)?;
    if escape[0] != b'\\' || escape[1] != b'u' || !escape[2].eq_ignore_ascii_case(&b'd') {
        return None;
    }
    if !escape[3..].iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    match escape[3].to_ascii_lowercase() {
        b'8' | b'9' | b'a' | b'b' => Some(Surrogate::High),
        b'c'..=b'f' => Some(Surrogate::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> u128 {
        Walk::new(text, 64).value(1).1
    }

    #[test]
    fn digests_ignore_space_and_order_but_nothing_else() {
        let base = digest(r#"{"a":1,"b":{"c":[1,2,{"d":"x y"}],"e":null}}"#);
        assert_eq!(base, digest(" { \"b\" : { \"e\":null ,\"c\":[ 1 , 2,{\"d\":\"x y\"} ] } , \"a\" : 1 } "));
        for other in [
            r#"{"a":1,"b":{"c":[2,1,{"d":"x y"}],"e":null}}"#,
            r#"{"a":1,"b":{"c":[1,2,{"d":"xy"}],"e":null}}"#,
            r#"{"a":2,"b":{"c":[1,2,{"d":"x y"}],"e":null}}"#,
            r#"{"a":1,"b":{"c":[1,2,{"d":"x y"}]}}"#,
            r#"{"b":1,"a":{"c":[1,2,{"d":"x y"}],"e":null}}"#,
            r#"{"a":1,"b":[]}"#,
            r#"{"a":1,"b":{}}"#,
        ] {
            assert_ne!(base, digest(other), "{other}");
        }
    }

    #[test]
    fn digests_are_of_what_is_said_not_of_how_it_is_escaped() {
        let base = digest(r#"{"é":"a/\"b"}"#);
        assert_eq!(base, digest(r#"{"\u00e9":"\u0061\/\u0022b"}"#));
        assert_ne!(base, digest(r#"{"é":"a\/\\b"}"#));
        assert_ne!(digest(r#""\ud83d""#), digest(r#""\ufffd""#));
        assert_ne!(digest(r#""\u0031""#), digest("1"));
    }

    #[test]
    fn spans_are_exact() {
        let text = r#" {"k\"1" : [1, "]}"] ,"k2":"v\\","k3":-1.5e3} tail"#;
        let mut seen = Vec::new();
        let mut walk = Walk::new(text, 64);
        walk.skip_space();
        walk.members(1, |_, member| seen.push((member.raw_key, member.value)));
        assert_eq!(seen, [(r#"k\"1"#, r#"[1, "]}"]"#), ("k2", r#""v\\""#), ("k3", "-1.5e3")]);
        assert_eq!(&text[walk.position()..], " tail");
        assert_eq!(walk.keys, 3);
    }

    #[test]
    fn depth_is_bounded_without_recursion() {
        let text = format!("[{}1{},2]", "[".repeat(100_000), "]".repeat(100_000));
        let mut walk = Walk::new(&text, 8);
        let (value, _) = walk.value(1);
        assert!(walk.too_deep);
        assert_eq!(value.len(), text.len());
    }

    #[test]
    fn arbitrary_text_does_no_harm() {
        for text in ["", "{", "[", "\"", "{\"a", "{\"a\":", "[1,", "[[[", "}", "\\", "{]", "[}", "{,}", "[,", "é\"é"]
        {
            let _ = Walk::new(text, 4).value(1);
            let _ = mend_surrogates(text);
            let _ = unescape(text);
        }
    }

    #[test]
    fn what_is_the_same_has_one_form() {
        let check = |text: &str, expected: &str| assert_eq!(canonical(text, 64), expected);
        check(
            " { \"b\" : [ 1 , {\"z\":1.0,\"y\":\"a b\"} , [] ],\n\"a\":{} }",
            r#"{"a":{},"b":[1,{"y":"a b","z":1.0},[]]}"#,
        );
        check(r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#);
        check(" 12345678901234567890123 ", "12345678901234567890123");
        check(r#"["\ud83d"]"#, r#"["\ufffd"]"#);
        check("[[[1]]]", "[[[1]]]");
        assert_eq!(canonical("[[ [ 1 ] ]]", 2), "[[[ 1 ]]]");
        let long = "9".repeat(309);
        check(
            &format!("[1e999, -1E400, 1e308, 0e999, \"1e999\", true, {long}]"),
            &format!("[\"1e999\",\"-1E400\",1e308,0e999,\"1e999\",true,\"{long}\"]"),
        );
    }

    #[test]
    fn lone_surrogates_are_mended_and_pairs_left_alone() {
        assert_eq!(mend_surrogates(r#""a\ud83d b""#), r#""a\ufffd b""#);
        assert_eq!(mend_surrogates(r#""\ude00\ud83d""#), r#""\ufffd\ufffd""#);
        assert_eq!(mend_surrogates(r#""\ud83d\ude00""#), r#""\ud83d\ude00""#);
        assert_eq!(mend_surrogates(r#""\\ud83d""#), r#""\\ud83d""#);
        assert_eq!(unescape(r"\u0041\n"), Ok(Cow::Borrowed("A\n")));
        assert_eq!(unescape(r"x\ud83d"), Err("x\u{fffd}".to_owned()));
    }
}
