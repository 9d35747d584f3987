//! Messages by number: what is in the n-th one, and where its digits stand in a request.
//!
//! The stream of one connection is a function of its number: batch `b`, place `s` always has the same content, so
//! nothing has to be remembered to know later what was sent. Requests are laid out once with digits of fixed width;
//! before each sending only the digits are patched. Every message has exactly as many bytes as every other; of 100,
//! about 70 are tracks, 20 users, 7 accounts and 3 organizations unless another [`Mix`] is asked for. Message ids look
//! random, as senders' UUIDs do, so that nothing compresses better here than it would in earnest.
//!
//! [`Mix`]: crate::commands::bench::pattern::Mix

use muster_model::time::Micros;

use super::pattern::{Kind, Mix, Place, kind_of, lay_out, mix};

/// Different requests of one connection; their fixed words differ.
const TEMPLATES: u64 = 8;
/// Between the timestamps of two messages of one connection.
const STEP_MILLIS: u64 = 250;
const DAY_MILLIS: u64 = 86_400_000;

/// What the messages of a run have in common.
#[derive(Clone, Debug)]
pub struct Shape {
    pub mix: Mix,
    /// Bytes of every message.
    pub message_bytes: usize,
    pub accounts: u32,
    pub users: u32,
    /// Messages a request.
    pub batch: u32,
    /// Percent of messages that were sent before.
    pub duplicates: u8,
    /// Makes the ids of this run differ from every other run's.
    pub nonce: u64,
    /// The timestamp of the first message, in milliseconds since 1970.
    pub start_millis: u64,
    /// When above 0, timestamps lie anywhere in so many days after the start instead of moving forward.
    pub days: u32,
}

/// The content of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    pub kind: Kind,
    pub user: u32,
    pub account: u32,
    pub organization: u32,
    /// A number in its properties or traits, of four digits.
    pub number: u32,
    pub id: [u64; 2],
    pub millis: u64,
    /// Whether the same message was sent before by the same connection.
    pub again: bool,
}

/// The stream of one connection.
#[derive(Clone, Debug)]
pub struct Stream {
    shape: Shape,
    connection: u64,
}

impl Shape {
    /// Stands in front of every external id, so that two runs against one server never meet.
    fn tag(&self) -> String {
        format!("{:04x}", self.nonce & 0xffff)
    }

    /// How far so many messages of one connection move its timestamps.
    pub fn span_millis(messages: u64) -> u64 {
        messages * STEP_MILLIS
    }

    /// A user's external id.
    pub fn user_id(&self, user: u32) -> String {
        format!("{}-{user:08}", self.tag())
    }
}

impl Stream {
    pub fn new(shape: &Shape, connection: u32) -> Stream {
        Stream { shape: shape.clone(), connection: u64::from(connection) }
    }

    /// What its messages have in common with those of others.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The message at a place of a batch.
    pub fn content(&self, batch: u64, place: u32) -> Content {
        let (origin, again) = self.origin(batch, place);
        let at = origin * u64::from(self.shape.batch) + u64::from(place);
        let random = mix(self.shape.nonce ^ mix((self.connection << 40) ^ at));
        let other = mix(random);
        let kind = kind_of(self.shape.mix, self.template(origin), place);
        let pick = |bits: u64, count: u32| u32::try_from(bits % u64::from(count.max(1))).unwrap_or(0);
        let user = pick(random >> 20, self.shape.users);
        let account = match kind {
            Kind::Account => pick(random >> 8, self.shape.accounts),
            // A user stays with one account.
            _ => pick(mix(u64::from(user)), self.shape.accounts),
        };
        let organizations = self.shape.accounts / 10;
        let organization = match kind {
            Kind::Organization => pick(random >> 12, organizations),
            _ => pick(u64::from(account), organizations),
        };
        let number = 1_000 + pick(other >> 32, 9_000);
        let since_start = match u64::from(self.shape.days) * DAY_MILLIS {
            0 => at * STEP_MILLIS + other % STEP_MILLIS,
            span => mix(other) % span,
        };
        let millis = self.shape.start_millis + since_start;
        Content { kind, user, account, organization, number, id: [random, other], millis, again }
    }

    /// The batch in which this place was first filled with this message: an earlier one of the same template.
    fn origin(&self, batch: u64, place: u32) -> (u64, bool) {
        let mut origin = batch;
        if self.shape.duplicates == 0 {
            return (batch, false);
        }
        loop {
            let dice = mix(self.shape.nonce ^ mix(!((self.connection << 40) ^ (origin * 101 + u64::from(place)))));
            let rounds_before = origin / TEMPLATES;
            if rounds_before == 0 || dice % 100 >= u64::from(self.shape.duplicates) {
                return (origin, origin != batch);
            }
            origin -= TEMPLATES * (1 + (dice >> 32) % rounds_before.min(64));
        }
    }

