//! A body: one call or a batch of them, with what is said about all.
//!
//! Borrows the text of a request that was validated as JSON. Builds no tree, and passes over everything that it does
//! not need without looking into it.

use std::borrow::Cow;

use muster_model::json::{Walk, unescape};

use super::{answer::Trouble, call::CallKind};

/// Calls in one batch.
pub(super) const BATCH_CALLS_MAX: usize = 20_000;

/// What a path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// An object with a `batch`.
    Batch,
    /// One call, which the path names.
    Call(CallKind),
    /// One call that states its own `type`, or a batch.
    Either,
}

/// An object, apart from the calls in it.
pub(super) struct Envelope<'t> {
    whole: &'t str,
    batch: Option<&'t str>,
    write_key: Option<&'t str>,
    /// When the sender sent it, by its own clock.
    pub sent_at: Option<&'t str>,
    /// What is the context of every call of a batch.
    pub context: Option<&'t str>,
}

impl<'t> Envelope<'t> {
    /// Reads the members of a body in this form.
    pub fn read(text: &'t str, form: Form) -> Result<Envelope<'t>, Trouble> {
        let whole = text.trim_ascii();
        if !whole.starts_with('{') {
            return Err(Trouble::NotAnObject);
        }
        let mut envelope = Envelope { whole, batch: None, write_key: None, sent_at: None, context: None };
        each_member(whole, |key, value| match key {
            "batch" => envelope.batch = Some(value).filter(|value| value.starts_with('[')),
            "writeKey" => envelope.write_key = Some(value).filter(|value| !matches!(*value, "null" | "\"\"")),
            "sentAt" => envelope.sent_at = Some(value),
            "context" => envelope.context = Some(value).filter(|value| value.starts_with('{')),
            _ => {}
        });
        match form {
            Form::Batch if envelope.batch.is_none() => Err(Trouble::NoBatch),
            Form::Batch | Form::Either => Ok(envelope),
            Form::Call(_) => Ok(Envelope { batch: None, ..envelope }),
        }
    }

    /// Whether it holds calls, or is one itself.
    pub fn is_batch(&self) -> bool {
        self.batch.is_some()
    }

    /// The key's JSON text: of the whole, or of the first call that has one.
    pub fn write_key(&self) -> Option<&'t str> {
        self.write_key.or_else(|| {
            let mut found = None;
            let _ = self.each(|call| {
                if found.is_none() {
                    found = member(call, "writeKey").filter(|value| !matches!(*value, "null" | "\"\""));
                }
            });
            found
        })
    }

    /// Calls `each` for every call, in order, and says how many there were.
    pub fn each(&self, mut each: impl FnMut(&'t str)) -> Result<usize, Trouble> {
        let Some(batch) = self.batch else {
            each(self.whole);
            return Ok(1);
        };
        let mut walk = Walk::new(batch, 0);
        walk.enter_array();
        let mut count = 0;
        while walk.next_element() {
            let (call, _) = walk.value(1);
            count += 1;
            if count <= BATCH_CALLS_MAX {
                each(call);
            }
        }
        if count > BATCH_CALLS_MAX { Err(Trouble::TooMany { count }) } else { Ok(count) }
    }
}

/// Calls `each` for every member of an object, its key decoded. Anything but an object has none.
pub(super) fn each_member<'t>(object: &'t str, mut each: impl FnMut(&str, &'t str)) {
    if object.starts_with('{') {
        Walk::new(object, 0).members(0, |_, member| {
            let key = unescape(member.raw_key).unwrap_or_else(Cow::Owned);
            each(&key, member.value);
        });
    }
}

/// A member of an object; of one given twice the last one counts.
pub(super) fn member<'t>(object: &'t str, name: &str) -> Option<&'t str> {
    let mut found = None;
    each_member(object, |key, value| {
        if key == name {
            found = Some(value);
        }
    });
    found
}
