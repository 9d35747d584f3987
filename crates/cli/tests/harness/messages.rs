//! Messages of every kind, each with a note of what a reader must see of it.
//!
//! Deterministic for a seed, apart from the shared counter that makes every `messageId` and every timestamp unique.
//! Timestamps run over months and are sent somewhat out of order. Never sends anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// 2024-01-01T00:00:00Z, in microseconds.
const FIRST_DAY_MICROS: i64 = 1_704_067_200_000_000;
/// How far apart the timestamps of consecutive messages are.
const STEP_MICROS: i64 = 20_000_000;

/// Traits that a message about a user of the crowd states, all of them new: with the old ones some 50 places in lists.
const CROWD_TRAITS: u64 = 24;
/// Users of the crowd that a sender talks about at one time.
const CROWD: u64 = 100;
/// The trait that every user of the crowd has.
pub const CROWD_TRAIT: &str = "crowd.0";

/// A kind of record that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Collection {
    Organizations,
    Accounts,
    Users,
}

impl Collection {
    pub const ALL: [Collection; 3] = [Collection::Organizations, Collection::Accounts, Collection::Users];

    /// Where the records of this kind are read.
    pub fn path(self) -> &'static str {
        match self {
            Collection::Organizations => "/resources/organizations",
            Collection::Accounts => "/resources/accounts",
            Collection::Users => "/resources/users",
        }
    }

    /// The field by which a message names a record of this kind.
    pub fn field(self) -> &'static str {
        match self {
            Collection::Organizations => "organizationId",
            Collection::Accounts => "accountId",
            Collection::Users => "userId",
        }
    }
}

/// Something that a reader must be able to see after the message was accepted.
#[derive(Clone, Debug)]
pub enum Fact {
    /// The message is an event; it stands on the timeline of every record that it names.
    Event { timelines: Vec<(Collection, String)> },
    /// A trait has this value, or none (`null`), unless a later message says otherwise.
    Trait { of: (Collection, String), key: String, value: Value },
    /// A user is linked to an account, or not any more, unless a later message says otherwise.
    Link { user: String, account: String, linked: bool },
}

/// One message and what it means.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub at_micros: i64,
    pub json: Value,
    pub facts: Vec<Fact>,
}

/// What tells a message from every other, and when it was.
struct Begun {
    number: u64,
    id: String,
    at_micros: i64,
}

impl Begun {
    fn saying(self, mut json: Value, facts: Vec<Fact>) -> Message {
        json["messageId"] = json!(self.id);
        json["timestamp"] = json!(text_of(self.at_micros, 6));
        Message { id: self.id, at_micros: self.at_micros, json, facts }
    }
}

/// Makes messages, each different from every other of the same counter.
pub struct Generator {
    sender: String,
    rng: StdRng,
    counter: Arc<AtomicU64>,
    /// How many users of the crowd there are so far.
    crowd: u64,
}

impl Generator {
    /// A generator for one sender. Users belong to their sender, accounts and organizations to all.
    pub fn new(sender: &str, seed: u64, counter: Arc<AtomicU64>) -> Generator {
        Generator { sender: sender.to_owned(), rng: StdRng::seed_from_u64(seed), counter, crowd: 0 }
    }

    /// The next message: most are events, the rest of every other kind.
    pub fn next(&mut self) -> Message {
        let begun = self.begin();
        let (number, id) = (begun.number, &begun.id);
        let (json, facts) = match self.rng.random_range(0..100) {
            0..70 => self.track(number, id),
            70..82 => self.user(number),
            82..90 => self.account(number),
            90..94 => self.organization(number),
            94..97 => self.unlink(),
            _ => self.instance(number),
        };
        begun.saying(json, facts)
    }

    fn begin(&mut self) -> Begun {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let lag = self.rng.random_range(0..500);
        let steps = number as i64 + 500 - lag;
        // The number's last digits keep two messages apart whose lags bring them to the same step.
        let at_micros = FIRST_DAY_MICROS + steps * STEP_MICROS + (number % 1000) as i64;
        Begun { number, id: format!("{}-{number}", self.sender), at_micros }
    }

    /// As many messages as asked for.
    pub fn batch(&mut self, size: usize) -> Vec<Message> {
        (0..size).map(|_| self.next()).collect()
    }

    /// As many messages about users of a crowd: hundreds, of whom some are new, and each message moves them in many lists.
    pub fn crowd(&mut self, size: usize) -> Vec<Message> {
        (0..size).map(|_| self.of_the_crowd()).collect()
    }

