//! Lists of more records than a page may look at, compared with the twin that sorts and filters.
//!
//! The suite's workspaces are small: there every source is few. Here conditions and parents leave many, pages end early, and more
//! records are uncertain than one page looks through.

mod support;

use std::sync::Arc;

use muster_model::{
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind::{self, Account, Instance, Organization, User},
    rank::Rank,
    time::Micros,
};
use muster_store::{
    batch::BatchBuilder,
    error::ReadError,
    journal::Journal,
    lists::{Condition, ListOrder, ListQuery},
    memory::MemoryStore,
    profiles::Profiles,
    suite::{
        Sent,
        desk::{START, workspace_named},
    },
};
use support::Place;

const USERS: usize = 6_000;
const ACCOUNTS: usize = 700;

fn messages() -> Vec<String> {
    let mut all = Vec::new();
    for n in 0..ACCOUNTS {
        let (of, day) = (n % 7, 1 + n % 28);
        all.push(format!(
            r#"{{"type":"account","accountId":"a{n}","organizationId":"o{of}","timestamp":"2024-01-{day:02}","traits":{{"n":{}}}}}"#,
            n % 50
        ));
    }
    for n in 0..USERS {
        let (account, day) = (n * 7 % ACCOUNTS, 1 + n % 28);
        let plan = ["pro", "free", "r\u{e9}seau", "x\\u0000y"][n % 4];
        let sparse =
            if n % 3 == 0 { format!(r#","score":{}.5,"day":"2024-02-{day:02}""#, n % 97) } else { String::new() };
        all.push(format!(
            r#"{{"type":"user","userId":"u{n}","accountId":"a{account}","timestamp":"2024-01-{day:02}","traits":{{"name":"Name {n} of {plan}","email":" U{n}@Mail{}.Example ","plan":"{plan}"{sparse}}}}}"#,
            n % 2000
        ));
        if n % 5 != 0 {
            let day = 1 + n * 11 % 28;
            all.push(format!(
                r#"{{"type":"track","event":"e","userId":"u{n}","timestamp":"2024-01-{day:02}T00:00:{:02}Z"}}"#,
                n % 60
            ));
        }
        if n % 10 == 0 {
            all.push(format!(
                r#"{{"type":"customobjectinstance","externalId":"x{n}","customObjectId":"t{}","accountId":"a{account}","messageId":"i{n}","traits":{{"plan":"{}"}}}}"#,
                n % 3,
                n % 30
            ));
        }
    }
    // What was said late moves tracks: many accounts are uncertain.
    for n in (0..USERS).step_by(9) {
        let account = n * 13 % ACCOUNTS;
        all.push(format!(r#"{{"type":"user","userId":"u{n}","accountId":"a{account}","timestamp":"2024-01-02"}}"#));
    }
    all.extend(busy());
    all
}

/// Many tracks of few, some of them by clocks that run ahead, whom it is said late of that they were elsewhere.
fn busy() -> Vec<String> {
    let mut all = vec![r#"{"type":"user","userId":"busy","accountId":"a1","timestamp":"2024-01-01"}"#.to_owned()];
    for n in 0..300 {
        let at = if n % 60 == 7 {
            "2999-01-01".to_owned()
        } else {
            format!("2024-01-{:02}T00:{:02}:00Z", 1 + n % 28, n % 60)
        };
        for who in [r#""userId":"busy""#, r#""callType":"track","anonymousId":"someone""#] {
            all.push(format!(r#"{{"type":"track","event":"busy","messageId":"b{n}",{who},"timestamp":"{at}"}}"#));
        }
    }
    for (user, day) in [("b1", 5), ("b2", 15), ("b3", 10)] {
        all.push(format!(
            r#"{{"type":"user","callType":"identify","userId":"{user}","anonymousId":"someone","timestamp":"2024-01-{day:02}"}}"#
        ));
    }
    for (user, account, day) in [("busy", "a2", 10), ("b2", "a3", 3), ("busy", "a4", 20), ("b1", "a5", 2)] {
        all.push(format!(
            r#"{{"type":"user","userId":"{user}","accountId":"{account}","timestamp":"2024-01-{day:02}"}}"#
        ));
    }
    all
}

fn queries(ids: IdSpace) -> Vec<ListQuery> {
    let text = |text: &str| text.to_owned();
    let at = |text| Micros::parse(text);
    let number = |json| Rank::of_json(json);
    let one = |condition: Condition| vec![condition];
    let choices: Vec<Vec<Condition>> = vec![
        vec![],
        one(Condition::TraitPresent { key: text("score"), present: true }),
        one(Condition::TraitPresent { key: text("score"), present: false }),
        one(Condition::TraitIs { key: text("plan"), value: text("pro") }),
        one(Condition::TraitIs { key: text("plan"), value: text("x\0y") }),
        one(Condition::TraitIs { key: text("name"), value: text("Name 17 of free") }),
        one(Condition::TraitIs { key: text("email"), value: text(" U9@Mail9.Example ") }),
        one(Condition::TraitBetween { key: text("score"), from: number("3"), to: number("5") }),
        one(Condition::TraitBetween { key: text("day"), from: number("\"2024-02-20\""), to: None }),
        one(Condition::LastSeen { after: at("2024-01-27"), before: None }),
        one(Condition::LastSeen { after: None, before: at("2024-01-02") }),
        one(Condition::Updated {
            after: Some(START.plus_micros(20_000_000)),
            before: Some(START.plus_micros(22_000_000)),
        }),
        one(Condition::Contains(text("me 42"))),
        one(Condition::Contains(text("x\0y"))),
        one(Condition::Contains(text("e"))),
        one(Condition::Contains(text("5999"))),
        one(Condition::Contains(text("zz"))),
        one(Condition::Email(text("u12@mail12.example"))),
        one(Condition::EmailDomain(text("mail12.example"))),
        one(Condition::Object(ids.record(RecordKind::CustomObject, "t1"))),
        vec![
            Condition::TraitIs { key: text("plan"), value: text("free") },
            Condition::Contains(text("name 1")),
            Condition::LastSeen { after: at("2024-01-10"), before: at("2024-01-20") },
        ],
    ];
    let orders = [
        ListOrder::UpdatedAt,
        ListOrder::CreatedAt,
        ListOrder::LastSeen,
        ListOrder::FirstSeen,
        ListOrder::UsersCount,
        ListOrder::Trait("score".into()),
        ListOrder::Trait("plan".into()),
    ];
    let withins =
        [None, Some((Organization, ids.record(Organization, "o0"))), Some((Account, ids.record(Account, "a14")))];
    let mut all = Vec::new();
    for ascending in [false, true] {
        for (kind, order) in
            [(Account, ListOrder::LastSeen), (Account, ListOrder::FirstSeen), (User, ListOrder::LastSeen)]
        {
            all.push(ListQuery { ascending, limit: 500, ..ListQuery::new(kind, order) });
        }
    }
    for (place, conditions) in choices.into_iter().enumerate() {
        for (number, order) in orders.iter().enumerate() {
            for (other, within) in withins.into_iter().enumerate() {
                let kind = [User, User, User, Account, Instance][(place + number + other) % 5];
                let (ascending, conditions) = ((place + number) % 2 == 0, conditions.clone());
                let limit = [90, 400, 1_000][(place + other) % 3];
                all.push(ListQuery { ascending, within, conditions, limit, ..ListQuery::new(kind, order.clone()) });
            }
        }
    }
    all
}

/// All pages; how many there were.
async fn all<S: Profiles>(store: &S, workspace: WorkspaceId, mut query: ListQuery) -> (Vec<RecordId>, usize) {
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = loop {
            match store.list(workspace, query.clone()).await {
                Err(ReadError::TooLarge { .. }) => std::thread::sleep(std::time::Duration::from_millis(100)),
                page => break page.expect("a list can be read"),
            }
        };
        pages += 1;
        assert!(page.profiles.len() <= query.limit && (page.next.is_none() || page.next != query.from));
        found.extend(page.profiles.iter().map(|profile| profile.id));
        if page.next.is_none() {
            return (found, pages);
        }
        query.from = page.next;
    }
}

#[tokio::test]
async fn long_lists_are_the_twins() {
    let place = Place::new();
    let (store, twin) = (place.open(place.options()), Arc::new(MemoryStore::default()));
    let workspace = workspace_named(&store, "default", START).await;
    let same = workspace_named(&*twin, "default", START).await;
    assert_eq!(workspace.id, same.id);
    let ids = IdSpace::new("default");
    for (number, some) in messages().chunks(400).enumerate() {
        let mut batch = BatchBuilder::new(workspace.id, 0);
        let at = START.plus_micros(number as i64 * 1_000_000);
        some.iter().for_each(|text| Sent::new(text.as_str(), at).add_to(&mut batch, ids));
        let batch = batch.build();
        twin.append(batch.clone()).await.expect("the twin takes it");
        store.append(batch).await.expect("the store takes it");
    }
    let mut short = 0;
    for query in queries(ids) {
        let (expected, _) = all(&*twin, workspace.id, ListQuery { limit: 100_000, ..query.clone() }).await;
        let (found, pages) = all(&store, workspace.id, query.clone()).await;
        assert_eq!(found, expected, "{query:?}");
        short += usize::from(pages > found.len() / query.limit + 1);
    }
    assert!(short > 0, "some pages end early");
}
