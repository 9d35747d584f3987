//! The form of the Segment spec: identify, group and track.
//!
//! A user of an account is an identify and a group call, as that spec has it; the account stands in the identify's
//! context, too. The spec has no word for the end of a membership, for instances, and for what only comes from writing
//! records.

use muster_model::{
    kind::Kind,
    message::{Message, Named},
};

use super::in_rest;
use crate::wire::object::Object;

/// One call, or two with a comma between them; `None` where the spec has no words.
pub(super) fn write(message: &Message<'_>, organization_trait: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(message.data.len() + 512);
    match message.kind {
        Kind::User => {
            Object::write(&mut out, |call| identify(call, message));
            let group = message.account.as_ref().or(message.organization.as_ref());
            if let (Some(group), Some(_)) = (group, &message.user) {
                let marks = message.account.is_none().then_some(organization_trait);
                out.push(b',');
                Object::write(&mut out, |call| member(call, message, group, marks));
            }
        }
        Kind::Account => {
            let account = message.account.as_ref()?;
            Object::write(&mut out, |call| {
                head(call, "group", message, "");
                call.text("groupId", &account.external_id);
                call.text("anonymousId", &account.external_id);
                let organization = message.organization.as_ref().map(|named| quoted(&named.external_id));
                let extra = organization.as_deref().map(|id| ("organizationId", id));
                call.verbatim("traits", &with(message.data, extra));
            });
        }
        Kind::Organization => {
            let organization = message.organization.as_ref()?;
            Object::write(&mut out, |call| {
                head(call, "group", message, "");
                call.text("groupId", &organization.external_id);
                call.text("anonymousId", &organization.external_id);
                call.verbatim("traits", &with(message.data, Some((organization_trait, "true"))));
            });
        }
        Kind::Track => Object::write(&mut out, |call| {
            head(call, "track", message, "");
            call.text("event", message.name.as_deref().unwrap_or_default());
            someone(call, message);
            properties(call, "properties", message.data);
            context(call, message);
        }),
        Kind::Unlink | Kind::CustomObjectInstance | Kind::CustomObject | Kind::NpsResponse | Kind::Leave => {
            return None;
        }
    }
    Some(out)
}

fn identify(call: &mut Object<'_>, message: &Message<'_>) {
    head(call, "identify", message, "");
    someone(call, message);
    properties(call, "traits", message.data);
    context(call, message);
}

fn member(call: &mut Object<'_>, message: &Message<'_>, group: &Named<'_>, marks: Option<&str>) {
    head(call, "group", message, "-group");
    someone(call, message);
    call.text("groupId", &group.external_id);
    if let Some(organization_trait) = marks {
        call.verbatim("traits", &with("", Some((organization_trait, "true"))));
    }
}

/// What every call has. The `messageId` is the message's own, or its identity; `suffix` tells a second call apart.
fn head(call: &mut Object<'_>, kind: &str, message: &Message<'_>, suffix: &str) {
    call.text("type", kind);
    let identity;
    let id = match message.message_id.as_deref() {
        Some(id) => id,
        None => {
            identity = message.identity.to_string();
            &identity
        }
    };
    call.text("messageId", &format!("{id}{suffix}"));
    call.text("timestamp", &message.timestamp.to_micros_text());
}

/// Whom it is about. A call must name somebody: a track of an account alone names that.
fn someone(call: &mut Object<'_>, message: &Message<'_>) {
    if let Some(user) = &message.user {
        call.text("userId", &user.external_id);
    }
    let anonymous = in_rest(message, "anonymousId").filter(|raw| raw.starts_with('"') && *raw != "\"\"");
    let group = message.account.as_ref().or(message.organization.as_ref());
    match (anonymous, &message.user, group) {
        (Some(raw), _, _) => call.verbatim("anonymousId", raw),
        (None, None, Some(group)) => call.text("anonymousId", &group.external_id),
        (None, _, _) => {}
    }
}

fn context(call: &mut Object<'_>, message: &Message<'_>) {
    if let Some(account) = &message.account {
        call.object("context", |context| context.text("groupId", &account.external_id));
    }
}

fn properties(call: &mut Object<'_>, name: &str, data: &str) {
    if !data.is_empty() {
        call.verbatim(name, data);
    }
}

/// An object with one more member, unless it has that already.
fn with(object: &str, extra: Option<(&str, &str)>) -> String {
    let object = if object.is_empty() { "{}" } else { object };
    let Some((name, value)) = extra else { return object.to_owned() };
    let key = quoted(name);
    let mut there = false;
    muster_model::json::Walk::new(object, 0).members(0, |_, member| {
        there |= key.get(1..key.len() - 1) == Some(member.raw_key);
    });
    let inside = object.trim_start().strip_prefix('{').unwrap_or("}");
    match (there, inside.trim_start().starts_with('}')) {
        (true, _) => object.to_owned(),
        (false, true) => format!("{{{key}:{value}{inside}"),
        (false, false) => format!("{{{key}:{value},{inside}"),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use muster_model::{
        draft::Draft,
        id::IdSpace,
        kinds::{Context, check_typed},
        limits::MessageLimits,
        time::Micros,
    };
    use serde_json::{Value, json};

    use super::*;

    fn check(text: &str, expected: &Value) {
        let context = Context { ids: IdSpace::new("w"), received_at: Micros(5), limits: MessageLimits::default() };
        let draft = Draft::from_text(text, 64);
        let written = write(&check_typed(&draft, &context).unwrap(), "isOrganization").unwrap_or_default();
        let calls: Value = serde_json::from_str(&format!("[{}]", String::from_utf8(written).unwrap())).unwrap();
        assert_eq!(&calls, expected, "{text}");
    }

    #[test]
    fn messages_become_calls() {
        let at = "1970-01-01T00:00:00.000005Z";
        check(
            r#"{"type":"user","userId":"u","accountId":"a","messageId":"m","traits":{"p":1}}"#,
            &json!([
                {"type":"identify","messageId":"m","timestamp":at,"userId":"u","traits":{"p":1},"context":{"groupId":"a"}},
                {"type":"group","messageId":"m-group","timestamp":at,"userId":"u","groupId":"a"}
            ]),
        );
        check(
            r#"{"type":"account","accountId":"a","organizationId":"o","messageId":"m","traits":{"p":1}}"#,
            &json!([{"type":"group","messageId":"m","timestamp":at,"groupId":"a","anonymousId":"a","traits":{"organizationId":"o","p":1}}]),
        );
        check(
            r#"{"type":"organization","organizationId":"o","messageId":"m"}"#,
            &json!([{"type":"group","messageId":"m","timestamp":at,"groupId":"o","anonymousId":"o","traits":{"isOrganization":true}}]),
        );
        check(
            r#"{"type":"track","event":"e","userId":"u","accountId":"a","anonymousId":"x","messageId":"m","properties":{}}"#,
            &json!([{"type":"track","messageId":"m","timestamp":at,"event":"e","userId":"u","anonymousId":"x","properties":{},"context":{"groupId":"a"}}]),
        );
        check(r#"{"type":"unlink","userId":"u","accountId":"a","messageId":"m"}"#, &json!([]));
    }
}