    fn of_the_crowd(&mut self) -> Message {
        if self.crowd < CROWD || self.rng.random_bool(0.05) {
            self.crowd += 1;
        }
        let user =
            format!("crowd-{}-{}", self.sender, self.rng.random_range(self.crowd.saturating_sub(CROWD)..self.crowd));
        let begun = self.begin();
        let (mut traits, mut facts) = (json!({}), Vec::new());
        for n in 0..CROWD_TRAITS {
            let key = format!("crowd.{n}");
            let value =
                if key != CROWD_TRAIT && self.rng.random_bool(0.1) { Value::Null } else { json!(begun.number + n) };
            traits[&key] = value.clone();
            facts.push(Fact::Trait { of: (Collection::Users, user.clone()), key, value });
        }
        let account = self.account_id();
        let json = json!({"type": "user", "userId": user, "accountId": account, "traits": traits});
        facts.push(Fact::Link { user, account, linked: true });
        begun.saying(json, facts)
    }

    fn track(&mut self, number: u64, id: &str) -> (Value, Vec<Fact>) {
        let mut json = json!({
            "type": "track",
            "event": format!("event-{}", number % 7),
            "properties": {"number": number, "check": check(id), "note": "n".repeat(self.rng.random_range(0..120))},
        });
        let mut timelines = Vec::new();
        let mut name = |json: &mut Value, collection: Collection, id: String| {
            json[collection.field()] = json!(id);
            timelines.push((collection, id));
        };
        let only_account = self.rng.random_bool(0.1);
        if !only_account {
            name(&mut json, Collection::Users, self.user_id());
        }
        if only_account || self.rng.random_bool(0.5) {
            name(&mut json, Collection::Accounts, self.account_id());
        }
        if self.rng.random_bool(0.1) {
            name(&mut json, Collection::Organizations, self.organization_id());
        }
        (json, vec![Fact::Event { timelines }])
    }

    fn user(&mut self, number: u64) -> (Value, Vec<Fact>) {
        let (user, account) = (self.user_id(), self.account_id());
        let (key, value) = self.a_trait(number);
        let json = json!({"type": "user", "userId": user, "accountId": account, "traits": {&key: &value}});
        let stated = Fact::Trait { of: (Collection::Users, user.clone()), key, value };
        (json, vec![stated, Fact::Link { user, account, linked: true }])
    }

    fn account(&mut self, number: u64) -> (Value, Vec<Fact>) {
        let (account, organization) = (self.account_id(), self.organization_id());
        let (key, value) = self.a_trait(number);
        let json = json!({
            "type": "account", "accountId": account, "organizationId": organization, "traits": {&key: &value},
        });
        (json, vec![Fact::Trait { of: (Collection::Accounts, account), key, value }])
    }

    fn organization(&mut self, number: u64) -> (Value, Vec<Fact>) {
        let organization = self.organization_id();
        let (key, value) = self.a_trait(number);
        let json = json!({"type": "organization", "organizationId": organization, "traits": {&key: &value}});
        (json, vec![Fact::Trait { of: (Collection::Organizations, organization), key, value }])
    }

    fn unlink(&mut self) -> (Value, Vec<Fact>) {
        let (user, account) = (self.user_id(), self.account_id());
        let json = json!({"type": "unlink", "userId": user, "accountId": account});
        (json, vec![Fact::Link { user, account, linked: false }])
    }

    fn instance(&mut self, number: u64) -> (Value, Vec<Fact>) {
        let json = json!({
            "type": "customobjectinstance", "externalId": format!("ticket-{}", number % 50),
            "customObjectId": "tickets", "accountId": self.account_id(), "traits": {"number": number},
        });
        (json, Vec::new())
    }

    fn a_trait(&mut self, number: u64) -> (String, Value) {
        let key = format!("trait.{}", self.rng.random_range(0..12));
        let value = if self.rng.random_bool(0.1) { Value::Null } else { json!(number) };
        (key, value)
    }

    fn user_id(&mut self) -> String {
        format!("user-{}-{}", self.sender, self.rng.random_range(0..4))
    }

    fn account_id(&mut self) -> String {
        format!("account-{}", self.rng.random_range(0..8))
    }

    fn organization_id(&mut self) -> String {
        format!("organization-{}", self.rng.random_range(0..3))
    }
}

/// An instant as a message carries it, with this many decimals; what is finer is cut off.
pub fn text_of(at_micros: i64, decimals: usize) -> String {
    let whole = if decimals == 3 { at_micros.div_euclid(1000) * 1000 } else { at_micros };
    let instant = jiff::Timestamp::from_microsecond(whole).expect("an instant of our time");
    format!("{instant:.decimals$}")
}

/// A digest of the `messageId` that travels with an event, so that mixed-up content shows.
fn check(id: &str) -> u32 {
    id.bytes().fold(2_166_136_261, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
}

/// A track of user `user` with nothing special about it.
pub fn track(user: &str, event: &str, message_id: &str) -> Value {
    json!({
        "type": "track", "userId": user, "event": event, "properties": {"of": message_id},
        "messageId": message_id, "timestamp": "2024-05-01T10:00:00.000Z",
    })
}
