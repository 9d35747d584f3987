//! Mixpanel's exports: events as its export API gives them, and people as its engage API does.
//!
//! An event is a track of its user. Who has no user yet is known by the device. The account is a property, which only
//! whoever imports can name.

use super::{
    Terms,
    line::{Line, quoted},
    record::{Record, id},
};

/// What stands in front of the id of a device where there is no user.
const DEVICE: &str = "$device:";

/// The lines of an event or of a person.
pub fn lines(text: &str, terms: &Terms) -> Result<Vec<String>, String> {
    let record = Record::read(text).ok_or("it is no JSON object")?;
    if let (Some(user), Some(properties)) = (record.id("$distinct_id"), record.object("$properties")) {
        return person(&user, &properties);
    }
    let form = "a line of Mixpanel's export is {\"event\":…,\"properties\":{…}}";
    let event = record.id("event").ok_or_else(|| format!("it has no event; {form}"))?;
    let properties = record.object("properties").ok_or_else(|| format!("it has no properties; {form}"))?;
    let held = Record::read(&properties).ok_or_else(|| format!("its properties are no object; {form}"))?;
    let at = held.instant("time").ok_or("its properties have no time, in seconds since 1970")?;
    let (user, device) = who(&held);
    let line = match event.as_str() {
        "$identify" => Line::call("identify"),
        "$create_alias" => Line::call("alias").named("previousId", held.id("distinct_id").as_deref()),
        _ => Line::call("track").text("event", &event),
    };
    let alias = held.id("alias").filter(|_| event == "$create_alias");
    let user = alias.or(held.id("$identified_id")).or(user);
    let device = held.id("$anon_id").or(device);
    let account = terms.group.as_ref().and_then(|name| held.id(name));
    let line = line
        .raw("properties", &properties)
        .named("userId", user.as_deref())
        .named("anonymousId", device.as_deref())
        .named("messageId", held.id("$insert_id").as_deref())
        .at("timestamp", Some(at))
        .object("context", account.map(|account| ("groupId", quoted(&account))));
    Ok(vec![line.received(held.instant("mp_processing_time_ms"))])
}

/// The user, and the device that stands for someone unknown.
fn who(held: &Record<'_>) -> (Option<String>, Option<String>) {
    let device = held.id("$device_id");
    let distinct = held.id("distinct_id");
    let of_device = distinct.as_deref().and_then(|id| id.strip_prefix(DEVICE)).map(str::to_owned);
    if let Some(user) = held.id("$user_id") {
        return (Some(user), device.or(of_device));
    }
    match of_device {
        Some(found) => (None, Some(found)),
        None if distinct == device => (None, device),
        None => (distinct, device),
    }
}

fn person(user: &str, properties: &str) -> Result<Vec<String>, String> {
    let held = Record::read(properties).ok_or("its $properties are no object")?;
    let at = held.instant("$last_seen");
    let traits = held.others(&[]).map(|(name, raw)| (plain(name), raw.to_owned()));
    let mut line = Line::call("identify").text("userId", user).object("traits", traits).at("timestamp", at);
    if let Some(company) = held.raw("$company_id").and_then(id) {
        line = line.object("context", [("groupId", quoted(&company))]);
    }
    Ok(vec![line.received(at)])
}

/// The traits that everybody has, by the names that they have here.
fn plain(name: &str) -> &str {
    match name {
        "$email" => "email",
        "$name" => "name",
        "$first_name" => "firstName",
        "$last_name" => "lastName",
        "$phone" => "phone",
        "$avatar" => "avatar",
        "$created" => "createdAt",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let terms = Terms { group: Some("company".to_owned()), ..Terms::default() };
        assert_eq!(lines(text, &terms).unwrap_or_else(|says| vec![says]), [expected], "{text}");
    }

    #[test]
    fn events_are_tracks_of_a_user_or_a_device() {
        check(
            r#"{"event":"Signed up","properties":{"time":1602611311,"distinct_id":"u1","$device_id":"d1","$insert_id":"i","company":["acme"],"mp_processing_time_ms":1602611312000}}"#,
            r#"{"receivedAt":"2020-10-13T17:48:32.000000Z","call":{"type":"track","event":"Signed up","properties":{"time":1602611311,"distinct_id":"u1","$device_id":"d1","$insert_id":"i","company":["acme"],"mp_processing_time_ms":1602611312000},"userId":"u1","anonymousId":"d1","messageId":"i","timestamp":"2020-10-13T17:48:31.000000Z","context":{"groupId":"acme"}}}"#,
        );
        check(
            r#"{"event":"e","properties":{"time":1,"distinct_id":"$device:d"}}"#,
            r#"{"call":{"type":"track","event":"e","properties":{"time":1,"distinct_id":"$device:d"},"anonymousId":"d","timestamp":"1970-01-01T00:00:01.000000Z"}}"#,
        );
        check(
            r#"{"event":"$identify","properties":{"time":1,"distinct_id":"u","$identified_id":"u","$anon_id":"d"}}"#,
            r#"{"call":{"type":"identify","properties":{"time":1,"distinct_id":"u","$identified_id":"u","$anon_id":"d"},"userId":"u","anonymousId":"d","timestamp":"1970-01-01T00:00:01.000000Z"}}"#,
        );
    }

    #[test]
    fn people_are_users_with_plain_traits() {
        check(
            r#"{"$distinct_id":"u","$properties":{"$email":"a@b.c","plan":"pro","$last_seen":"2020-01-01T00:00:00"}}"#,
            r#"{"receivedAt":"2020-01-01T00:00:00.000000Z","call":{"type":"identify","userId":"u","traits":{"email":"a@b.c","$last_seen":"2020-01-01T00:00:00","plan":"pro"},"timestamp":"2020-01-01T00:00:00.000000Z"}}"#,
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        check(r#"{"event":"e","properties":{}}"#, "its properties have no time, in seconds since 1970");
        check(
            r#"{"properties":{}}"#,
            "it has no event; a line of Mixpanel's export is {\"event\":…,\"properties\":{…}}",
        );
    }
}
