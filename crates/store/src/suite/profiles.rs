//! What is true of a record.

use muster_model::{
    id::{IdSpace, RecordId},
    kind::RecordKind::{Account, Instance, Organization, User},
    profile::Profile,
    time::Micros,
};

use super::{
    Desk, Pace, Subject,
    desk::START,
    phrases::{WORLD_CUP, account, account_of, does, does_in, joins, joins_organization, leaves},
};
use crate::profiles::Profiles;

fn instant(text: &str) -> Micros {
    Micros::parse(text).expect("cases write instants that can be read")
}

fn day(day: u32) -> Micros {
    instant(&format!("2024-01-{day:02}"))
}

fn users_count(profile: &Profile) -> u32 {
    profile.as_account().expect("an account's profile has an account's body").users_count
}

fn accounts_count(profile: &Profile) -> u32 {
    profile.as_organization().expect("an organization's profile has an organization's body").accounts_count
}

fn organization_of(profile: &Profile) -> Option<&str> {
    let account = profile.as_account().expect("an account's profile has an account's body");
    account.parent().map(|parent| parent.external_id.as_ref())
}

/// Four messages, three records and all that ties them.
pub async fn the_documentations_example<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let received_at = desk.now();
    desk.send(&WORLD_CUP).await;
    let organization = desk.profile(Organization, "abcdefg").await;
    assert_eq!(organization.traits.get("name"), Some("\"World Cup\""));
    assert_eq!(accounts_count(&organization), 1);
    let account = desk.profile(Account, "123456").await;
    assert_eq!(account.traits.get("name"), Some("\"Argentina\""));
    assert_eq!(organization_of(&account), Some("abcdefg"));
    assert_eq!(users_count(&account), 1);
    let user = desk.profile(User, "32").await;
    assert_eq!(user.traits.get("name"), Some("\"Lionel Messi\""));
    assert_eq!(desk.accounts_of("32").await, ["123456"]);
    let body = user.as_user().expect("a user's profile has a user's body");
    let organizations: Vec<&str> = body.organizations.standing().iter().map(|link| link.external_id.as_ref()).collect();
    assert_eq!(organizations, ["abcdefg"]);
    let kicked_off = instant("2018-05-15T12:31:12.123Z");
    assert_eq!(body.seen.bounds(), Some((kicked_off, kicked_off)));
    assert_eq!(desk.seen("123456").await.bounds(), Some((kicked_off, kicked_off)));
    for profile in [&organization, &account, &user] {
        assert!(profile.stated);
        assert_eq!(profile.first_known, kicked_off);
        assert_eq!((profile.created_at, profile.updated_at), (received_at, received_at));
    }
}

/// An id of one kind says nothing of another kind with the same external id.
pub async fn a_record_is_found_by_its_kind_and_id_alone<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[account("1", 1, "{}"), joins_organization("é/1 %", "o", 1)]).await;
    let id = desk.id(Account, "1");
    assert_eq!(desk.profile(Account, "1").await.id, id);
    assert_eq!(desk.profile(User, "é/1 %").await.external_id.as_ref(), "é/1 %");
    for kind in [Organization, User, Instance] {
        assert!(desk.find(kind, "1").await.is_none());
        assert!(desk.find_id(kind, id).await.is_none());
    }
    assert!(desk.find_id(Account, RecordId(0)).await.is_none());
    assert!(desk.find_id(Account, RecordId(u128::MAX)).await.is_none());
    let several = [(Account, id), (User, id), (User, desk.id(User, "é/1 %")), (Account, id), (Account, RecordId(0))];
    let found = desk.store().profiles(desk.workspace().id, several.to_vec()).await.expect("records can be read");
    let names: Vec<Option<&str>> = found.iter().map(|one| one.as_ref().map(|one| &*one.external_id)).collect();
    assert_eq!(names, [Some("1"), None, Some("é/1 %"), Some("1"), None]);
}

/// A record that others name is there before anyone describes it, and says so.
pub async fn whoever_is_named_exists<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[account_of("a", "o", 1), joins("u", "b", 1), leaves("v", "c", 1)]).await;
    desk.send(&[
        r#"{"type":"customobjectinstance","externalId":"x","customObjectId":"t","accountId":"d","messageId":"1"}"#,
    ])
    .await;
    for (kind, external_id, stated) in [
        (Account, "a", true),
        (Organization, "o", false),
        (User, "u", true),
        (Account, "b", false),
        (User, "v", false),
        (Account, "c", false),
        (Account, "d", false),
    ] {
        assert_eq!(desk.profile(kind, external_id).await.stated, stated, "{external_id}");
    }
    desk.send(&[account("b", 1, "{}")]).await;
    assert!(desk.profile(Account, "b").await.stated);
    assert_eq!(users_count(&*desk.profile(Account, "b").await), 1);
}

