//! PostHog's exports of events: one a line, as its batch exports and its API give them.
//!
//! An event is a track of its person. Until somebody is identified the person is a device. What an event sets of its
//! person becomes an identify beside it. The account is a group.

use super::{
    Terms, group_of,
    line::{Line, quoted},
    record::Record,
};

/// Members that have a place of their own; the others are the context.
const PLACED: [&str; 5] = ["uuid", "event", "distinct_id", "timestamp", "properties"];

/// The lines of an event.
pub fn lines(text: &str, terms: &Terms) -> Result<Vec<String>, String> {
    let record = Record::read(text).ok_or("it is no JSON object")?;
    let form = "a line of PostHog's export is {\"event\":…,\"distinct_id\":…,\"timestamp\":…,\"properties\":{…}}";
    let event = record.id("event").ok_or_else(|| format!("it has no event; {form}"))?;
    let at = record.instant("timestamp").ok_or_else(|| format!("it has no timestamp; {form}"))?;
    let properties = record.object("properties").unwrap_or_else(|| "{}".to_owned());
    let held = Record::read(&properties).ok_or_else(|| format!("its properties are no object; {form}"))?;
    let distinct = record.id("distinct_id").or_else(|| held.id("distinct_id"));
    let (user, device) = who(distinct, &held);
    let received_at = ["created_at", "_inserted_at", "inserted_at"].iter().find_map(|name| record.instant(name));
    let message_id = record.id("uuid").or_else(|| record.id("id")).or_else(|| held.id("$insert_id"));
    let groups = held.object("$groups");
    let account = groups.as_deref().and_then(|groups| group_of(groups, terms));
    let others = || record.others(&PLACED).map(|(name, raw)| (name, raw.to_owned()));
    let begin = |line: Line| {
        let context = account.iter().map(|account| ("groupId", quoted(account)));
        line.named("userId", user.as_deref())
            .named("anonymousId", device.as_deref())
            .named("messageId", message_id.as_deref())
            .at("timestamp", Some(at))
            .object("context", context.chain(others()))
    };
    let set = traits(&record, &held);
    let line = match event.as_str() {
        "$identify" | "$set" => begin(Line::call("identify")).given("traits", set.as_deref()),
        "$create_alias" => {
            let alias = held.id("alias").ok_or("it is an alias and names none in properties.alias")?;
            begin(Line::call("alias")).text("previousId", &alias)
        }
        // A group of a type that is no account stays an event.
        "$groupidentify" if terms.group.is_none() || terms.group == held.id("$group_type") => {
            let group = held.id("$group_key").ok_or("it describes a group and names none in properties.$group_key")?;
            if terms.group.is_none() {
                terms.groups.note(held.id("$group_type").as_deref().as_slice().iter().copied());
            }
            // The person beside it is nobody; it only says who described the group.
            let line = Line::call("group").text("groupId", &group).named("messageId", message_id.as_deref());
            let line = line.named("anonymousId", device.as_deref().or(user.as_deref())).at("timestamp", Some(at));
            line.object("context", others()).given("traits", held.object("$group_set").as_deref())
        }
        "$pageview" => begin(Line::call("page")),
        "$screen" => begin(Line::call("screen")).named("name", held.id("$screen_name").as_deref()),
        _ => begin(Line::call("track")).text("event", &event),
    };
    let mut lines = vec![line.raw("properties", &properties).received(received_at)];
    let is_described = matches!(event.as_str(), "$identify" | "$set" | "$groupidentify" | "$create_alias");
    if let Some(set) = set.filter(|_| !is_described) {
        lines.push(begin(Line::call("identify")).raw("traits", &set).received(received_at));
    }
    Ok(lines)
}

/// The user, and the device that stands for someone unknown.
fn who(distinct: Option<String>, held: &Record<'_>) -> (Option<String>, Option<String>) {
    let before = held.id("$anon_distinct_id");
    let device = held.id("$device_id");
    let unknown = held.raw("$is_identified") == Some("false") || (distinct.is_some() && distinct == device);
    match unknown && before.is_none() {
        true => (None, distinct),
        false => (distinct, before.or(device)),
    }
}

