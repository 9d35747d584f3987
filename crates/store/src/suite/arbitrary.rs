//! Random messages and random arrivals of them.
//!
//! Few ids, few instants and few keys, so that messages meet in every way the rules speak of: shared and missing ids,
//! nulls and empty strings, unlinks before links, equal timestamps in different spellings, late parents, missing
//! `messageId`s, clocks that run ahead, messages that break a rule. Everything shrinks: a failing arrival is cut down to
//! the few messages that matter.

use std::{
    collections::HashSet,
    fmt::{Debug, Display},
    hash::{BuildHasher, RandomState},
};

use muster_model::{
    deletion::{DeletionId, Part, Subject},
    id::IdSpace,
    kind::RecordKind,
    ties::Stretch,
    time::Micros,
};
use proptest::{
    collection::{SizeRange, vec},
    option,
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, RngSeed, TestCaseError, TestRng, TestRunner},
};

use crate::deletion::{Decree, Delete};

use super::{Sent, desk::START, sent::Sameness};

/// Messages, and how they arrive.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Every message once, in no particular order.
    pub sent: Vec<Sent>,
    /// Deletions, each once.
    pub decrees: Vec<Decree>,
    pub steps: Vec<Step>,
}

/// One thing that happens to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Messages arrive in one batch, by their places in [`Arrival::sent`].
    Batch(Vec<usize>),
    /// A deletion, by its place in [`Arrival::decrees`].
    Decree(usize),
    Settle,
    Reopen,
    Recover,
}

/// What an arrival may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Messages of one identity with different content, or received at different instants. Which of them stands is
    /// decided by arrival, and so is everything that follows from it.
    pub conflicts: bool,
    /// All messages are received at one instant, so that no time of receipt tells in which order they came.
    pub one_receipt: bool,
}

impl Shape {
    /// What any order must leave the same, but for `createdAt` and `updatedAt`.
    pub const ORDERLESS: Shape = Shape { conflicts: false, one_receipt: false };
    /// What any order must leave the same to the last byte.
    pub const TIMELESS: Shape = Shape { conflicts: false, one_receipt: true };
    /// Everything; equal only between stores that are given it in one order.
    pub const ANY: Shape = Shape { conflicts: true, one_receipt: false };
}

/// Arrivals of so many messages: in any order, each one to three times, in batches of any size, with the store settled,
/// closed and abandoned at any point.
pub fn arrivals(messages: impl Into<SizeRange>, shape: Shape) -> impl Strategy<Value = Arrival> {
    let delivery = (any::<u16>(), select(&PAUSES[..]));
    vec((message(), vec(delivery, 1..=3)), messages).prop_map(move |posted| Arrival::of(posted, shape))
}

/// The same with a number by which whoever checks may choose what else happens.
pub fn arrivals_with_a_choice(messages: impl Into<SizeRange>) -> impl Strategy<Value = (Arrival, u64)> {
    (arrivals(messages, Shape::ORDERLESS), any::<u64>())
}

/// Where a deletion stands, of what, its instant in seconds, and stretches of anonymous ids.
type Wished = (u16, Vec<(RecordKind, &'static str)>, i64, Vec<(&'static str, (i64, i64))>);

fn part(ids: IdSpace, name: &str, (first, length): (i64, i64)) -> Part {
    let at = |seconds: i64| START.plus_micros(seconds * 1_000_000);
    let first = if first == 0 { Micros::MIN } else { at(first) };
    let stretch = Stretch { first, last: at(length).max(first) };
    Part { anonymous: ids.record(RecordKind::Anonymous, name), stretch }
}

/// The same with up to so many deletions at any points.
pub fn arrivals_with_deletions(messages: impl Into<SizeRange>, deletions_max: usize) -> impl Strategy<Value = Arrival> {
    let stretches = vec((select(&["x1", "x2"][..]), (select(&RECEIPTS[..]), select(&RECEIPTS[..]))), 0..2);
    let subjects = vec(select(&SUBJECTS[..]), 1..3);
    let decrees = vec((any::<u16>(), subjects, select(&RECEIPTS[..]), stretches), 1..=deletions_max);
    (arrivals(messages, Shape::ORDERLESS), decrees).prop_map(|(arrival, decrees)| {
        let ids = IdSpace::new("default");
        let decree = |(number, wished): (usize, Wished)| {
            let (place, names, seconds, stretches) = wished;
            let subjects: Vec<Subject> = names.iter().map(|(kind, name)| (*kind, ids.record(*kind, name))).collect();
            let requested_at = START.plus_micros(number as i64);
            let at = START.plus_micros(seconds * 1_000_000);
            let id = DeletionId::of(subjects[0], requested_at);
            let parts: Vec<Part> = stretches.iter().map(|(name, stretch)| part(ids, name, *stretch)).collect();
            (place, Decree::Delete(Delete { id, root: subjects[0], requested_at, key_id: 1, at, subjects, parts }))
        };
        let decrees = decrees.into_iter().enumerate().map(decree).collect();
        arrival.with_decrees(decrees)
    })
}