/// The message's own time decides, not when it came.
pub async fn the_latest_value_of_a_trait_stands<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[account("a", 5, r#"{"plan":"pro","seats":5}"#)]).await;
    desk.send(&[account("a", 3, r#"{"plan":"free","seats":3,"city":"Ulm"}"#)]).await;
    desk.send(&[account("a", 7, r#"{"seats":7}"#)]).await;
    desk.send(&[account("a", 6, r#"{"seats":6,"city":"Bonn"}"#)]).await;
    let profile = desk.profile(Account, "a").await;
    let traits: Vec<(&str, &str)> = profile.traits.iter().collect();
    assert_eq!(traits, [("city", "\"Bonn\""), ("plan", "\"pro\""), ("seats", "7")]);
}

/// Of statements of one instant the message decides, so that every store and every order agree.
pub async fn equal_timestamps_are_decided_by_the_message<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let text = |n: usize| {
        format!(
            r#"{{"type":"account","accountId":"a","messageId":"m{n}","timestamp":"2024-01-01","traits":{{"n":{n}}}}}"#
        )
    };
    let last = (0..6).max_by_key(|n| desk.identity(&text(*n))).map(|n| n.to_string());
    for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 0, 5, 1, 4, 2]] {
        desk.enter(&format!("w{}", order[0])).await;
        desk.send_each(&order.map(text)).await;
        assert_eq!(desk.profile(Account, "a").await.traits.get("n"), last.as_deref());
    }
}

/// An older value that comes after the removal does not bring the key back.
pub async fn null_removes_and_is_remembered<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[account("a", 4, r#"{"plan":null,"kept":1}"#)]).await;
    assert_eq!(desk.profile(Account, "a").await.traits.get("plan"), None);
    desk.send(&[account("a", 2, r#"{"plan":"pro"}"#)]).await;
    assert_eq!(desk.profile(Account, "a").await.traits.get("plan"), None);
    desk.send(&[account("a", 6, r#"{"plan":"free"}"#)]).await;
    assert_eq!(desk.profile(Account, "a").await.traits.get("plan"), Some("\"free\""));
    desk.send(&[account("a", 8, r#"{"plan":null}"#)]).await;
    let profile = desk.profile(Account, "a").await;
    assert_eq!(profile.traits.iter().collect::<Vec<_>>(), [("kept", "1")]);
}

/// Keys verbatim, nested values whole and as they were written.
pub async fn values_and_keys_are_kept_as_sent<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[account(
        "a",
        1,
        r#"{"vitally.custom.tier":1,"":2,"deep":{"a":{"b":[1, 2]},"c":1.50},"é\"":"\u0041\n"}"#,
    )])
    .await;
    desk.send(&[account("a", 2, r#"{"deep":{"a":{"x":null}}}"#)]).await;
    let profile = desk.profile(Account, "a").await;
    let traits: Vec<(&str, &str)> = profile.traits.iter().collect();
    let expected = [("", "2"), ("deep", r#"{"a":{"x":null}}"#), ("vitally.custom.tier", "1"), ("é\"", r#""\u0041\n""#)];
    assert_eq!(traits, expected);
}

/// A value from a clock that runs ahead stands five minutes longer than its receipt, and no more.
pub async fn a_wrong_clock_does_not_pin_a_value<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let text = |plan: &str, at: &str| {
        format!(r#"{{"type":"account","accountId":"a","timestamp":"{at}","traits":{{"plan":"{plan}"}}}}"#)
    };
    desk.set_clock(0);
    desk.send(&[text("ahead", "2999-01-01")]).await;
    desk.set_clock(60);
    desk.send(&[text("within", "2024-03-01T00:04:59.999999Z")]).await;
    assert_eq!(desk.profile(Account, "a").await.traits.get("plan"), Some("\"ahead\""));
    desk.set_clock(301);
    desk.send(&[text("after", "2024-03-01T00:05:00.000001Z")]).await;
    assert_eq!(desk.profile(Account, "a").await.traits.get("plan"), Some("\"after\""));
}

/// Links and unlinks of one pair, in an order that is not theirs.
pub async fn the_latest_statement_about_a_link_stands<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1)]).await;
    assert_eq!(desk.accounts_of("u").await, ["a"]);
    desk.send(&[leaves("u", "a", 3)]).await;
    assert_eq!(desk.accounts_of("u").await, [""; 0]);
    desk.send(&[joins("u", "a", 2)]).await;
    assert_eq!(desk.accounts_of("u").await, [""; 0], "a link before the unlink changes nothing");
    assert_eq!(users_count(&*desk.profile(Account, "a").await), 0);
    desk.send(&[joins("u", "a", 5)]).await;
    desk.send(&[leaves("u", "a", 4)]).await;
    assert_eq!(desk.accounts_of("u").await, ["a"], "an unlink before the link changes nothing");
    assert_eq!(users_count(&*desk.profile(Account, "a").await), 1);
    desk.send(&[leaves("u", "a", 6)]).await;
    assert!(desk.find(User, "u").await.is_some() && desk.find(Account, "a").await.is_some(), "both stay");
}

/// The unlink of a pair nobody linked yet is remembered.
pub async fn an_unlink_may_come_first<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[leaves("u", "a", 3)]).await;
    assert_eq!(desk.accounts_of("u").await, [""; 0]);
    assert_eq!(users_count(&*desk.profile(Account, "a").await), 0);
    desk.send(&[joins("u", "a", 2)]).await;
    assert_eq!(desk.accounts_of("u").await, [""; 0]);
    desk.send(&[joins("u", "a", 4)]).await;
    assert_eq!(desk.accounts_of("u").await, ["a"]);
    assert_eq!(users_count(&*desk.profile(Account, "a").await), 1);
}

/// A statement is about one pair; other links stay what they are.
pub async fn a_user_may_be_linked_to_several<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[joins("u", "b", 1), joins("u", "a", 2), joins("v", "a", 2), joins("u", "c", 3)]).await;
    assert_eq!(desk.accounts_of("u").await, ["a", "b", "c"]);
    desk.send(&[leaves("u", "b", 4)]).await;
    assert_eq!(desk.accounts_of("u").await, ["a", "c"]);
    for (account, count) in [("a", 2), ("b", 0), ("c", 1)] {
        assert_eq!(users_count(&*desk.profile(Account, account).await), count, "{account}");
    }
}

/// One organization at a time, the latest stated, counted there and nowhere else.
pub async fn an_account_has_the_organization_stated_last<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let counts = async |desk: &Desk<'_, S>| {
        let count = async |name: &str| desk.find(Organization, name).await.map_or(0, |found| accounts_count(&found));
        [count("o").await, count("p").await, count("q").await]
    };
    desk.send(&[account_of("a", "o", 5), account_of("b", "o", 5)]).await;
    assert_eq!(counts(&desk).await, [2, 0, 0]);
    desk.send(&[account_of("a", "p", 3)]).await;
    assert_eq!(organization_of(&*desk.profile(Account, "a").await), Some("o"), "stated before");
    assert_eq!(counts(&desk).await, [2, 0, 0]);
    desk.send(&[account_of("a", "p", 7)]).await;
    assert_eq!(organization_of(&*desk.profile(Account, "a").await), Some("p"));
    assert_eq!(counts(&desk).await, [1, 1, 0]);
    desk.send(&[account_of("a", "p", 9), account_of("a", "q", 8)]).await;
    assert_eq!(counts(&desk).await, [1, 1, 0]);
    desk.send(&[account("a", 20, "{}")]).await;
    assert_eq!(organization_of(&*desk.profile(Account, "a").await), Some("p"), "not stated is not touched");
}

/// It brings into being what it names, and links nothing.
pub async fn a_track_makes_no_link<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[
        r#"{"type":"track","event":"e","userId":"u","accountId":"a","organizationId":"o","timestamp":"2024-01-01"}"#,
    ])
    .await;
    assert_eq!(desk.accounts_of("u").await, [""; 0]);
    let account = desk.profile(Account, "a").await;
    assert_eq!((users_count(&account), organization_of(&account)), (0, None));
    assert_eq!(accounts_count(&*desk.profile(Organization, "o").await), 0);
    for kind in [Account, User] {
        assert!(desk.children((Organization, "o"), kind).await.is_empty());
        assert!(desk.children((Account, "a"), kind).await.is_empty());
    }
    assert!(!desk.profile(User, "u").await.stated);
}

/// Name and parents are each what was stated last.
pub async fn an_instance_keeps_its_object_name_and_parents<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let text = |fields: &str, day: u32| {
        format!(
            r#"{{"type":"customobjectinstance","externalId":"x","customObjectId":"t",{fields},"timestamp":"2024-01-0{day}"}}"#
        )
    };
    desk.send(&[text(r#""accountId":"a","name":"Ada","traits":{"n":1}"#, 5)]).await;
    desk.send(&[text(r#""accountId":"b","name":"Bea","traits":{"n":2,"m":2}"#, 3)]).await;
    desk.send(&[text(r#""organizationId":"o""#, 7)]).await;
    desk.send(&[text(r#""organizationId":"p","accountId":"c","name":null"#, 6)]).await;
    let id = IdSpace::new("default").instance("t", "x");
    let found = desk.find_id(Instance, id).await.expect("an instance is found by its object's and its own id");
    let instance = found.as_instance().expect("an instance's profile has an instance's body");
    let object = IdSpace::new("default").custom_object("t");
    assert_eq!((found.external_id.as_ref(), instance.custom_object), ("x", Some(object)));
    assert_eq!(instance.name.as_ref().map(|name| name.value().as_ref()), Some("Ada"));
    assert_eq!(instance.account().map(|account| account.external_id.as_ref()), Some("c"));
    assert_eq!(instance.organization().map(|account| account.external_id.as_ref()), Some("o"));
    assert_eq!(found.traits.iter().collect::<Vec<_>>(), [("m", "2"), ("n", "1")]);
    assert!(desk.find_id(Instance, IdSpace::new("default").instance("u", "x")).await.is_none());
}

/// The earliest instant of any message that names the record, whatever it says.
pub async fn first_known_is_the_earliest_instant<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[account("a", 9, "{}")]).await;
    assert_eq!(desk.profile(Account, "a").await.first_known, day(9));
    desk.send(&[joins("u", "a", 4)]).await;
    assert_eq!(desk.profile(Account, "a").await.first_known, day(4));
    desk.send(&[does_in("u", "a", "e", 2), does("u", "e", 1), account("a", 12, "{}")]).await;
    assert_eq!(desk.profile(Account, "a").await.first_known, day(2), "a track that names it counts, others do not");
    assert_eq!(desk.profile(User, "u").await.first_known, day(1));
}

/// Not times of the messages: a reader that syncs by them must see what came late.
pub async fn created_and_updated_are_times_of_receipt<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let times = async |desk: &Desk<'_, S>, account: &str| {
        let profile = desk.profile(Account, account).await;
        let seconds = |at: Micros| (at.0 - START.0) / 1_000_000;
        (seconds(profile.created_at), seconds(profile.updated_at))
    };
    desk.set_clock(100);
    desk.send(&[account("a", 9, r#"{"plan":"pro"}"#), account("b", 9, "{}")]).await;
    assert_eq!(times(&desk, "a").await, (100, 100));
    desk.set_clock(200);
    desk.send(&[account("a", 1, r#"{"plan":"free"}"#)]).await;
    assert_eq!(times(&desk, "a").await, (100, 200), "a late message counts although it changes no value");
    desk.set_clock(300);
    desk.send(&[account("a", 9, r#"{"plan":"pro"}"#)]).await;
    assert_eq!(times(&desk, "a").await, (100, 200), "a message that was sent before does not");
    assert_eq!(times(&desk, "b").await, (100, 100));
    desk.set_clock(150);
    desk.send(&[account("a", 2, "{}")]).await;
    assert_eq!(times(&desk, "a").await, (100, 200), "a clock that goes back takes nothing back");
    desk.set_clock(50);
    desk.send(&[account("b", 2, "{}")]).await;
    assert_eq!(times(&desk, "b").await, (100, 100));
}

/// A message concerns what it names, and what it changes besides.
pub async fn what_moves_an_updated_time<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let updated = async |desk: &Desk<'_, S>, kind, name: &str| {
        (desk.profile(kind, name).await.updated_at.0 - START.0) / 1_000_000
    };
    desk.set_clock(10);
    desk.send(&[joins("u", "a", 1), account_of("a", "o", 1), account_of("b", "p", 1)]).await;
    desk.set_clock(20);
    desk.send(&[does("u", "e", 2)]).await;
    assert_eq!(updated(&desk, Account, "a").await, 20, "a track of its user");
    assert_eq!(updated(&desk, Organization, "o").await, 10);
    desk.set_clock(30);
    desk.send(&[account_of("a", "p", 3)]).await;
    assert_eq!(updated(&desk, Organization, "o").await, 30, "the organization that an account left");
    assert_eq!(updated(&desk, Organization, "p").await, 30);
    assert_eq!(updated(&desk, Account, "b").await, 10);
    desk.set_clock(40);
    desk.send(&[joins("u", "b", 2)]).await;
    assert_eq!(updated(&desk, Account, "a").await, 40, "the account whose track went to another");
    assert_eq!(updated(&desk, Account, "b").await, 40);
    desk.set_clock(50);
    desk.send(&[joins("u", "c", 9)]).await;
    assert_eq!(updated(&desk, Account, "b").await, 40, "nothing moved away from it");
}