    fn template(&self, batch: u64) -> u64 {
        self.connection * TEMPLATES + batch % TEMPLATES
    }
}

/// The prepared requests of one connection.
pub struct Requests {
    stream: Stream,
    templates: Vec<Template>,
    dates: Dates,
}

struct Template {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

impl Requests {
    /// Requests to a host with a token.
    pub fn new(stream: Stream, host: &str, token: &str) -> Requests {
        let tag = stream.shape.tag();
        let template = |number: u64| {
            let mut body = Vec::new();
            let mut places = Vec::new();
            for place in 0..stream.shape.batch {
                body.push(if place == 0 { b'[' } else { b',' });
                let number = stream.connection * TEMPLATES + number;
                let kind = kind_of(stream.shape.mix, number, place);
                places.push(lay_out(&tag, (kind, stream.shape.message_bytes), (number, place), &mut body));
            }
            body.push(b']');
            let head = format!(
                "POST /analytics/v1/batch HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            for place in &mut places {
                place.move_by(head.len());
            }
            let mut bytes = head.into_bytes();
            bytes.extend_from_slice(&body);
            Template { bytes, places }
        };
        let templates = (0..TEMPLATES).map(template).collect();
        Requests { stream, templates, dates: Dates::default() }
    }

    /// The bytes of a batch's request, and how many of its messages were sent before.
    pub fn request(&mut self, batch: u64) -> (&[u8], u64) {
        let index = usize::try_from(batch % TEMPLATES).unwrap_or(0);
        let template = &mut self.templates[index];
        let mut again = 0;
        for (place, spots) in (0_u32..).zip(&template.places) {
            let content = self.stream.content(batch, place);
            again += u64::from(content.again);
            patch(spots, &mut template.bytes, &content, &mut self.dates);
        }
        (&template.bytes, again)
    }
}

fn patch(place: &Place, bytes: &mut [u8], content: &Content, dates: &mut Dates) {
    write_uuid(&mut bytes[place.id..place.id + 36], content.id);
    dates.write(&mut bytes[place.time..place.time + 24], content.millis);
    for (spots, number, digits) in [
        (&place.users, content.user, 8),
        (&place.accounts, content.account, 8),
        (&place.organizations, content.organization, 8),
        (&place.numbers, content.number, 4),
    ] {
        for spot in spots {
            write_digits(&mut bytes[*spot..*spot + digits], u64::from(number));
        }
    }
}

/// The text of a message id.
pub fn uuid_text(id: [u64; 2]) -> String {
    let mut text = [0; 36];
    write_uuid(&mut text, id);
    String::from_utf8_lossy(&text).into_owned()
}

fn write_uuid(out: &mut [u8], id: [u64; 2]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut at = 0;
    for byte in id.iter().flat_map(|half| half.to_be_bytes()) {
        if matches!(at, 8 | 13 | 18 | 23) {
            out[at] = b'-';
            at += 1;
        }
        out[at] = HEX[usize::from(byte >> 4)];
        out[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
}

fn write_digits(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Dates as text; one per day is worked out, the rest is arithmetic.
#[derive(Default)]
struct Dates {
    day: u64,
    text: Vec<u8>,
}

impl Dates {
    /// Writes `2026-01-31T23:59:59.999Z`.
    fn write(&mut self, out: &mut [u8], millis: u64) {
        let (day, of_day) = (millis / DAY_MILLIS, millis % DAY_MILLIS);
        if self.text.is_empty() || self.day != day {
            let midnight = Micros(i64::try_from(day * DAY_MILLIS * 1_000).unwrap_or(0));
            (self.day, self.text) = (day, midnight.to_millis_text().into_bytes());
        }
        out.copy_from_slice(&self.text);
        let seconds = of_day / 1_000;
        write_digits(&mut out[11..13], seconds / 3_600);
        write_digits(&mut out[14..16], seconds / 60 % 60);
        write_digits(&mut out[17..19], seconds % 60);
        write_digits(&mut out[20..23], of_day % 1_000);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::Value;

    use super::{super::pattern::MESSAGE_BYTES_MIN, *};

    fn shape(batch: u32, duplicates: u8) -> Shape {
        let (mix, message_bytes, days) = (Mix::Mixed, MESSAGE_BYTES_MIN, 0);
        let start_millis = 1_767_225_600_000;
        Shape { mix, message_bytes, accounts: 100, users: 1_000, batch, duplicates, nonce: 7, start_millis, days }
    }

    fn messages(requests: &mut Requests, batch: u64) -> Vec<Value> {
        let (bytes, _) = requests.request(batch);
        let text = std::str::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn requests_hold_what_the_stream_says() {
        let shape = shape(100, 0);
        let stream = Stream::new(&shape, 3);
        let mut requests = Requests::new(stream.clone(), "h", "t");
        let mut kinds: HashMap<String, usize> = HashMap::new();
        for batch in [0, 1, 7, 8, 4_000_000] {
            for (place, message) in (0..).zip(messages(&mut requests, batch)) {
                let content = stream.content(batch, place);
                assert_eq!(message["messageId"], uuid_text(content.id));
                assert_eq!(message["timestamp"], Micros(content.millis as i64 * 1_000).to_millis_text());
                let text = |key: &str| message[key].as_str().map(str::to_owned);
                if matches!(content.kind, Kind::Track | Kind::User) {
                    assert_eq!(text("userId"), Some(shape.user_id(content.user)));
                }
                if let Some(account) = text("accountId") {
                    assert_eq!(account, format!("0007-{:08}", content.account));
                }
                if content.kind == Kind::User {
                    assert_eq!(message["traits"]["email"], format!("{:08}@example.com", content.user));
                }
                *kinds.entry(text("type").unwrap()).or_default() += 1;
            }
        }
        assert!((300..400).contains(&kinds["track"]), "{kinds:?}");
        assert!(kinds["user"] > 60 && kinds["account"] > 15 && kinds["organization"] > 3, "{kinds:?}");
    }

    #[test]
    fn every_message_has_its_bytes() {
        for (connection, mix) in (0..16).zip([Mix::Mixed, Mix::Profiles, Mix::Tracks].into_iter().cycle()) {
            let message_bytes = if connection % 2 == 0 { MESSAGE_BYTES_MIN } else { 2_048 };
            let shape = Shape { mix, message_bytes, ..shape(100, 0) };
            let mut requests = Requests::new(Stream::new(&shape, connection), "h", "t");
            for batch in 0..TEMPLATES {
                let (bytes, _) = requests.request(batch);
                let text = std::str::from_utf8(bytes).unwrap();
                let body = text.split_once("\r\n\r\n").unwrap().1;
                assert_eq!(body.len(), 1 + 100 * (message_bytes + 1));
                let raw: Vec<&serde_json::value::RawValue> = serde_json::from_str(body).unwrap();
                assert!(raw.iter().all(|message| message.get().len() == message_bytes));
            }
        }
    }

    #[test]
    fn a_blend_holds_what_it_says_and_a_history_spreads_over_its_days() {
        let count = |blend, kind| (0..1_000).filter(|place| kind_of(blend, 3, *place) == kind).count();
        assert_eq!(count(Mix::Tracks, Kind::Track), 1_000);
        assert!((550..650).contains(&count(Mix::Profiles, Kind::User)));
        let shape = Shape { days: 90, ..shape(100, 0) };
        let stream = Stream::new(&shape, 0);
        let days = |content: Content| (content.millis - shape.start_millis) / DAY_MILLIS;
        let seen: std::collections::BTreeSet<u64> = (0..50).map(|place| days(stream.content(1, place))).collect();
        assert!(seen.len() > 30 && seen.iter().all(|day| *day < 90), "{seen:?}");
    }

    #[test]
    fn repetitions_are_the_same_message_and_as_many_as_asked() {
        let shape = shape(10, 30);
        let mut requests = Requests::new(Stream::new(&shape, 0), "h", "t");
        let mut seen: HashMap<String, Value> = HashMap::new();
        let (mut repeated, mut told) = (0, 0);
        for batch in 0..400 {
            told += requests.request(batch).1;
            for message in messages(&mut requests, batch) {
                if let Some(before) = seen.insert(message["messageId"].to_string(), message.clone()) {
                    assert_eq!(before, message);
                    repeated += 1;
                }
            }
        }
        assert_eq!(repeated, told);
        assert!((1_000..1_400).contains(&repeated), "{repeated} of 4000");
    }

    #[test]
    fn streams_of_other_connections_and_runs_differ() {
        let (one, other) = (shape(1, 0), Shape { nonce: 8, ..shape(1, 0) });
        let id = |shape: &Shape, connection| Stream::new(shape, connection).content(0, 0).id;
        assert_ne!(id(&one, 0), id(&one, 1));
        assert_ne!(id(&one, 0), id(&other, 0));
        assert_eq!(id(&one, 0), id(&one, 0));
    }
}