/// The arrival that a seed stands for, always the same one.
#[must_use]
pub fn sample(seed: u64, messages: usize, shape: Shape) -> Arrival {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let tree = arrivals(messages, shape).new_tree(&mut runner);
    tree.expect("these strategies reject nothing").current()
}

/// Checks many random arrivals, each of up to so many messages. Panics with the smallest arrival found to fail.
///
/// The seed is printed; `PROPTEST_RNG_SEED` sets it, and `PROPTEST_CASES` the number of arrivals.
pub fn for_all<E: Display>(cases: u32, messages_max: usize, shape: Shape, check: impl Fn(&Arrival) -> Result<(), E>) {
    for_each(cases, messages_max, arrivals(1..=messages_max, shape), check);
}

/// The same for arrivals of any kind; `size` only sets the first seed apart.
pub fn for_each<A: Debug, E: Display>(
    cases: u32,
    size: usize,
    arrivals: impl Strategy<Value = A>,
    check: impl Fn(&A) -> Result<(), E>,
) {
    let mut config = Config { failure_persistence: None, max_shrink_iters: 4_096, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().hash_one(size),
    };
    config.rng_seed = RngSeed::Fixed(seed);
    let checked = TestRunner::new(config)
        .run(&arrivals, |arrival| check(&arrival).map_err(|difference| TestCaseError::fail(difference.to_string())));
    if let Err(failed) = checked {
        panic!("PROPTEST_RNG_SEED={seed}: {failed}");
    }
}

/// What follows a delivery; mostly the next one in the same batch.
const PAUSES: [Pause; 12] = [
    Pause::Same,
    Pause::Same,
    Pause::Same,
    Pause::Same,
    Pause::Next,
    Pause::Next,
    Pause::Next,
    Pause::Next,
    Pause::Next,
    Pause::Settle,
    Pause::Reopen,
    Pause::Recover,
];

#[derive(Clone, Copy, Debug)]
enum Pause {
    Same,
    Next,
    Settle,
    Reopen,
    Recover,
}

impl Arrival {
    fn of(posted: Vec<(Sent, Vec<(u16, Pause)>)>, shape: Shape) -> Self {
        let ids = IdSpace::new("default");
        let mut known: HashSet<Sameness> = HashSet::new();
        let (mut sent, mut deliveries) = (Vec::new(), Vec::new());
        for (mut message, times) in posted {
            if shape.one_receipt {
                message.received_at = START;
            }
            if known.insert(message.sameness(ids)) || shape.conflicts {
                deliveries.extend(times.into_iter().map(|(place, pause)| (place, sent.len(), pause)));
                sent.push(message);
            }
        }
        deliveries.sort_by_key(|(place, number, _)| (*place, *number));
        let mut steps = Vec::new();
        let mut batch = Vec::new();
        for (_, number, pause) in deliveries {
            batch.push(number);
            let then = match pause {
                Pause::Same => continue,
                Pause::Next => None,
                Pause::Settle => Some(Step::Settle),
                Pause::Reopen => Some(Step::Reopen),
                Pause::Recover => Some(Step::Recover),
            };
            steps.push(Step::Batch(std::mem::take(&mut batch)));
            steps.extend(then);
        }
        if !batch.is_empty() {
            steps.push(Step::Batch(batch));
        }
        Arrival { sent, decrees: Vec::new(), steps }
    }

    /// The same with deletions among the steps.
    #[must_use]
    pub fn with_decrees(mut self, decrees: Vec<(u16, Decree)>) -> Arrival {
        for (place, decree) in decrees {
            let place = usize::from(place) % (self.steps.len() + 1);
            self.steps.insert(place, Step::Decree(self.decrees.len()));
            self.decrees.push(decree);
        }
        self
    }

    /// The messages of [`Arrival::plain`] after all deletions.
    #[must_use]
    pub fn decrees_first(&self) -> Arrival {
        let decrees = (0..self.decrees.len()).map(Step::Decree);
        let steps = decrees.chain(self.plain().steps.into_iter().take(self.sent.len())).collect();
        Arrival { steps, ..self.clone() }
    }

    /// The same messages, one a batch in the order in which they are listed, once each, and then the deletions.
    #[must_use]
    pub fn plain(&self) -> Arrival {
        let messages = (0..self.sent.len()).map(|number| Step::Batch(vec![number]));
        let steps = messages.chain((0..self.decrees.len()).map(Step::Decree)).collect();
        Arrival { steps, ..self.clone() }
    }
}

