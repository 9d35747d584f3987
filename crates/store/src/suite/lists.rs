//! Lists of records, and what belongs to them.

use futures_util::future::join;
use muster_model::{
    id::RecordId,
    kind::RecordKind::{self, Account, Instance, Organization, User},
    rank::Rank,
};

use super::{
    Desk, Pace, Subject,
    phrases::{account, account_of, does_in, joins, joins_organization, leaves},
};
use crate::{
    catalogue::{Catalogue, Model, OPTIONS_MAX},
    journal::Journal,
    lists::Place,
    profiles::{Condition, ListCursor, ListOrder, ListQuery, Profiles},
};

const ORDERS: [ListOrder; 2] = [ListOrder::CreatedAt, ListOrder::UpdatedAt];

/// `a0` to `a9`, received one after the other, in several batches.
async fn ten_accounts<S: Subject>(desk: &mut Desk<'_, S>) {
    for n in 0..10 {
        desk.send(&[account(&format!("a{n}"), 1, "{}")]).await;
    }
}

/// Newest first, all of them, none twice.
pub async fn lists_run_from_new_to_old_in_pages_of_any_size<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    ten_accounts(&mut desk).await;
    desk.send(&[joins("u", "a0", 1)]).await;
    let by_creation = ["a9", "a8", "a7", "a6", "a5", "a4", "a3", "a2", "a1", "a0"];
    let by_update = ["a0", "a9", "a8", "a7", "a6", "a5", "a4", "a3", "a2", "a1"];
    for limit in [1, 2, 3, 9, 10, 11, 100] {
        assert_eq!(desk.list_all(Account, ListOrder::CreatedAt, limit).await, by_creation, "pages of {limit}");
        assert_eq!(desk.list_all(Account, ListOrder::UpdatedAt, limit).await, by_update, "pages of {limit}");
        assert_eq!(desk.list_all(User, ListOrder::CreatedAt, limit).await, ["u"]);
        assert_eq!(desk.list_all(Organization, ListOrder::CreatedAt, limit).await, [""; 0]);
    }
}

/// Records of one batch have one time; pages must not lose any of them.
pub async fn equal_times_are_ordered_by_id<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let names: Vec<String> = (0..20).map(|n| format!("a{n}")).collect();
    let texts: Vec<String> = names.iter().map(|name| account(name, 1, "{}")).collect();
    desk.set_clock(1);
    desk.send(&texts[..7]).await;
    desk.set_clock(1);
    desk.send(&texts[7..]).await;
    let mut expected = names.clone();
    expected.sort_by_key(|name| desk.id(Account, name));
    for order in ORDERS {
        for limit in [1, 3, 7, 20] {
            assert_eq!(desk.list_all(Account, order.clone(), limit).await, expected, "{order:?}, pages of {limit}");
        }
    }
}

/// No records, no next page.
pub async fn an_empty_workspace_has_empty_lists<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    ten_accounts(&mut desk).await;
    desk.enter("other").await;
    for kind in RecordKind::SHOWN {
        for order in ORDERS {
            assert_eq!(desk.list_all(kind, order.clone(), 5).await, [""; 0]);
        }
    }
    let place = Place::Ranked(Rank::Time(desk.now()));
    let cursor = ListCursor { place, id: desk.id(Account, "a3") };
    let from = ListQuery { from: Some(cursor), limit: 5, ..ListQuery::new(Account, ListOrder::CreatedAt) };
    assert_eq!(desk.list(from).await, [""; 0]);
}

