//! Numbers that are none.
//!
//! Some libraries write `NaN` and `Infinity` for numbers that JSON cannot hold, and would lose all calls of a body by the
//! one that has such a number. Looked for only in bodies that are no JSON otherwise; `null` takes their place.

/// What stands for a number in such bodies, longest first where one begins another.
const NONE: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// The body with `null` for every number that is none; nothing when there are none of them.
pub(super) fn mended(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    let (mut at, mut in_text, mut found) = (0, false, false);
    while let Some(byte) = body.get(at) {
        if in_text {
            // What follows a backslash ends no text.
            let taken = if *byte == b'\\' { 2 } else { 1 };
            in_text = *byte != b'"';
            out.extend_from_slice(&body[at..(at + taken).min(body.len())]);
            at += taken;
            continue;
        }
        match NONE.iter().find(|none| body[at..].starts_with(none)) {
            Some(none) => {
                out.extend_from_slice(b"null");
                at += none.len();
                found = true;
            }
            None => {
                in_text = *byte == b'"';
                out.push(*byte);
                at += 1;
            }
        }
    }
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Option<&str>) {
        let found = mended(body.as_bytes()).map(|mended| String::from_utf8(mended).unwrap());
        assert_eq!(found.as_deref(), expected, "{body}");
    }

    #[test]
    fn only_numbers_are_mended() {
        check(r#"{"a":NaN,"b":[Infinity,-Infinity,1]}"#, Some(r#"{"a":null,"b":[null,null,1]}"#));
        check(r#"{"NaN":"Infinity \" NaN"}"#, None);
        check(r#"{"a":"\\","b":NaN}"#, Some(r#"{"a":"\\","b":null}"#));
        check("\"\\", None);
        check("", None);
    }
}
