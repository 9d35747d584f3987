//! The JSON of a message of ours, made from a call.
//!
//! What has a meaning is written under our names; everything else a call holds follows as it came, so that it is kept
//! with the message. Which of our names came from which of theirs is remembered for what the sender is told.

use muster_model::{
    draft::{CALL_TYPE, Draft, Origin},
    kind::Kind,
    kinds::{self, Context},
    message::Message,
    rejection::Rejection,
};

use super::{
    call::{Call, CallKind},
    clock::Placed,
};

/// An identifier in raw JSON, and the pointer to where it stood.
pub(super) type Found<'t> = (&'t str, &'static str);

/// A message of ours, as text.
pub(super) struct Statement {
    kind: Kind,
    text: String,
    origin: Origin,
    /// Names of ours and the places that they were read from.
    sources: Vec<(&'static str, &'static str)>,
}

impl Statement {
    /// The text's members.
    pub fn draft(&self, depth_max: usize) -> Draft<'_> {
        let mut draft = Draft::from_text(&self.text, depth_max);
        draft.origin = Some(self.origin);
        draft
    }

    /// Applies the rules for all messages; what breaks one is named as its sender named it.
    pub fn check<'s>(&self, draft: &Draft<'s>, context: &Context) -> Result<Message<'s>, Rejection> {
        kinds::check(self.kind, draft, context).map_err(|rejection| self.in_their_words(rejection))
    }

    fn in_their_words(&self, mut rejection: Rejection) -> Rejection {
        let source = self.sources.iter().find(|(ours, _)| rejection.pointer.strip_prefix('/') == Some(*ours));
        if let Some((ours, place)) = source {
            let theirs = place.rsplit('/').next().unwrap_or(place);
            rejection.message = rejection.message.replace(ours, theirs);
            rejection.pointer = (*place).to_owned();
        }
        rejection
    }
}

/// Writes a statement.
pub(super) struct Writer<'c, 't> {
    call: &'c Call<'t>,
    text: String,
    sources: Vec<(&'static str, &'static str)>,
}

impl<'c, 't> Writer<'c, 't> {
    /// A message of this call, with what tells it from others and when it happened.
    pub fn new(call: &'c Call<'t>, placed: &Placed<'_>) -> Writer<'c, 't> {
        let text = String::with_capacity(call.text.len() + 128);
        let mut writer = Writer { call, text, sources: Vec::new() };
        match call.message_id {
            Some(raw) => writer.raw("messageId", raw),
            None => writer.raw("messageId", &format!("\"{:032x}\"", call.whole)),
        }
        match placed {
            Placed::AtReceipt => {}
            Placed::AsSent(raw) => writer.raw("timestamp", raw),
            Placed::Earlier(at) | Placed::Instead { at, .. } => {
                writer.raw("timestamp", &format!("\"{}\"", at.to_millis_text()))
            }
        }
        writer
    }

    /// A member in raw JSON.
    pub fn raw(&mut self, raw_key: &str, value: &str) {
        self.text.push_str(if self.text.is_empty() { "{\"" } else { ",\"" });
        self.text.push_str(raw_key);
        self.text.push_str("\":");
        self.text.push_str(value);
    }

    /// A member, if there is one.
    pub fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.raw(key, value);
        }
    }

    /// An identifier under our name, with the place it came from.
    pub fn id(&mut self, ours: &'static str, found: Option<Found<'_>>) {
        if let Some((raw, place)) = found {
            self.raw(ours, raw);
            self.sources.push((ours, place));
        }
    }

    /// Says from where something was read that is written otherwise.
    pub fn source(&mut self, ours: &'static str, place: &'static str) {
        self.sources.push((ours, place));
    }

    /// Everything of the call that no message gives a meaning.
    pub fn rest(&mut self, placed: &Placed<'_>) {
        let call = self.call;
        self.optional("anonymousId", call.anonymous_id);
        self.optional("previousId", call.previous_id);
        let original = match placed {
            Placed::Instead { sent, .. } => call.original_timestamp.or(Some(sent)),
            Placed::AtReceipt | Placed::Earlier(_) | Placed::AsSent(_) => call.original_timestamp,
        };
        self.optional("originalTimestamp", original);
        self.optional("sentAt", call.sent_at);
        self.optional("context", call.context.as_deref());
        for (raw_key, value) in &call.others {
            self.raw(raw_key, value);
        }
    }

    /// The statement. One without a user may be about someone who is anonymous so far.
    pub fn finish(mut self, kind: Kind) -> Statement {
        let call = self.call.kind.map_or("", CallKind::as_str);
        self.raw(CALL_TYPE, &format!("\"{call}\""));
        self.text.push('}');
        let anonymous = self.call.anonymous_id.is_some();
        let origin = Origin { content: self.call.content, call, anonymous };
        Statement { kind, text: self.text, origin, sources: self.sources }
    }
}