/// By update, but never by creation.
pub async fn a_change_moves_a_record_to_the_front<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    ten_accounts(&mut desk).await;
    for changed in ["a4", "a0", "a9", "a4"] {
        let day = 1 + desk.now().0.unsigned_abs() / 1_000_000 % 28;
        desk.send(&[account(changed, day as u32, r#"{"n":1}"#)]).await;
        assert_eq!(desk.list_all(Account, ListOrder::UpdatedAt, 3).await[0], changed);
        assert_eq!(desk.list_all(Account, ListOrder::UpdatedAt, 3).await.len(), 10);
        assert_eq!(desk.list_all(Account, ListOrder::CreatedAt, 3).await[0], "a9");
    }
    assert_eq!(desk.list_all(Account, ListOrder::UpdatedAt, 4).await[..4], ["a4", "a9", "a0", "a8"]);
}

/// A list with conditions is the list without, less what does not meet them.
pub async fn conditions_choose_records<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    ten_accounts(&mut desk).await;
    desk.send(&[account("a2", 2, r#"{"churned":true}"#), account("a5", 2, r#"{"churned":false,"x":1}"#)]).await;
    desk.send(&[account("a7", 2, r#"{"churned":"2024"}"#), account("a7", 3, r#"{"churned":null}"#)]).await;
    desk.send(&[account("a8", 3, r#"{"churned":null,"x":{}}"#)]).await;
    let present = |key: &str, present| Condition::TraitPresent { key: key.to_owned(), present };
    for (conditions, expected) in [
        (vec![present("churned", true)], vec!["a5", "a2"]),
        (vec![present("churned", false)], vec!["a9", "a8", "a7", "a6", "a4", "a3", "a1", "a0"]),
        (vec![present("churned", true), present("x", true)], vec!["a5"]),
        (vec![present("churned", false), present("x", true)], vec!["a8"]),
        (vec![present("x", true)], vec!["a8", "a5"]),
        (vec![present("y", true)], vec![]),
    ] {
        for limit in [1, 2, 10] {
            let conditions = conditions.clone();
            let query = ListQuery { limit, conditions, ..ListQuery::new(Account, ListOrder::CreatedAt) };
            assert_eq!(desk.list(query.clone()).await, expected, "{:?}, pages of {limit}", query.conditions);
        }
    }
}

/// Users are found by their addresses as these are shown, and by what is no address as well.
pub async fn an_address_of_any_type_is_what_a_text_says<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    for (user, json) in [
        ("word", "\"Ada@Example.com\""),
        ("number", "5"),
        ("digits", "\"5\""),
        ("yes", "true"),
        ("list", "[1]"),
        ("blank", "\" \""),
    ] {
        let text = format!(
            r#"{{"type":"user","userId":"{user}","accountId":"a","timestamp":"2024-01-01","traits":{{"email":{json}}}}}"#
        );
        desk.send(&[text]).await;
    }
    for (value, expected) in [
        ("Ada@Example.com", vec!["word"]),
        ("ada@example.com", vec![]),
        ("5", vec!["digits", "number"]),
        ("5.0", vec!["number"]),
        ("true", vec!["yes"]),
        ("[1]", vec!["list"]),
        (" ", vec!["blank"]),
        ("", vec![]),
    ] {
        let conditions = vec![Condition::TraitIs { key: "email".to_owned(), value: value.to_owned() }];
        for order in ORDERS {
            let query = ListQuery { limit: 10, conditions: conditions.clone(), ..ListQuery::new(User, order) };
            assert_eq!(desk.list(query).await, expected, "{value:?}");
        }
    }
}

/// What one pass over a list saw, while between and beside its pages records change and come into being.
async fn pass_under_writes<S: Subject>(desk: &mut Desk<'_, S>, order: ListOrder, changed: &[&str]) -> Vec<String> {
    let (mut seen, mut from) = (Vec::new(), None);
    for page_number in 0.. {
        let query = ListQuery { from, limit: 4, ..ListQuery::new(Account, order.clone()) };
        let day = 2 + page_number % 27;
        let mut writes: Vec<String> = changed.iter().map(|name| account(name, day, r#"{"n":1}"#)).collect();
        writes.push(account(&format!("new{page_number}"), day, "{}"));
        let batch = desk.batch_of(&writes);
        let (store, workspace) = (desk.store(), desk.workspace().id);
        let (page, receipt) = join(store.list(workspace, query), store.append(batch)).await;
        receipt.expect("a small batch finds a place");
        let page = page.expect("a list can be read while something is written");
        seen.extend(page.profiles.iter().map(|profile| profile.external_id.as_ref().to_owned()));
        desk.pause().await;
        desk.send(&[account(changed[page_number as usize % changed.len()], day, r#"{"n":2}"#)]).await;
        let Some(next) = page.next else { return seen };
        from = Some(next);
    }
    seen
}

fn times_seen(seen: &[String], name: &str) -> usize {
    seen.iter().filter(|seen| *seen == name).count()
}

/// Nothing that existed at the start is missed or seen twice, however much is written meanwhile.
pub async fn a_pass_by_creation_sees_each_record_once_whatever_is_written<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    ten_accounts(&mut desk).await;
    desk.send(&(10..30).map(|n| account(&format!("a{n}"), 1, "{}")).collect::<Vec<_>>()).await;
    let seen = pass_under_writes(&mut desk, ListOrder::CreatedAt, &["a3", "a29", "a0", "a17"]).await;
    for n in 0..30 {
        assert_eq!(times_seen(&seen, &format!("a{n}")), 1, "a{n} in {seen:?}");
    }
    let mut distinct = seen.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), seen.len(), "nothing new is seen twice either: {seen:?}");
}

/// What changes moves to the front; what does not change keeps its place.
pub async fn a_pass_by_update_sees_each_unchanged_record_once<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    ten_accounts(&mut desk).await;
    desk.send(&(10..30).map(|n| account(&format!("a{n}"), 1, "{}")).collect::<Vec<_>>()).await;
    let changed = ["a3", "a29", "a0", "a17"];
    let seen = pass_under_writes(&mut desk, ListOrder::UpdatedAt, &changed).await;
    for n in 0..30 {
        let name = format!("a{n}");
        let times = times_seen(&seen, &name);
        if changed.contains(&name.as_str()) {
            assert!(times <= 1, "{name} in {seen:?}");
        } else {
            assert_eq!(times, 1, "{name} in {seen:?}");
        }
    }
    let front = desk.list_all(Account, ListOrder::UpdatedAt, 100).await;
    for name in changed {
        assert!(front[..20].iter().any(|seen| seen == name), "{name} is to be seen again at the front of {front:?}");
    }
}

fn sorted(mut ids: Vec<RecordId>) -> Vec<RecordId> {
    ids.sort();
    ids
}

/// Also those that left since, or that were only said to leave.
pub async fn children_are_those_that_ever_named_a_parent<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[
        joins("u", "a", 1),
        joins("v", "a", 1),
        leaves("v", "a", 2),
        leaves("w", "a", 2),
        joins("u", "a", 5),
    ])
    .await;
    desk.send_each(&[account_of("a", "o", 1), account_of("b", "o", 1), account_of("b", "p", 2)]).await;
    desk.send(&[joins_organization("u", "o", 3), does_in("z", "a", "e", 1)]).await;
    let users = |desk: &Desk<'_, S>, names: &[&str]| sorted(names.iter().map(|name| desk.id(User, name)).collect());
    let accounts =
        |desk: &Desk<'_, S>, names: &[&str]| sorted(names.iter().map(|name| desk.id(Account, name)).collect());
    assert_eq!(desk.children((Account, "a"), User).await, users(&desk, &["u", "v", "w"]));
    assert_eq!(desk.children((Organization, "o"), Account).await, accounts(&desk, &["a", "b"]));
    assert_eq!(desk.children((Organization, "p"), Account).await, accounts(&desk, &["b"]));
    assert_eq!(desk.children((Organization, "o"), User).await, users(&desk, &["u"]));
    assert_eq!(desk.children((Account, "b"), User).await, []);
    assert_eq!(desk.children((Account, "nobody"), User).await, []);
    desk.enter("other").await;
    assert_eq!(desk.children((Account, "a"), User).await, []);
}

/// An account has users and instances, an organization accounts besides; each is asked for by itself.
pub async fn children_are_told_by_kind<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[
        r#"{"type":"customobjectinstance","externalId":"x","customObjectId":"t","accountId":"1","organizationId":"1","messageId":"1"}"#,
        r#"{"type":"user","userId":"1","accountId":"1","organizationId":"1","messageId":"1"}"#,
        r#"{"type":"account","accountId":"1","organizationId":"1","messageId":"1"}"#,
    ])
    .await;
    let instance = desk.ids().instance("t", "x");
    for parent in [(Account, "1"), (Organization, "1")] {
        assert_eq!(desk.children(parent, User).await, [desk.id(User, "1")]);
        assert_eq!(desk.children(parent, Instance).await, [instance]);
        assert_eq!(desk.children(parent, Organization).await, []);
    }
    assert_eq!(desk.children((Organization, "1"), Account).await, [desk.id(Account, "1")]);
    assert_eq!(desk.children((Account, "1"), Account).await, []);
    assert_eq!(desk.children((User, "1"), Account).await, []);
}

/// A statement that is out of date when it arrives named a parent, too: in the other order it would have counted.
pub async fn a_parent_stated_too_late_has_its_child_all_the_same<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send_each(&[account_of("b", "p", 9), account_of("b", "o", 1), account_of("b", "p", 3)]).await;
    for organization in ["o", "p"] {
        assert_eq!(
            desk.children((Organization, organization), Account).await,
            [desk.id(Account, "b")],
            "{organization}"
        );
    }
    let instance = |account: &str, organization: &str, day: u32| {
        format!(
            r#"{{"type":"customobjectinstance","externalId":"x","customObjectId":"t","accountId":"{account}","organizationId":"{organization}","timestamp":"2024-01-{day:02}"}}"#
        )
    };
    desk.send_each(&[instance("c", "q", 9), instance("d", "r", 1)]).await;
    let id = desk.ids().instance("t", "x");
    for parent in [(Account, "c"), (Organization, "q"), (Account, "d"), (Organization, "r")] {
        assert_eq!(desk.children(parent, Instance).await, [id], "{parent:?}");
    }
}

/// The options of a trait are the texts that records have now, as long as they are few.
pub async fn few_texts_are_the_options_of_a_trait<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let model = Model { kind: Account, object: None };
    let check = async |desk: &Desk<'_, S>, expected: &[&str]| {
        let keys = ["plan", "name", "never"].map(Into::into).to_vec();
        let found = desk.store().options(desk.workspace().id, model, keys).await.expect("options can be read");
        assert!(found.keys().all(|key| key.as_ref() == "plan"), "neither names nor what nobody has: {found:?}");
        let texts: Vec<&str> = found.values().flatten().map(AsRef::as_ref).collect();
        assert_eq!(texts, expected);
    };
    let plan = |name: &str, day: u32, plan: &str| account(name, day, &format!(r#"{{"plan":"{plan}","name":"x"}}"#));
    desk.send(&[plan("a", 1, "pro"), plan("b", 1, "free")]).await;
    desk.send(&[plan("c", 1, "pro"), account("d", 1, "{}"), account("e", 1, r#"{"plan":null}"#)]).await;
    check(&desk, &["free", "pro"]).await;
    // What nobody has any more goes, and what is said of the past changes nothing.
    desk.send(&[plan("b", 3, "gr\u{f6}\u{df}er")]).await;
    desk.send(&[plan("b", 2, "older")]).await;
    check(&desk, &["größer", "pro"]).await;
    desk.send(&[account("c", 4, r#"{"plan":null}"#), plan("a", 4, "last")]).await;
    check(&desk, &["größer", "last"]).await;
    // Another kind of record has options of its own.
    desk.send(&[r#"{"type":"user","userId":"u","messageId":"p","traits":{"plan":"none"}}"#.to_owned()]).await;
    check(&desk, &["größer", "last"]).await;
    for n in 0..OPTIONS_MAX - 2 {
        desk.send(&[plan(&format!("m{n}"), 5, &format!("p{n}"))]).await;
    }
    let mut all: Vec<String> = (0..OPTIONS_MAX - 2).map(|n| format!("p{n}")).collect();
    all.extend(["größer".to_owned(), "last".to_owned()]);
    all.sort();
    check(&desk, &all.iter().map(String::as_str).collect::<Vec<&str>>()).await;
    desk.send(&[plan("z", 5, "one more")]).await;
    check(&desk, &[]).await;
    desk.send(&[plan("z", 6, "last")]).await;
    check(&desk, &all.iter().map(String::as_str).collect::<Vec<&str>>()).await;
    // A number among them, and it is no choice of texts.
    desk.send(&[account("z", 7, r#"{"plan":5}"#)]).await;
    check(&desk, &[]).await;
}
