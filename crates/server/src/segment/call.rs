//! The members of one call, before any meaning is given to them.
//!
//! Borrows the text of a request. Of what is stated in several places in the wild, each place is kept apart here; which
//! one counts is decided where the call is given its meaning.

use std::borrow::Cow;

use muster_model::{
    draft::CALL_TYPE,
    json::{Walk, member_digest, string_value, unescape},
};

use super::envelope::{Envelope, member};

/// What a call says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallKind {
    Identify,
    Group,
    Track,
    Page,
    Screen,
    Alias,
}

impl CallKind {
    /// Every kind, in the order of the spec.
    pub const ALL: [CallKind; 6] =
        [CallKind::Identify, CallKind::Group, CallKind::Track, CallKind::Page, CallKind::Screen, CallKind::Alias];

    /// Its `type`, and the last segment of its own path.
    pub fn as_str(self) -> &'static str {
        match self {
            CallKind::Identify => "identify",
            CallKind::Group => "group",
            CallKind::Track => "track",
            CallKind::Page => "page",
            CallKind::Screen => "screen",
            CallKind::Alias => "alias",
        }
    }

    /// The kind that a `type` names; letters' case is of no account.
    fn parse(raw: &str) -> Option<CallKind> {
        let text = string_value(raw)?.ok()?;
        CallKind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

/// Members that change between two attempts to send the same call, or say nothing about it.
const PASSING: [&str; 5] = ["sentAt", "receivedAt", "_metadata", "writeKey", "type"];
/// Members that say whom a call is about. A library that has learnt it meanwhile puts it in when it sends again.
const NAMING: [&str; 2] = ["userId", "anonymousId"];

/// One call's members, each as raw JSON text. What means "not given" is not there.
#[derive(Debug, Default)]
pub(super) struct Call<'t> {
    /// The whole call as it came.
    pub text: &'t str,
    pub is_object: bool,
    /// Whether it has a `type`, and the kind that it names.
    pub states_type: bool,
    pub kind: Option<CallKind>,
    pub user_id: Option<&'t str>,
    pub anonymous_id: Option<&'t str>,
    pub previous_id: Option<&'t str>,
    pub group_id: Option<&'t str>,
    pub account_id: Option<&'t str>,
    pub organization_id: Option<&'t str>,
    pub message_id: Option<&'t str>,
    pub event: Option<&'t str>,
    pub name: Option<&'t str>,
    pub category: Option<&'t str>,
    pub timestamp: Option<&'t str>,
    pub original_timestamp: Option<&'t str>,
    pub sent_at: Option<&'t str>,
    pub traits: Option<&'t str>,
    pub properties: Option<&'t str>,
    /// The call's own context, completed by the batch's.
    pub context: Option<Cow<'t, str>>,
    /// As the call itself has it, within its text.
    pub own_context: Option<&'t str>,
    /// Raw keys and values of all members without a meaning here.
    pub others: Vec<(&'t str, &'t str)>,
    /// Digest of what the sender stated, the same in every attempt.
    pub content: u128,
    /// The same with those whom it is about, for a call that has no id of its own.
    pub whole: u128,
}

