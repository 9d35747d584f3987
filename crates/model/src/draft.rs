//! The members of one message as its sender wrote them, before any rule is applied.
//!
//! A draft borrows the text of a request. It knows where each member lies and what the message weighs, and judges
//! nothing: that is done by [`crate::kinds::check`]. When a key stands twice, the last one counts, as in every
//! JSON library that senders use.

use crate::json::{Member, Walk, member_digest, unescape};

/// A message's members, each as raw JSON text.
#[derive(Debug, Default)]
pub struct Draft<'a> {
    /// The whole message.
    pub text: &'a str,
    pub kind: Option<&'a str>,
    pub organization_id: Option<&'a str>,
    pub account_id: Option<&'a str>,
    pub user_id: Option<&'a str>,
    pub external_id: Option<&'a str>,
    pub custom_object_id: Option<&'a str>,
    pub message_id: Option<&'a str>,
    pub timestamp: Option<&'a str>,
    pub event: Option<&'a str>,
    pub name: Option<&'a str>,
    pub traits: Option<&'a str>,
    pub properties: Option<&'a str>,
    /// Raw keys and values of the members of `traits`, in the order sent.
    pub trait_members: Vec<(&'a str, &'a str)>,
    /// Members that have no meaning here; kept with the message.
    pub unknown: Vec<(&'a str, &'a str)>,
    /// Digest of everything that is neither an identifier, nor `messageId`, `type` or `timestamp`.
    pub content: u128,
    /// Keys at every level.
    pub keys: usize,
    /// Some part lies deeper than the bound given to [`Draft::read`].
    pub too_deep: bool,
    /// The text is no JSON object.
    pub not_an_object: bool,
    /// What the text was made from, when its sender wrote another form; set after reading.
    pub origin: Option<Origin>,
    /// It was taken before, in whatever form; set after reading. What a message of ours has to name need not be in it.
    pub taken_before: bool,
}

/// The member of a message that was made from a call of another form in which it says what the call was.
pub const CALL_TYPE: &str = "callType";
/// What calls of the Segment spec are called.
pub const CALL_TYPES: [&str; 6] = ["identify", "group", "track", "page", "screen", "alias"];

/// What a message in another form said, which counts for the message made from it.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Digest of what its sender stated, in place of the text's: what was added or corrected on receipt is not in it, so
    /// that the same message sent again is the same.
    pub content: u128,
    /// What it is called in that form. With its `messageId` this tells it from every other: who it is about may have
    /// become known between two attempts to send it.
    pub call: &'static str,
    /// It names someone whose user is not known yet; it need not name a record then.
    pub anonymous: bool,
}

