//! Amplitude's exports: archives of compressed files with one event a line.
//!
//! An event is a track of its user, or of its device where there is no user. What Amplitude knew of the user at that time
//! stands beside each event; it becomes an identify whenever it says something new. The account is a group.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    Terms, group_of,
    line::{Line, quoted},
    record::Record,
};

/// Users whose last properties are remembered; when there are more, all are forgotten and told once more.
const REMEMBERED_MAX: usize = 200_000;
/// Members that have a place of their own; the others are the context.
const PLACED: [&str; 9] = [
    "event_type",
    "event_properties",
    "user_properties",
    "user_id",
    "device_id",
    "event_time",
    "$insert_id",
    "uuid",
    "server_received_time",
];

/// What was last told of each user.
#[derive(Default)]
pub struct Told {
    properties: HashMap<u64, u64>,
}

impl Told {
    /// The lines of an event.
    pub fn lines(&mut self, text: &str, terms: &Terms) -> Result<Vec<String>, String> {
        let record = Record::read(text).ok_or("it is no JSON object")?;
        let form = "a line of Amplitude's export is {\"event_type\":…,\"event_time\":…,…}";
        let event = record.id("event_type").ok_or_else(|| format!("it has no event_type; {form}"))?;
        let at = record.instant("event_time").or_else(|| record.instant("client_event_time"));
        let at = at.ok_or_else(|| format!("it has no event_time; {form}"))?;
        let received_at = record.instant("server_received_time").or_else(|| record.instant("server_upload_time"));
        let (user, device) = (record.id("user_id"), record.id("device_id"));
        let message_id = record.id("$insert_id").or_else(|| record.id("uuid"));
        let groups = record.object("groups");
        let group = groups.as_deref().and_then(|groups| group_of(groups, terms));
        let begin = |line: Line| {
            let context = group.iter().map(|group| ("groupId", quoted(group)));
            let others = record.others(&PLACED).map(|(name, raw)| (name, raw.to_owned()));
            line.named("userId", user.as_deref())
                .named("anonymousId", device.as_deref())
                .named("messageId", message_id.as_deref())
                .at("timestamp", Some(at))
                .object("context", context.chain(others))
        };
        let properties = record.object("user_properties").filter(|raw| raw != "{}");
        let mut lines = Vec::with_capacity(2);
        match event.as_str() {
            "$identify" => {
                lines.push(begin(Line::call("identify")).given("traits", properties.as_deref()).received(received_at));
                return Ok(lines);
            }
            "$groupidentify" => {
                let group = group.as_deref().ok_or("it describes a group and names none in groups")?;
                let traits = groups.as_deref().and_then(|_| record.object("group_properties"));
                let line = begin(Line::call("group")).text("groupId", group).given("traits", traits.as_deref());
                lines.push(line.received(received_at));
                return Ok(lines);
            }
            _ => {}
        }
        if let Some(properties) = properties.filter(|raw| self.is_new(user.as_deref().or(device.as_deref()), raw)) {
            lines.push(begin(Line::call("identify")).raw("traits", &properties).received(received_at));
        }
        let track =
            Line::call("track").text("event", &event).given("properties", record.object("event_properties").as_deref());
        lines.push(begin(track).received(received_at));
        Ok(lines)
    }

    fn is_new(&mut self, who: Option<&str>, properties: &str) -> bool {
        let hash = |text: &str| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            hasher.finish()
        };
        if self.properties.len() >= REMEMBERED_MAX {
            self.properties.clear();
        }
        let now = hash(properties);
        self.properties.insert(hash(who.unwrap_or_default()), now) != Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(told: &mut Told, text: &str) -> Vec<String> {
        told.lines(text, &Terms::default()).unwrap()
    }

    #[test]
    fn an_event_is_a_track_and_tells_what_is_new_of_its_user() {
        let mut told = Told::default();
        let event = r#"{"event_type":"opened","event_time":"2020-12-01 09:00:00.000000","server_received_time":"2020-12-01 09:00:01.000000","user_id":"u","device_id":"d","$insert_id":"i","event_properties":{"n":1.0},"user_properties":{"plan":"pro"},"groups":{"company":["acme"]},"country":"DE","city":null}"#;
        let rest = r#""userId":"u","anonymousId":"d","messageId":"i","timestamp":"2020-12-01T09:00:00.000000Z","context":{"groupId":"acme","country":"DE","groups":{"company":["acme"]}}"#;
        let receipt = r#""receivedAt":"2020-12-01T09:00:01.000000Z""#;
        let track =
            format!(r#"{{{receipt},"call":{{"type":"track","event":"opened","properties":{{"n":1.0}},{rest}}}}}"#);
        let identify = format!(r#"{{{receipt},"call":{{"type":"identify",{rest},"traits":{{"plan":"pro"}}}}}}"#);
        let found = lines(&mut told, event);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], track);
        let sorted = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(sorted(&found[0]), sorted(&identify));
        assert_eq!(lines(&mut told, event), [track], "nothing new is told of the user");
    }

    #[test]
    fn groups_and_people_are_described() {
        let mut told = Told::default();
        let group = r#"{"event_type":"$groupidentify","event_time":"2020-12-01","groups":{"company":"acme"},"group_properties":{"seats":5}}"#;
        assert_eq!(
            lines(&mut told, group),
            [
                r#"{"call":{"type":"group","timestamp":"2020-12-01T00:00:00.000000Z","context":{"groupId":"acme","group_properties":{"seats":5},"groups":{"company":"acme"}},"groupId":"acme","traits":{"seats":5}}}"#
            ]
        );
        let two =
            r#"{"event_type":"e","event_time":"2020-12-01","user_id":"u","groups":{"company":"acme","team":"x"}}"#;
        let terms = Terms::default();
        assert!(!told.lines(two, &terms).unwrap()[0].contains("groupId"), "which one is the account is not known");
        assert_eq!(terms.groups.unclear(), 1);
        let says = told.lines(r#"{"event_type":"e"}"#, &Terms::default()).unwrap_err();
        assert!(says.contains("event_time"), "{says}");
    }
}
