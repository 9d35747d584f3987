//! JSON on several lines, with one place of it marked.
//!
//! Only the space between the parts changes: keys, numbers and texts stay as they were sent. What is no JSON, or is
//! nested very deep, is shown as it is.

use muster_model::json::{Walk, string_value};
use serde::de::IgnoredAny;

use super::shown::escaped;

/// Levels of nesting up to which a text is laid out.
const DEPTH_MAX: usize = 100;

/// The text on several lines.
pub(super) fn pretty(text: &str) -> String {
    let mut out = Layout {
        rest: text,
        out: String::with_capacity(text.len() * 2),
        pointer: None,
        what: Marked::Plain,
        found: false,
    };
    out.whole();
    out.out
}

/// The same as HTML, with the value that a JSON pointer leads to marked; where there is none, the bracket with which that begins in
/// which it is missing.
pub(super) fn marked(text: &str, pointer: &str) -> String {
    let written = |pointer, what| {
        let out = String::with_capacity(text.len() * 2);
        let mut out = Layout { rest: text, out, pointer: Some(pointer), what, found: false };
        out.whole();
        out
    };
    let mut within = pointer;
    let mut what = if pointer.is_empty() { Marked::Bracket } else { Marked::Value };
    loop {
        let out = written(within, what);
        // What is left of the pointer was found, or there is nothing that it could be missing in.
        if out.found || (within.is_empty() && what == Marked::Bracket) {
            return out.out;
        }
        within = within.rsplit_once('/').map_or("", |(above, _)| above);
        what = Marked::Bracket;
    }
}

/// What is marked of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Marked {
    /// Nothing, and it is no HTML.
    Plain,
    /// The value at the pointer.
    Value,
    /// The bracket with which the value at the pointer begins.
    Bracket,
}

/// A text that is being written anew.
struct Layout<'t> {
    rest: &'t str,
    out: String,
    pointer: Option<&'t str>,
    what: Marked,
    /// Whether something was marked.
    found: bool,
}

impl<'t> Layout<'t> {
    fn whole(&mut self) {
        let readable = serde_json::from_str::<IgnoredAny>(self.rest).is_ok() && {
            let mut walk = Walk::new(self.rest, DEPTH_MAX);
            walk.value(1);
            !walk.too_deep
        };
        if readable {
            self.value(0, &mut String::new());
        } else {
            self.put(self.rest);
        }
    }

    fn put(&mut self, part: &str) {
        if self.what != Marked::Plain {
            self.out.push_str(&escaped(part));
        } else {
            self.out.push_str(part);
        }
    }

    fn line(&mut self, depth: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", depth));
    }

    /// The next part: a string, a number, a word or a sign of punctuation.
    fn take(&mut self) -> &'t str {
        self.rest = self.rest.trim_start();
        let length = match self.rest.bytes().next() {
            Some(b'"') => string_end(self.rest),
            Some(b'{' | b'}' | b'[' | b']' | b',' | b':') => 1,
            _ => self.rest.find(['}', ']', ',', ' ', '\n', '\r', '\t']).unwrap_or(self.rest.len()),
        };
        let (part, rest) = self.rest.split_at(length);
        self.rest = rest.trim_start();
        part
    }

    fn value(&mut self, depth: usize, path: &mut String) {
        let part = self.take();
        let is_here = self.pointer == Some(path.as_str());
        let bracket = is_here && self.what == Marked::Bracket && matches!(part, "{" | "[");
        let value = is_here && self.what == Marked::Value;
        if value || bracket {
            self.found = true;
            self.out.push_str("<mark>");
        }
        match part {
            "{" => self.members(depth + 1, path, "}", bracket),
            "[" => self.members(depth + 1, path, "]", bracket),
            part => self.put(part),
        }
        if value {
            self.out.push_str("</mark>");
        }
    }

    /// What an object or a list holds, its signs included.
    fn members(&mut self, depth: usize, path: &mut String, end: &str, is_marked: bool) {
        self.out.push_str(if end == "}" { "{" } else { "[" });
        if is_marked {
            self.out.push_str("</mark>");
        }
        let (begins, mut number) = (self.out.len(), 0);
        while !self.rest.starts_with(end) && !self.rest.is_empty() {
            self.line(depth);
            let length = path.len();
            if end == "}" {
                let key = self.take();
                self.put(key);
                self.take();
                self.out.push_str(": ");
                let name = string_value(key).map(|name| name.unwrap_or_else(Into::into)).unwrap_or_default();
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
            } else {
                path.push_str(&format!("/{number}"));
                number += 1;
            }
            self.value(depth, path);
            path.truncate(length);
            if self.rest.starts_with(',') {
                self.take();
                self.out.push(',');
            }
        }
        self.take();
        if self.out.len() == begins {
            self.out.push_str(end);
        } else {
            self.line(depth - 1);
            self.out.push_str(end);
        }
    }
}

/// Where the string at the beginning of a text ends.
fn string_end(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !is_escaped => return at + 1,
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_space_between_changes() {
        for (text, shown) in [
            (r#"{"a":1}"#, "{\n  \"a\": 1\n}"),
            (r#" { "b" : [ ] , "a":{}, "a" : 1.50e3 } "#, "{\n  \"b\": [],\n  \"a\": {},\n  \"a\": 1.50e3\n}"),
            (r#"["\"]\\",null]"#, "[\n  \"\\\"]\\\\\",\n  null\n]"),
            ("\"é\"", "\"é\""),
            ("{no", "{no"),
            ("", ""),
        ] {
            assert_eq!(pretty(text), shown, "{text}");
        }
        let deep = format!("{}1{}", "[".repeat(110), "]".repeat(110));
        assert_eq!(pretty(&deep), deep);
    }

    #[test]
    fn the_place_of_a_pointer_is_marked() {
        let text = r#"{"a":{"x/y":[1,{"<":"&"}]},"b":2}"#;
        assert!(
            marked(text, "/a/missing").starts_with("{\n  &quot;a&quot;: <mark>{</mark>"),
            "{}",
            marked(text, "/a/missing")
        );
        assert_eq!(marked("7", "/missing"), "7");
        assert_eq!(marked("{}", "/missing"), "<mark>{</mark>}");
        for (pointer, mark) in [
            ("/b", Some("2")),
            ("/a/x~1y/0", Some("1")),
            ("/a/x~1y/1/<", Some("&quot;&amp;&quot;")),
            ("/c", Some("{")),
            ("/a/x~1y/7", Some("[")),
            ("/a/none/there", Some("{")),
            ("", Some("{")),
        ] {
            let html = marked(text, pointer);
            let found = html.split_once("<mark>").and_then(|(_, rest)| rest.split_once("</mark>"));
            assert_eq!(found.map(|(inner, _)| inner), mark, "{pointer}");
            assert_eq!(html.matches("<mark>").count(), 1, "{pointer}");
            let plain = html.replace("<mark>", "").replace("</mark>", "");
            assert_eq!(plain, escaped(&pretty(text)));
        }
    }
}
