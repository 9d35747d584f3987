//! Writing JSON objects and lists into a buffer.
//!
//! No tree is built. Names of fields are ours and need no escaping; texts are escaped. Customers' JSON is written in one
//! form, whichever of several equal messages came first: without white space, members sorted by key. Escapes of half a
//! surrogate pair, which many readers reject, are replaced.

use std::io::Write;

use muster_model::{
    id::RecordId,
    json::{canonical, mend_surrogates},
    limits::DEPTH_CEILING,
    time::Micros,
};

/// An object being written.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
    /// Numbers are written as `null`: nothing was counted.
    uncounted: bool,
}

/// A list being written.
pub(crate) struct List<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
    uncounted: bool,
}

impl<'o> Object<'o> {
    /// Writes an object at the end of `out`.
    pub(crate) fn write(out: &'o mut Vec<u8>, fields: impl FnOnce(&mut Object<'_>)) {
        Object::write_as(out, false, fields);
    }

    /// The same of something about which nothing was counted: its numbers, and those of objects within it, are `null`.
    pub(crate) fn write_uncounted(out: &'o mut Vec<u8>, fields: impl FnOnce(&mut Object<'_>)) {
        Object::write_as(out, true, fields);
    }

    fn write_as(out: &'o mut Vec<u8>, uncounted: bool, fields: impl FnOnce(&mut Object<'_>)) {
        out.push(b'{');
        fields(&mut Object { out, empty: true, uncounted });
        out.push(b'}');
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        put_text(self.out, text);
    }

    /// A text, or `null`.
    pub(crate) fn text_or_null(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => self.null(name),
        }
    }

    /// A number.
    pub(crate) fn number(&mut self, name: &str, number: u64) {
        if self.uncounted {
            return self.null(name);
        }
        self.name(name);
        put_display(self.out, number);
    }

    /// A number, or `null` where there is none yet.
    pub(crate) fn number_or_null(&mut self, name: &str, number: Option<u64>) {
        match number {
            Some(number) => self.number(name, number),
            None => self.null(name),
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    /// A UUID.
    pub(crate) fn id(&mut self, name: &str, id: RecordId) {
        self.name(name);
        self.out.push(b'"');
        put_display(self.out, id);
        self.out.push(b'"');
    }

    /// A UUID, or `null`.
    pub(crate) fn id_or_null(&mut self, name: &str, id: Option<RecordId>) {
        match id {
            Some(id) => self.id(name, id),
            None => self.null(name),
        }
    }

    /// An instant to the millisecond.
    pub(crate) fn instant(&mut self, name: &str, at: Micros) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(at.to_millis_text().as_bytes());
        self.out.push(b'"');
    }

    /// An instant to the millisecond, or `null`.
    pub(crate) fn instant_or_null(&mut self, name: &str, at: Option<Micros>) {
        match at {
            Some(at) => self.instant(name, at),
            None => self.null(name),
        }
    }

    /// `null`.
    pub(crate) fn null(&mut self, name: &str) {
        self.raw(name, "null");
    }

    /// `null`, for each of these.
    pub(crate) fn nulls(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.null(name));
    }

    /// `[]`.
    pub(crate) fn empty_list(&mut self, name: &str) {
        self.raw(name, "[]");
    }

    /// A customer's JSON, in its one form.
    pub(crate) fn json(&mut self, name: &str, json: &str) {
        self.name(name);
        put_json(self.out, json);
    }

    /// A customer's JSON as it was sent, but for what no reader could take.
    pub(crate) fn verbatim(&mut self, name: &str, json: &str) {
        self.name(name);
        self.out.extend_from_slice(mend_surrogates(json).as_bytes());
    }

    /// JSON that needs no care.
    pub(crate) fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        self.out.extend_from_slice(json.as_bytes());
    }

    /// An object within this one.
    pub(crate) fn object(&mut self, name: &str, fields: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        Object::write_as(self.out, self.uncounted, fields);
    }

    /// A list within this object.
    pub(crate) fn list(&mut self, name: &str, items: impl FnOnce(&mut List<'_>)) {
        self.name(name);
        List::write_as(self.out, self.uncounted, items);
    }

    /// A customer's members: keys are escaped, values written in their one form.
    pub(crate) fn members<'m>(&mut self, name: &str, members: impl Iterator<Item = (&'m str, &'m str)>) {
        self.name(name);
        self.out.push(b'{');
        for (nth, (key, value)) in members.enumerate() {
            if nth > 0 {
                self.out.push(b',');
            }
            put_text(self.out, key);
            self.out.push(b':');
            put_json(self.out, value);
        }
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

impl<'o> List<'o> {
    /// Writes a list at the end of `out`.
    pub(crate) fn write(out: &'o mut Vec<u8>, items: impl FnOnce(&mut List<'_>)) {
        List::write_as(out, false, items);
    }

    fn write_as(out: &'o mut Vec<u8>, uncounted: bool, items: impl FnOnce(&mut List<'_>)) {
        out.push(b'[');
        items(&mut List { out, empty: true, uncounted });
        out.push(b']');
    }

    /// An object within this list.
    pub(crate) fn object(&mut self, fields: impl FnOnce(&mut Object<'_>)) {
        self.separate();
        Object::write_as(self.out, self.uncounted, fields);
    }

    /// A text within this list.
    pub(crate) fn text(&mut self, text: &str) {
        self.separate();
        put_text(self.out, text);
    }

    /// The bytes written so far, everything before this list included.
    pub(crate) fn written_bytes(&self) -> usize {
        self.out.len()
    }

    fn separate(&mut self) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing to memory cannot fail");
}

fn put_json(out: &mut Vec<u8>, json: &str) {
    out.extend_from_slice(canonical(json, DEPTH_CEILING).as_bytes());
}

fn put_display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("writing to memory cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json() {
        let mut out = Vec::new();
        Object::write(&mut out, |object| {
            object.text("a", "q\"\u{1}é");
            object.text_or_null("b", None);
            object.number("c", 7);
            object.boolean("d", true);
            object.id("e", RecordId(1));
            object.instant("f", Micros(-1));
            object.json("g", "{\"x\" : \"\\ud83d\"}");
            object.verbatim("v", "[ \"\\ud83d\" ]");
            object.members("h", [("k\"", "1"), ("l", "[]")].into_iter());
            object.list("i", |list| {
                list.text("x");
                list.object(|_| {});
            });
            object.list("j", |_| {});
        });
        let mut uncounted = Vec::new();
        Object::write_uncounted(&mut uncounted, |object| {
            object.number("a", 7);
            object.list("b", |list| list.object(|object| object.number("c", 0)));
        });
        assert_eq!(uncounted, br#"{"a":null,"b":[{"c":null}]}"#);
        let text = String::from_utf8(out).unwrap();
        let expected = concat!(
            r#"{"a":"q\"\u0001é","b":null,"c":7,"d":true,"e":"00000000-0000-0000-0000-000000000001","#,
            r#""f":"1969-12-31T23:59:59.999Z","g":{"x":"\ufffd"},"v":[ "\ufffd" ],"h":{"k\"":1,"l":[]},"i":["x",{}],"j":[]}"#
        );
        assert_eq!(text, expected);
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
}