/// What is set of the person: what is set once, and over it what is set.
fn traits(record: &Record<'_>, held: &Record<'_>) -> Option<String> {
    let of = |name: &str| record.object(name).or_else(|| held.object(name)).filter(|raw| raw != "{}");
    match (of("$set_once").or_else(|| of("set_once")), of("$set").or_else(|| of("set"))) {
        (None, found) | (found, None) => found,
        (Some(once), Some(set)) => {
            let mut traits: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&once).ok()?;
            traits.extend(serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&set).ok()?);
            Some(serde_json::Value::Object(traits).to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found = lines(text, &Terms::default()).unwrap_or_else(|says| vec![says]);
        let inside: Vec<String> = found.iter().map(|line| line.replace("{\"call\":", "")).collect();
        assert_eq!(inside, expected, "{text}");
    }

    #[test]
    fn events_are_tracks_and_what_they_set_is_told() {
        check(
            r#"{"uuid":"i","event":"opened","distinct_id":"u","timestamp":"2020-01-01","properties":{"$device_id":"d","$groups":{"company":"acme"},"$set":{"plan":"pro"}}}"#,
            &[
                r#"{"type":"track","userId":"u","anonymousId":"d","messageId":"i","timestamp":"2020-01-01T00:00:00.000000Z","context":{"groupId":"acme"},"event":"opened","properties":{"$device_id":"d","$groups":{"company":"acme"},"$set":{"plan":"pro"}}}}"#,
                r#"{"type":"identify","userId":"u","anonymousId":"d","messageId":"i","timestamp":"2020-01-01T00:00:00.000000Z","context":{"groupId":"acme"},"traits":{"plan":"pro"}}}"#,
            ],
        );
    }

    #[test]
    fn people_are_devices_until_they_are_identified() {
        check(
            r#"{"event":"$pageview","distinct_id":"d","timestamp":"2020-01-01","properties":"{\"$device_id\":\"d\"}"}"#,
            &[
                r#"{"type":"page","anonymousId":"d","timestamp":"2020-01-01T00:00:00.000000Z","properties":{"$device_id":"d"}}}"#,
            ],
        );
        check(
            r#"{"event":"$identify","distinct_id":"u","timestamp":"2020-01-01","properties":{"$anon_distinct_id":"d","$set_once":{"a":1,"b":1},"$set":{"b":2}}}"#,
            &[
                r#"{"type":"identify","userId":"u","anonymousId":"d","timestamp":"2020-01-01T00:00:00.000000Z","traits":{"a":1,"b":2},"properties":{"$anon_distinct_id":"d","$set_once":{"a":1,"b":1},"$set":{"b":2}}}}"#,
            ],
        );
    }

    #[test]
    fn groups_are_described() {
        check(
            r#"{"event":"$groupidentify","distinct_id":"x","timestamp":"2020-01-01","properties":{"$group_type":"company","$group_key":"acme","$group_set":{"seats":5}}}"#,
            &[
                r#"{"type":"group","groupId":"acme","anonymousId":"x","timestamp":"2020-01-01T00:00:00.000000Z","traits":{"seats":5},"properties":{"$group_type":"company","$group_key":"acme","$group_set":{"seats":5}}}}"#,
            ],
        );
        let team = r#"{"event":"$groupidentify","distinct_id":"x","timestamp":"2020-01-01","team_id":3,"properties":{"$group_type":"team","$group_key":"t"}}"#;
        let found = lines(team, &Terms { group: Some("company".to_owned()), ..Terms::default() }).unwrap();
        let kept = r#"{"call":{"type":"track","userId":"x","timestamp":"2020-01-01T00:00:00.000000Z","context":{"team_id":3},"event":"$groupidentify","properties":{"$group_type":"team","$group_key":"t"}}}"#;
        assert_eq!(found, [kept]);
        let terms = Terms::default();
        let both = r#"{"event":"e","distinct_id":"x","timestamp":"2020-01-01","properties":{"$groups":{"company":"acme","team":"t"}}}"#;
        assert!(!lines(both, &terms).unwrap()[0].contains("groupId"), "which one is the account is not known");
        assert_eq!(terms.groups.unclear(), 1);
        check(
            r#"{"event":"e","distinct_id":"x"}"#,
            &[
                "it has no timestamp; a line of PostHog's export is {\"event\":…,\"distinct_id\":…,\"timestamp\":…,\"properties\":{…}}",
            ],
        );
    }
}
