//! Messages by number: what is in the n-th one, and where its digits stand in a request.
//!
//! The stream of one connection is a function of its number: batch `b`, place `s` always has the same content, so
//! nothing has to be remembered to know later what was sent. Requests are laid out once with digits of fixed width;
//! before each sending only the digits are patched. Every message has exactly [`MESSAGE_BYTES`] bytes; of 100, about
//! 70 are tracks, 20 users, 7 accounts and 3 organizations. Message ids look random, as senders' UUIDs do, so that
//! nothing compresses better here than it would in earnest.
//!
//! [`MESSAGE_BYTES`]: crate::commands::bench::workload::MESSAGE_BYTES

use muster_model::time::Micros;

/// Bytes of every message.
pub const MESSAGE_BYTES: usize = 246;
/// Different requests of one connection; their fixed words differ.
const TEMPLATES: u64 = 8;
/// Between the timestamps of two messages of one connection.
const STEP_MILLIS: u64 = 250;
const DAY_MILLIS: u64 = 86_400_000;

/// What the messages of a run have in common.
#[derive(Clone, Debug)]
pub struct Shape {
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
}

/// The kinds in the workload, in order of frequency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Track,
    User,
    Account,
    Organization,
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
        let kind = kind_of(self.template(origin), place);
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
        let millis = self.shape.start_millis + at * STEP_MILLIS + other % STEP_MILLIS;
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

/// Where the changing digits of one message stand.
#[derive(Default)]
struct Place {
    id: usize,
    time: usize,
    users: Vec<usize>,
    accounts: Vec<usize>,
    organizations: Vec<usize>,
    numbers: Vec<usize>,
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
                places.push(lay_out(&tag, number, place, &mut body));
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
            spots.patch(&mut template.bytes, &content, &mut self.dates);
        }
        (&template.bytes, again)
    }
}

impl Place {
    fn move_by(&mut self, by: usize) {
        self.id += by;
        self.time += by;
        for spots in [&mut self.users, &mut self.accounts, &mut self.organizations, &mut self.numbers] {
            spots.iter_mut().for_each(|spot| *spot += by);
        }
    }

    fn patch(&self, bytes: &mut [u8], content: &Content, dates: &mut Dates) {
        write_uuid(&mut bytes[self.id..self.id + 36], content.id);
        dates.write(&mut bytes[self.time..self.time + 24], content.millis);
        for (spots, number, digits) in [
            (&self.users, content.user, 8),
            (&self.accounts, content.account, 8),
            (&self.organizations, content.organization, 8),
            (&self.numbers, content.number, 4),
        ] {
            for spot in spots {
                write_digits(&mut bytes[*spot..*spot + digits], u64::from(number));
            }
        }
    }
}

/// The kind at a place of a template. Fixed, so that a template's text never changes its length.
fn kind_of(template: u64, place: u32) -> Kind {
    match mix((template << 20) ^ u64::from(place)) % 100 {
        0..70 => Kind::Track,
        70..90 => Kind::User,
        90..97 => Kind::Account,
        _ => Kind::Organization,
    }
}