impl<'t> Call<'t> {
    /// Reads one call of an envelope, looking at most so many levels deep.
    pub fn read(text: &'t str, path: Option<CallKind>, envelope: Option<&Envelope<'t>>, depth_max: usize) -> Call<'t> {
        let mut call = Call { text, is_object: text.starts_with('{'), kind: path, ..Call::default() };
        if !call.is_object {
            return call;
        }
        let mut context = None;
        let (mut content, mut whole) = (0u128, 0u128);
        Walk::new(text, depth_max).members(1, |_, found| {
            let key = unescape(found.raw_key).unwrap_or_else(Cow::Owned);
            let says_nothing = given(found.value).is_none() || matches!(found.value, "{}" | "[]");
            if !says_nothing && !PASSING.contains(&key.as_ref()) {
                let digest = member_digest(&key, found.digest);
                whole = whole.wrapping_add(digest);
                if !NAMING.contains(&key.as_ref()) {
                    content = content.wrapping_add(digest);
                }
            }
            match key.as_ref() {
                "context" => context = Some(found.value).filter(|value| *value != "null"),
                "type" => call.take_type(found.value, path),
                "writeKey" | CALL_TYPE => {}
                _ => call.place(&key, found.raw_key, found.value),
            }
        });
        (call.content, call.whole) = (content, whole);
        let batch = envelope.filter(|envelope| envelope.is_batch());
        let shared = batch.and_then(|batch| batch.context);
        call.context = match (context, shared) {
            (own, None) => own.map(Cow::Borrowed),
            // An empty list is how some languages write an empty object.
            (None | Some("[]"), Some(shared)) => Some(Cow::Borrowed(shared)),
            (Some(own), Some(shared)) => Some(completed(own, shared)),
        };
        call.own_context = context;
        call.sent_at = call.sent_at.or(envelope.and_then(|envelope| envelope.sent_at));
        call
    }

    /// A member of the call's context.
    pub fn in_context(&self, name: &str) -> Option<&str> {
        self.context.as_deref().and_then(|context| member(context, name)).and_then(given)
    }

    fn take_type(&mut self, raw: &'t str, path: Option<CallKind>) {
        self.states_type = raw != "null";
        if path.is_none() {
            self.kind = CallKind::parse(raw);
        }
    }

    fn place(&mut self, key: &str, raw_key: &'t str, value: &'t str) {
        let slot = match key {
            "userId" => &mut self.user_id,
            "anonymousId" => &mut self.anonymous_id,
            "previousId" => &mut self.previous_id,
            "groupId" => &mut self.group_id,
            "accountId" => &mut self.account_id,
            "organizationId" => &mut self.organization_id,
            "messageId" => &mut self.message_id,
            "event" => &mut self.event,
            "name" => &mut self.name,
            "category" => &mut self.category,
            "timestamp" => &mut self.timestamp,
            "originalTimestamp" => &mut self.original_timestamp,
            "sentAt" => &mut self.sent_at,
            "traits" => &mut self.traits,
            "properties" => &mut self.properties,
            _ => return self.others.push((raw_key, value)),
        };
        *slot = given(value);
    }
}

/// The value, unless it is one of the ways to say that there is none.
pub(super) fn given(value: &str) -> Option<&str> {
    let blank = || value.strip_prefix('"')?.strip_suffix('"').map(|inside| inside.trim_ascii().is_empty());
    (value != "null" && blank() != Some(true)).then_some(value)
}

/// A call's context with the members of the batch's that it lacks.
fn completed<'t>(own: &'t str, shared: &str) -> Cow<'t, str> {
    let Some(inside) = own.strip_prefix('{') else { return Cow::Borrowed(own) };
    let mut text = String::from("{");
    Walk::new(shared, 0).members(0, |_, found| {
        if member(own, found.raw_key).is_none() {
            text.push_str(&format!("\"{}\":{},", found.raw_key, found.value));
        }
    });
    if inside.trim_ascii() == "}" {
        text.truncate(text.len() - usize::from(text.ends_with(',')));
    }
    text.push_str(inside);
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_completed_not_replaced() {
        let check = |own: &str, shared: &str, expected: &str| assert_eq!(completed(own, shared), expected);
        check(r#"{"a":1}"#, r#"{"a":2,"b":3}"#, r#"{"b":3,"a":1}"#);
        check("{ }", r#"{"b":3}"#, r#"{"b":3 }"#);
        check("{}", "{}", "{}");
        check(r#"{"a":1}"#, "{}", r#"{"a":1}"#);
        check("7", r#"{"b":3}"#, "7");
    }

    #[test]
    fn calls_are_called_what_the_model_calls_them() {
        assert_eq!(CallKind::ALL.map(CallKind::as_str), muster_model::draft::CALL_TYPES);
    }

    #[test]
    fn nothing_is_said_in_several_ways() {
        for nothing in ["null", "\"\"", "\" \""] {
            assert_eq!(given(nothing), None, "{nothing}");
        }
        for something in ["0", "\"x\"", "{}", "false"] {
            assert_eq!(given(something), Some(something));
        }
    }
}
