//! What a call becomes: one or two messages of ours.
//!
//! The table in `docs/api.md`, call by call. Ids keep their JSON text; the rules for all messages judge them later.

use std::{borrow::Cow, collections::HashSet};

use muster_model::{
    json::{string_value, unescape},
    kind::Kind,
    rejection::{Code, Rejection},
};

use super::{
    call::{Call, CallKind, given},
    clock::Placed,
    envelope::{each_member, member},
    statement::{Found, Statement, Writer},
};

/// Stands for a character that no name may hold.
const REPLACEMENT: &str = "\u{fffd}";

/// The messages of a call. `organization_trait` marks groups that are organizations.
pub(super) fn of(call: &Call<'_>, placed: &Placed<'_>, organization_trait: &str) -> Result<Vec<Statement>, Rejection> {
    if !call.is_object {
        let says = "a call must be a JSON object, such as {\"type\":\"track\",…}; send one object per call";
        return Err(Rejection::new(Code::NotAnObject, "", says));
    }
    match call.kind {
        Some(CallKind::Identify) => identify(call, placed),
        Some(CallKind::Group) => group(call, placed, organization_trait),
        Some(CallKind::Track) => track(call, placed),
        Some(kind @ (CallKind::Page | CallKind::Screen)) => view(call, placed, kind),
        Some(CallKind::Alias) => alias(call, placed),
        None => {
            let names = CallKind::ALL.map(CallKind::as_str).join(", ");
            let (code, what) = match call.states_type {
                true => (Code::UnknownType, "the type is not known"),
                false => (Code::MissingType, "the call has no type"),
            };
            Err(Rejection::new(code, "/type", format!("{what}; send one of {names}")))
        }
    }
}

fn identify(call: &Call<'_>, placed: &Placed<'_>) -> Result<Vec<Statement>, Rejection> {
    needs_someone(call, Code::MissingField)?;
    let traits = merged(call.traits, call.in_context("traits"));
    let company = traits.as_deref().and_then(|traits| member(traits, "company"));
    let company_id = company.and_then(|company| member(company, "id")).and_then(given);
    let leaves = company.and_then(|company| member(company, "remove")) == Some("true");
    let account = call.in_context("groupId").map(|raw| (raw, "/context/groupId"));
    let account = account.or(company_id.map(|raw| (raw, "/traits/company/id")));
    let account = account.filter(|(raw, _)| !leaves || company_id != Some(raw));
    let mut user = Writer::new(call, placed);
    user.id("userId", user_of(call));
    user.id("accountId", account.or(account_of(call)));
    user.id("organizationId", organization_of(call));
    user.optional("traits", traits.as_deref());
    user.rest(placed);
    user.optional("groupId", call.group_id);
    user.optional("event", call.event);
    user.optional("name", call.name);
    user.optional("category", call.category);
    user.optional("properties", call.properties);
    let mut statements = vec![user.finish(Kind::User)];
    if let (true, Some(company_id), Some(_)) = (leaves, company_id, call.user_id) {
        let mut unlink = Writer::new(call, placed);
        unlink.id("userId", user_of(call));
        unlink.id("accountId", Some((company_id, "/traits/company/id")));
        statements.push(unlink.finish(Kind::Unlink));
    }
    Ok(statements)
}

fn group(call: &Call<'_>, placed: &Placed<'_>, organization_trait: &str) -> Result<Vec<Statement>, Rejection> {
    let Some(raw) = call.group_id else {
        let says = "groupId is required in a call of type group: send a non-empty string or an integer";
        return Err(Rejection::new(Code::MissingField, "/groupId", says));
    };
    let group = Some((raw, "/groupId"));
    let trait_of = |name: &str| call.traits.and_then(|traits| member(traits, name)).and_then(given);
    let is_organization = trait_of(organization_trait).is_some_and(is_true);
    let (kind, name) =
        if is_organization { (Kind::Organization, "organizationId") } else { (Kind::Account, "accountId") };
    let mut described = Writer::new(call, placed);
    described.id(name, group);
    if !is_organization {
        let organization = trait_of("organizationId").map(|raw| (raw, "/traits/organizationId"));
        described.id("organizationId", organization.or(organization_of(call)));
    }
    described.optional("traits", call.traits);
    described.rest(placed);
    described.optional("userId", call.user_id);
    described.optional("event", call.event);
    described.optional("name", call.name);
    described.optional("category", call.category);
    described.optional("properties", call.properties);
    let mut statements = vec![described.finish(kind)];
    if call.user_id.is_some() {
        let mut member = Writer::new(call, placed);
        member.id("userId", user_of(call));
        member.id(name, group);
        statements.push(member.finish(Kind::User));
    }
    Ok(statements)
}