impl<'a> Draft<'a> {
    /// Reads one message at the walk's position and leaves the walk behind it.
    pub fn read(walk: &mut Walk<'a>, source: &'a str) -> Draft<'a> {
        let mut draft = Draft::default();
        let (keys_before, deep_before) = (walk.keys, std::mem::take(&mut walk.too_deep));
        let is_object = walk.peek() == b'{';
        let start = walk.position();
        if is_object {
            let mut content = 0u128;
            walk.members(1, |_, member| draft.place(member, &mut content));
            draft.content = content;
            if let Some(traits) = draft.traits.filter(|value| value.starts_with('{')) {
                let members = &mut draft.trait_members;
                Walk::new(traits, 0).members(0, |_, member| members.push((member.raw_key, member.value)));
            }
        } else {
            walk.value(1);
            draft.not_an_object = true;
        }
        draft.text = source.get(start..walk.position()).unwrap_or("");
        draft.keys = walk.keys - keys_before;
        draft.too_deep = walk.too_deep;
        walk.too_deep |= deep_before;
        draft
    }

    /// What a message says of the call that it was made from, if it was.
    #[must_use]
    pub fn told_origin(&self) -> Option<Origin> {
        let member = |name: &str| self.unknown.iter().rev().find(|(key, _)| *key == name).map(|(_, raw)| *raw);
        let stated = member(CALL_TYPE)?.strip_prefix('"')?.strip_suffix('"')?;
        let call = CALL_TYPES.into_iter().find(|call| *call == stated)?;
        Some(Origin { content: self.content, call, anonymous: member("anonymousId").is_some() })
    }

    /// Reads the message that `text` is.
    #[must_use]
    pub fn from_text(text: &'a str, depth_max: usize) -> Draft<'a> {
        Draft::read(&mut Walk::new(text, depth_max), text)
    }

    fn place(&mut self, member: Member<'a>, content: &mut u128) {
        // A key may be written with escapes; the names below never are, so the common case compares bytes.
        let decoded;
        let key = if member.raw_key.contains('\\') {
            decoded = unescape(member.raw_key).unwrap_or_else(std::borrow::Cow::Owned);
            decoded.as_ref()
        } else {
            member.raw_key
        };
        let slot = match key {
            "type" => &mut self.kind,
            "organizationId" => &mut self.organization_id,
            "accountId" => &mut self.account_id,
            "userId" => &mut self.user_id,
            "externalId" => &mut self.external_id,
            "customObjectId" => &mut self.custom_object_id,
            "messageId" => &mut self.message_id,
            "timestamp" => &mut self.timestamp,
            _ => return self.place_content(key, member, content),
        };
        *slot = Some(member.value);
    }

    fn place_content(&mut self, key: &str, member: Member<'a>, content: &mut u128) {
        let slot = match key {
            "event" => Some(&mut self.event),
            "name" => Some(&mut self.name),
            "traits" => Some(&mut self.traits),
            "properties" => Some(&mut self.properties),
            _ => None,
        };
        match slot {
            Some(slot) => *slot = Some(member.value),
            None => self.unknown.push((member.raw_key, member.value)),
        }
        // Nothing given and an empty object say the same.
        if !is_nothing(member.value) {
            *content = content.wrapping_add(member_digest(key, member.digest));
        }
    }
}

/// `null`, or brackets with nothing between them but white space.
fn is_nothing(value: &str) -> bool {
    let inside = |open, close| value.strip_prefix(open)?.strip_suffix(close);
    value == "null"
        || inside('{', '}').or_else(|| inside('[', ']')).is_some_and(|inside| inside.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::Draft;
    use crate::json::Walk;

    #[test]
    fn reads_one_message_after_another() {
        let text =
            r#" [ {"type":"user","userId":1,"traits":{"a":{"b":1},"c":2},"x":0} , 7, {"userId":"2","userId":"3"} ]"#;
        let mut walk = Walk::new(text, 64);
        assert!(walk.enter_array());
        let mut drafts = Vec::new();
        while walk.next_element() {
            drafts.push(Draft::read(&mut walk, text));
        }
        assert_eq!(drafts.len(), 3);
        assert_eq!(drafts[0].user_id, Some("1"));
        assert_eq!(drafts[0].trait_members, [("a", r#"{"b":1}"#), ("c", "2")]);
        assert_eq!(drafts[0].unknown, [("x", "0")]);
        assert_eq!(drafts[0].keys, 7);
        assert!(drafts[1].not_an_object);
        assert_eq!(drafts[1].text, "7");
        assert_eq!(drafts[2].user_id, Some("\"3\""));
        assert_eq!(drafts[2].text, r#"{"userId":"2","userId":"3"}"#);
    }

    #[test]
    fn content_leaves_ids_out() {
        let read = |text: &'static str| Draft::from_text(text, 64).content;
        let base = read(r#"{"userId":"1","traits":{"a":1},"timestamp":"2020-01-01"}"#);
        assert_eq!(base, read(r#"{"type":"user","messageId":"m","userId":"2","traits":{"a":1}}"#));
        assert_ne!(base, read(r#"{"userId":"1","traits":{"a":2}}"#));
        assert_eq!(read(r#"{"userId":"1","traits":{}}"#), read(r#"{"userId":"1"}"#));
    }
}