/// Appends one message; `@u`, `@a`, `@o`, `@n`, `@i`, `@t` in its pattern stand for changing digits, `@f` for a filling.
fn lay_out(tag: &str, template: u64, place: u32, body: &mut Vec<u8>) -> Place {
    let dice = mix(mix((template << 20) ^ u64::from(place)));
    let word = |shift: u32, words: &[&'static str]| words[(dice >> shift) as usize % words.len()];
    let pattern = match kind_of(template, place) {
        Kind::Track => {
            let account = if dice.is_multiple_of(2) { format!(r#""accountId":"{tag}-@a","#) } else { String::new() };
            let event = word(
                8,
                &[
                    "report-viewed",
                    "report-exported",
                    "invite-sent",
                    "login",
                    "search",
                    "file-uploaded",
                    "comment-added",
                ],
            );
            let plan = word(16, &["free", "team", "business", "enterprise"]);
            format!(
                r#"{{"type":"track","userId":"{tag}-@u",{account}"event":"{event}","messageId":"@i","timestamp":"@t","properties":{{"took":@n,"plan":"{plan}","at":"@f"}}}}"#
            )
        }
        Kind::User => {
            let role = word(8, &["admin", "editor", "viewer", "owner"]);
            format!(
                r#"{{"type":"user","userId":"{tag}-@u","accountId":"{tag}-@a","messageId":"@i","timestamp":"@t","traits":{{"role":"{role}","email":"@u@example.com","logins":@n,"t":"@f"}}}}"#
            )
        }
        Kind::Account => {
            let plan = word(8, &["free", "team", "business", "enterprise"]);
            format!(
                r#"{{"type":"account","accountId":"{tag}-@a","organizationId":"{tag}-@o","messageId":"@i","timestamp":"@t","traits":{{"plan":"{plan}","seats":@n,"city":"@f"}}}}"#
            )
        }
        Kind::Organization => {
            let region = word(8, &["emea", "amer", "apac"]);
            format!(
                r#"{{"type":"organization","organizationId":"{tag}-@o","messageId":"@i","timestamp":"@t","traits":{{"region":"{region}","revenue":@n,"remark":"@f"}}}}"#
            )
        }
    };
    write_pattern(&pattern, dice, body)
}

fn write_pattern(pattern: &str, dice: u64, body: &mut Vec<u8>) -> Place {
    const MARKS: [(u8, usize); 6] = [(b'u', 8), (b'a', 8), (b'o', 8), (b'n', 4), (b'i', 36), (b't', 24)];
    let width = |mark: u8| MARKS.iter().find(|(known, _)| *known == mark).map(|(_, width)| *width);
    let marks = pattern.split('@').skip(1).filter_map(|rest| width(*rest.as_bytes().first()?));
    let marked: usize = marks.map(|width| width - 2).sum();
    let filling = MESSAGE_BYTES.saturating_sub(pattern.len() - 2 + marked);
    let mut spots = Place::default();
    let mut rest = pattern.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let spot = body.len();
        match (byte, after.first().copied()) {
            (b'@', Some(b'f')) => {
                body.extend_from_slice(&fill(filling, dice));
                rest = &after[1..];
                continue;
            }
            // The sign in an address is followed by a letter that is no mark.
            (b'@', Some(mark)) if width(mark).is_some() => {
                body.extend(std::iter::repeat_n(b'0', width(mark).unwrap_or(0)));
                rest = &after[1..];
                match mark {
                    b'u' => spots.users.push(spot),
                    b'a' => spots.accounts.push(spot),
                    b'o' => spots.organizations.push(spot),
                    b'n' => spots.numbers.push(spot),
                    b'i' => spots.id = spot,
                    _ => spots.time = spot,
                }
            }
            _ => {
                body.push(*byte);
                rest = after;
            }
        }
    }
    spots
}

/// Words of an exact length in all.
fn fill(length: usize, dice: u64) -> Vec<u8> {
    const WORDS: [&str; 8] = ["north", "harbour", "seven", "ledger", "maple", "window", "quarter", "signal"];
    let words = (0..).map(|at| WORDS[(mix(dice ^ at) % 8) as usize]);
    let mut text: Vec<u8> = words.flat_map(|word| word.bytes().chain([b' '])).take(length).collect();
    if text.last() == Some(&b' ') {
        text.pop();
        text.push(b's');
    }
    text
}

/// A 64-bit mix (the finalizer of splitmix64): every bit of the result depends on every bit of the number.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
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

    use super::*;

    fn shape(batch: u32, duplicates: u8) -> Shape {
        Shape { accounts: 100, users: 1_000, batch, duplicates, nonce: 7, start_millis: 1_767_225_600_000 }
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
        for connection in 0..16 {
            let mut requests = Requests::new(Stream::new(&shape(100, 0), connection), "h", "t");
            for batch in 0..TEMPLATES {
                let (bytes, _) = requests.request(batch);
                let text = std::str::from_utf8(bytes).unwrap();
                let body = text.split_once("\r\n\r\n").unwrap().1;
                assert_eq!(body.len(), 1 + 100 * (MESSAGE_BYTES + 1));
                let raw: Vec<&serde_json::value::RawValue> = serde_json::from_str(body).unwrap();
                assert!(raw.iter().all(|message| message.get().len() == MESSAGE_BYTES));
            }
        }
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