fn track(call: &Call<'_>, placed: &Placed<'_>) -> Result<Vec<Statement>, Rejection> {
    let mut track = subject(call, placed)?;
    if let Some(raw) = call.event {
        match plain(raw) {
            Cow::Borrowed(raw) => track.raw("event", raw),
            Cow::Owned(mended) => {
                track.raw("event", &mended);
                track.raw("originalEvent", raw);
            }
        }
    }
    track.optional("properties", call.properties);
    track.rest(placed);
    track.optional("groupId", call.group_id);
    track.optional("name", call.name);
    track.optional("category", call.category);
    track.optional("traits", call.traits);
    Ok(vec![track.finish(Kind::Track)])
}

/// A page or a screen that was viewed.
fn view(call: &Call<'_>, placed: &Placed<'_>, kind: CallKind) -> Result<Vec<Statement>, Rejection> {
    let what = if kind == CallKind::Page { "Page" } else { "Screen" };
    let property = |name: &str| call.properties.and_then(|properties| member(properties, name)).and_then(given);
    let name = call.name.or(property("name")).or(call.event).or(call.category).or(property("category"));
    let name = name.map(|raw| raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw).trim_ascii());
    let event = name.map_or_else(|| format!("\"Viewed {what}\""), |name| format!("\"Viewed {name} {what}\""));
    let mut track = subject(call, placed)?;
    track.raw("event", &plain(&event));
    track.source("event", "/name");
    let said = [("name", call.name), ("category", call.category)];
    let (inside, beside): (Vec<_>, Vec<_>) = said.into_iter().partition(|(name, _)| property(name).is_none());
    track.optional("properties", with_members(call.properties, &inside).as_deref());
    track.rest(placed);
    track.optional("groupId", call.group_id);
    track.optional("traits", call.traits);
    for (name, value) in beside {
        track.optional(name, value.filter(|value| property(name) != Some(value)));
    }
    Ok(vec![track.finish(Kind::Track)])
}

/// States that the anonymous id's history belongs to the user: a user message that names both.
fn alias(call: &Call<'_>, placed: &Placed<'_>) -> Result<Vec<Statement>, Rejection> {
    for (raw, field) in [(call.user_id, "userId"), (call.previous_id.or(call.anonymous_id), "previousId")] {
        if raw.is_none() {
            let says = format!("{field} is required in a call of type alias: send a non-empty string or an integer");
            return Err(Rejection::new(Code::MissingField, format!("/{field}"), says));
        }
    }
    let mut user = Writer::new(call, placed);
    user.id("userId", user_of(call));
    user.optional("traits", call.traits);
    user.rest(placed);
    user.optional("groupId", call.group_id);
    user.optional("name", call.name);
    user.optional("category", call.category);
    user.optional("event", call.event);
    user.optional("properties", call.properties);
    Ok(vec![user.finish(Kind::User)])
}

/// A track's beginning: whom it belongs to.
fn subject<'c, 't>(call: &'c Call<'t>, placed: &Placed<'_>) -> Result<Writer<'c, 't>, Rejection> {
    let property = |name: &str| call.properties.and_then(|properties| member(properties, name)).and_then(given);
    let account = call.in_context("groupId").map(|raw| (raw, "/context/groupId"));
    let account = account.or(property("groupId").map(|raw| (raw, "/properties/groupId")));
    let account = account.or(property("accountId").map(|raw| (raw, "/properties/accountId")));
    let account = account.or(account_of(call));
    let organization = organization_of(call);
    if account.is_none() && organization.is_none() {
        needs_someone(call, Code::TrackNeedsSubject)?;
    }
    let mut track = Writer::new(call, placed);
    track.id("userId", user_of(call));
    track.id("accountId", account);
    track.id("organizationId", organization);
    Ok(track)
}

fn user_of<'t>(call: &Call<'t>) -> Option<Found<'t>> {
    call.user_id.map(|raw| (raw, "/userId"))
}

fn account_of<'t>(call: &Call<'t>) -> Option<Found<'t>> {
    call.account_id.map(|raw| (raw, "/accountId"))
}