/// What may be deleted.
const SUBJECTS: [(RecordKind, &str); 11] = [
    (RecordKind::Anonymous, "x1"),
    (RecordKind::Anonymous, "x2"),
    (RecordKind::User, "u1"),
    (RecordKind::User, "u2"),
    (RecordKind::User, "u3"),
    (RecordKind::User, "5"),
    (RecordKind::Account, "a1"),
    (RecordKind::Account, "a2"),
    (RecordKind::Account, "5"),
    (RecordKind::Organization, "o1"),
    (RecordKind::Organization, "o2"),
];
const USERS: [Option<&str>; 9] = [
    Some(r#""u1""#),
    Some(r#""u2""#),
    Some(r#""u1""#),
    Some(r#""u3""#),
    Some("5"),
    Some(r#""5""#),
    Some(r#"" u2 ""#),
    Some("null"),
    None,
];
const ANONYMOUS: [Option<&str>; 6] =
    [Some(r#""x1""#), Some(r#""x2""#), Some(r#""x1""#), Some(r#""x3""#), Some("7"), Some("[]")];
const ACCOUNTS: [Option<&str>; 9] = [
    Some(r#""a1""#),
    Some(r#""a2""#),
    Some(r#""a3""#),
    Some(r#""\u0061\u0031""#),
    Some("5"),
    Some(r#""a2""#),
    Some(r#""""#),
    Some("null"),
    None,
];
const ORGANIZATIONS: [Option<&str>; 7] =
    [None, Some(r#""o1""#), Some(r#""o2""#), Some(r#""o3""#), Some("5"), Some("null"), Some(r#""""#)];
const OBJECTS: [Option<&str>; 5] = [
    Some(r#""t1""#),
    Some(r#""t2""#),
    Some("5"),
    Some(r#""9c1d8f4e-0000-8000-8000-000000000001""#),
    Some(r#""9C1D8F4E-0000-8000-8000-000000000001""#),
];
const EVENTS: [Option<&str>; 5] = [Some(r#""view""#), Some(r#""click""#), Some(r#""buy""#), Some(r#""a b""#), None];
const NAMES: [Option<&str>; 4] = [None, Some(r#""Ada""#), Some(r#""Bea""#), Some("null")];
const INSTANTS: [Option<&str>; 16] = [
    Some(r#""2024-03-01T00:01:00.000Z""#),
    Some(r#""2024-03-01T01:01:00+01:00""#),
    Some(r#""2024-03-01T00:02:00.000Z""#),
    Some(r#""2024-03-01T00:02:00""#),
    Some(r#""2024-03-01T00:02:00.000001Z""#),
    Some(r#""2024-03-01T00:03:00.000Z""#),
    Some(r#""2024-03-01""#),
    Some(r#""2024-02-29T23:59:59.999Z""#),
    Some(r#""2023-06-15T12:00:00.000Z""#),
    Some(r#""1969-12-31T23:59:59.999Z""#),
    Some(r#""2024-03-01T00:05:00.000Z""#),
    Some(r#""2024-03-01T00:20:00.000Z""#),
    Some(r#""2999-01-01T00:00:00.000Z""#),
    Some("null"),
    None,
    None,
];
const TRAITS: [&str; 22] = [
    r#""score":0"#,
    r#""score":7"#,
    r#""score":10"#,
    r#""score":null"#,
    r#""respondedAt":"2024-02-01T00:00:00Z""#,
    r#""respondedAt":"2024-02-02T00:00:00Z""#,
    r#""plan":"pro""#,
    r#""plan":"free""#,
    r#""plan":null"#,
    r#""name":"Ada""#,
    r#""name":"Bea""#,
    r#""a.b":{"c":[1,{"d":null}]}"#,
    r#""a.b":{}"#,
    r#""a.b":null"#,
    r#""n":1"#,
    r#""n":2.50"#,
    r#""n":"2""#,
    r#""day":"2024-01-05""#,
    r#""day":"2024-02-05T00:00:00Z""#,
    r#""email":"Ada@Mail.Example.com""#,
    r#""email":"bea@example.com""#,
    r#""email":null"#,
];
/// Seconds after the first instant; the last ones lie around the bound on clocks that run ahead.
const RECEIPTS: [i64; 8] = [0, 1, 2, 60, 120, 299, 300, 301];

type Raw = Option<&'static str>;

fn field(values: &'static [Raw]) -> impl Strategy<Value = Raw> {
    select(values)
}

/// The members that every message has.
fn members() -> impl Strategy<Value = (Raw, Option<String>, Raw, Option<String>)> {
    let message_id = option::weighted(0.7, (0..60u8, any::<bool>()));
    let message_id = message_id.prop_map(|id| {
        id.map(|(number, as_number)| if as_number { number.to_string() } else { format!("\"m{number}\"") })
    });
    let data = option::weighted(0.6, vec(select(&TRAITS[..]), 0..4));
    let data = data.prop_map(|data| data.map(|members| format!("{{{}}}", members.join(","))));
    (field(&ORGANIZATIONS), message_id, field(&INSTANTS), data)
}

/// Members of a message's own, before those that every message has.
type Own = Vec<(&'static str, Raw)>;

/// What someone anonymous does, and who it turns out to be.
fn anonymous() -> BoxedStrategy<Own> {
    let track = (field(&EVENTS), field(&ANONYMOUS), field(&ACCOUNTS)).prop_map(|(event, anonymous, account)| {
        vec![
            ("type", Some("\"track\"")),
            ("callType", Some("\"track\"")),
            ("event", event),
            ("anonymousId", anonymous),
            ("accountId", account),
        ]
    });
    let identify = (field(&USERS), field(&ANONYMOUS), field(&ACCOUNTS)).prop_map(|(user, anonymous, account)| {
        vec![
            ("type", Some("\"user\"")),
            ("callType", Some("\"identify\"")),
            ("userId", user),
            ("anonymousId", anonymous),
            ("accountId", account),
        ]
    });
    let alias = (field(&USERS), field(&ANONYMOUS), field(&ANONYMOUS)).prop_map(|(user, previous, anonymous)| {
        vec![
            ("type", Some("\"user\"")),
            ("callType", Some("\"alias\"")),
            ("userId", user),
            ("previousId", previous),
            ("anonymousId", anonymous),
        ]
    });
    prop_oneof![4 => track, 3 => identify, 2 => alias].boxed()
}

/// Random messages, a few of which break a rule.
pub fn message() -> impl Strategy<Value = Sent> {
    let track = (field(&EVENTS), field(&USERS), field(&ACCOUNTS)).prop_map(|(event, user, account)| {
        vec![("type", Some("\"track\"")), ("event", event), ("userId", user), ("accountId", account)]
    });
    let user = (field(&USERS), field(&ACCOUNTS))
        .prop_map(|(user, account)| vec![("type", Some("\"user\"")), ("userId", user), ("accountId", account)]);
    let unlink = (field(&USERS), field(&ACCOUNTS))
        .prop_map(|(user, account)| vec![("type", Some("\"unlink\"")), ("userId", user), ("accountId", account)]);
    let account = field(&ACCOUNTS).prop_map(|account| vec![("type", Some("\"account\"")), ("accountId", account)]);
    let organization = Just(vec![("type", Some("\"organization\""))]);
    let instance = (select(&OBJECTS[..]), select(&OBJECTS[..]), field(&NAMES), field(&ACCOUNTS)).prop_map(
        |(external_id, object, name, account)| {
            vec![
                ("type", Some("\"customobjectinstance\"")),
                ("externalId", external_id),
                ("customObjectId", object),
                ("name", name),
                ("accountId", account),
            ]
        },
    );
    let object =
        select(&OBJECTS[..]).prop_map(|object| vec![("type", Some("\"customobject\"")), ("customObjectId", object)]);
    let response = (select(&OBJECTS[..]), field(&USERS)).prop_map(|(external_id, user)| {
        vec![("type", Some("\"npsresponse\"")), ("externalId", external_id), ("userId", user)]
    });
    let leave = (field(&USERS), field(&ACCOUNTS))
        .prop_map(|(user, account)| vec![("type", Some("\"leave\"")), ("userId", user), ("accountId", account)]);
    let leaving_instance =
        (select(&OBJECTS[..]), select(&OBJECTS[..]), field(&ACCOUNTS)).prop_map(|(external_id, object, account)| {
            vec![
                ("type", Some("\"leave\"")),
                ("externalId", external_id),
                ("customObjectId", object),
                ("accountId", account),
            ]
        });
    let kind = prop_oneof![
        9 => anonymous(),
        6 => track.boxed(),
        5 => user.boxed(),
        3 => unlink.boxed(),
        3 => account.boxed(),
        1 => organization.boxed(),
        2 => instance.boxed(),
        1 => object.boxed(),
        3 => response.boxed(),
        2 => leave.boxed(),
        1 => leaving_instance.boxed(),
    ];
    (kind, members(), select(&RECEIPTS[..])).prop_map(|(own, (organization, message_id, timestamp, data), seconds)| {
        let data_field = if own[0].1 == Some("\"track\"") { "properties" } else { "traits" };
        let all = [
            ("organizationId", organization),
            ("messageId", message_id.as_deref()),
            ("timestamp", timestamp),
            (data_field, data.as_deref()),
        ];
        let members: Vec<String> =
            own.into_iter().chain(all).filter_map(|(key, value)| Some(format!("\"{key}\":{}", value?))).collect();
        let received_at: Micros = START.plus_micros(seconds * 1_000_000);
        Sent::new(format!("{{{}}}", members.join(",")), received_at)
    })
}