fn organization_of<'t>(call: &Call<'t>) -> Option<Found<'t>> {
    call.organization_id.map(|raw| (raw, "/organizationId"))
}

fn needs_someone(call: &Call<'_>, code: Code) -> Result<(), Rejection> {
    if call.user_id.is_some() || call.anonymous_id.is_some() {
        return Ok(());
    }
    let kind = call.kind.map_or("", CallKind::as_str);
    let says = format!("a call of type {kind} needs a userId or an anonymousId; send at least one of them");
    Err(Rejection::new(code, "/userId", says))
}

/// What of a trait's values means yes.
fn is_true(raw: &str) -> bool {
    match raw {
        "false" | "0" | "{}" | "[]" => false,
        raw => !["\"false\"", "\"0\"", "\"no\""].iter().any(|no| raw.eq_ignore_ascii_case(no)),
    }
}

/// A name without characters that no name may hold; borrowed when it has none.
fn plain(raw: &str) -> Cow<'_, str> {
    let text = match string_value(raw) {
        Some(Ok(text)) => text,
        Some(Err(mended)) => Cow::Owned(mended),
        None => return Cow::Borrowed(raw),
    };
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(serde_json::Value::from(text.replace(char::is_control, REPLACEMENT)).to_string())
}

/// An object with the members that were given put in.
fn with_members<'t>(object: Option<&'t str>, members: &[(&str, Option<&str>)]) -> Option<Cow<'t, str>> {
    let given = members.iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", (*value)?)));
    let given = given.collect::<Vec<_>>().join(",");
    let inside = match object {
        None | Some("[]") => "}",
        Some(object) => match object.strip_prefix('{') {
            Some(inside) => inside,
            None => return Some(Cow::Borrowed(object)),
        },
    };
    if given.is_empty() {
        return object.map(Cow::Borrowed);
    }
    let comma = if inside.trim_ascii_start() == "}" { "" } else { "," };
    Some(Cow::Owned(format!("{{{given}{comma}{inside}")))
}

/// Traits, completed by those in the context that they lack.
fn merged<'c>(traits: Option<&'c str>, in_context: Option<&'c str>) -> Option<Cow<'c, str>> {
    let (own, more) = match (traits, in_context.filter(|traits| traits.starts_with('{'))) {
        (own, None) => return own.map(Cow::Borrowed),
        (None | Some("[]" | "{}"), Some(more)) => return Some(Cow::Borrowed(more)),
        (Some(own), Some(more)) if own == more || !own.starts_with('{') => return Some(Cow::Borrowed(own)),
        (Some(own), Some(more)) => (own, more),
    };
    let mut known = HashSet::new();
    each_member(own, |key, _| {
        known.insert(key.to_owned());
    });
    let mut missing = Vec::new();
    muster_model::json::Walk::new(more, 0).members(0, |_, found| {
        let key = unescape(found.raw_key).unwrap_or_else(Cow::Owned);
        if !known.contains(key.as_ref()) {
            missing.push((found.raw_key, Some(found.value)));
        }
    });
    with_members(Some(own), &missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traits_are_completed_from_the_context() {
        let check = |own, more, expected: Option<&str>| assert_eq!(merged(own, more).as_deref(), expected);
        check(Some(r#"{"a":1}"#), Some(r#"{"a":2,"b":3}"#), Some(r#"{"b":3,"a":1}"#));
        check(Some(r#"{"a":1}"#), Some(r#"{"\u0061":2}"#), Some(r#"{"a":1}"#));
        check(None, Some(r#"{"b":3}"#), Some(r#"{"b":3}"#));
        check(Some("[]"), Some(r#"{"b":3}"#), Some(r#"{"b":3}"#));
        check(Some("7"), Some(r#"{"b":3}"#), Some("7"));
        check(Some("{ }"), Some(r#"{"b":3}"#), Some(r#"{"b":3 }"#));
        check(None, None, None);
    }

    #[test]
    fn names_hold_no_control_characters() {
        assert_eq!(plain(r#""a\u0000b""#), "\"a\u{fffd}b\"");
        assert_eq!(plain(r#""a\ud83d\n""#), "\"a\u{fffd}\u{fffd}\"");
        assert!(matches!(plain(r#""a\ud83d""#), Cow::Borrowed(_)));
        assert!(matches!(plain("7"), Cow::Borrowed("7")));
    }
}
