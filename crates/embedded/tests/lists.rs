//! Lists longer than what is read and sorted at once: every way to a page gives what sorting everything would.

mod support;

use std::{collections::BTreeSet, path::Path, sync::Arc};

use muster_embedded::{Embedded, Options, examine, keys, lists::entries, state::State};
use muster_model::{id::WorkspaceId, kind::RecordKind, profile::Profile, rank::Rank};
use muster_store::{
    journal::Journal,
    lists::{Condition, ListOrder, ListQuery, index::Field, kept_seen, values},
    profiles::Profiles,
    status::Status,
};

use support::{NOW, id, options, send, workspace};

/// More than the ids that are held for one page.
const ACCOUNTS: usize = 12_000;

/// Numbers that jump about, so that orders differ from each other.
fn jumping(n: usize) -> usize {
    n * 7_919 % ACCOUNTS
}

fn account(n: usize) -> String {
    let rare = if n.is_multiple_of(2_400) { r#","rare":true"# } else { "" };
    let some = if n.is_multiple_of(5) { r#","some":"yes""# } else { "" };
    let mrr = if n.is_multiple_of(3) { String::new() } else { format!(r#","mrr":{}"#, jumping(n) / 4) };
    format!(
        r#"{{"type":"account","accountId":"a{n}","organizationId":"o{}","messageId":"1","timestamp":"2023-01-01","traits":{{"name":"Account {n}"{rare}{some}{mrr}}}}}"#,
        usize::from(n.is_multiple_of(4)),
    )
}

async fn fill(engine: &Embedded, workspace: WorkspaceId) {
    let texts: Vec<String> = (0..ACCOUNTS).map(account).collect();
    for some in texts.chunks(100) {
        send(engine, workspace, &some.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
}

/// Everything in an order, by pages; and how many there were.
async fn pass(engine: &Embedded, workspace: WorkspaceId, mut query: ListQuery) -> (Vec<Arc<Profile>>, usize) {
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = engine.list(workspace, query.clone()).await.expect("a page");
        assert!(page.profiles.len() <= query.limit && (page.next.is_none() || page.next != query.from));
        found.extend(page.profiles);
        pages += 1;
        query.from = page.next;
        if query.from.is_none() {
            return (found, pages);
        }
    }
}

fn queries() -> Vec<ListQuery> {
    let key = |key: &str| key.to_owned();
    let conditions = [
        vec![],
        vec![Condition::TraitPresent { key: key("rare"), present: true }],
        vec![Condition::TraitIs { key: key("some"), value: key("yes") }],
        vec![Condition::TraitPresent { key: key("some"), present: false }],
        vec![Condition::TraitBetween { key: key("mrr"), from: Rank::of_text("1500"), to: None }],
        vec![Condition::Contains(key("t 1199"))],
        // More than are sorted for a page.
        vec![Condition::Contains(key("account 1"))],
        vec![Condition::Contains(key("account 1")), Condition::TraitPresent { key: key("mrr"), present: true }],
        vec![Condition::Contains(key("account 1")), Condition::Contains(key("0"))],
    ];
    let mut queries = Vec::new();
    for order in [ListOrder::CreatedAt, ListOrder::Trait("mrr".into()), ListOrder::LastSeen] {
        for conditions in &conditions {
            for ascending in [false, true] {
                let conditions = conditions.clone();
                let query = ListQuery { ascending, conditions, ..ListQuery::new(RecordKind::Account, order.clone()) };
                queries.push(query);
            }
        }
    }
    for organization in ["o0", "o1"] {
        let within = Some((RecordKind::Organization, id(RecordKind::Organization, organization)));
        queries.push(ListQuery { within, ..ListQuery::new(RecordKind::Account, ListOrder::Trait("mrr".into())) });
    }
    queries
}

/// Compares passes with all records, filtered and sorted here.
async fn compare(engine: &Embedded, workspace: WorkspaceId) {
    let (all, _) = pass(engine, workspace, ListQuery::new(RecordKind::Account, ListOrder::CreatedAt)).await;
    assert_eq!(all.len(), ACCOUNTS);
    for query in queries() {
        let within = |profile: &Profile| {
            query.within.is_none_or(|parent| {
                profile.as_account().and_then(|one| one.parent()).is_some_and(|of| of.id == parent.1)
            })
        };
        let seen = |profile: &Profile| kept_seen(profile).0;
        let holds = |profile: &&Arc<Profile>| {
            within(profile) && query.conditions.iter().all(|condition| condition.holds(profile, seen(profile)))
        };
        let mut expected: Vec<_> = all.iter().filter(holds).collect();
        expected.sort_by(|one, other| {
            let place = |profile: &Profile| query.order.place(profile, seen(profile));
            place(one).order(&place(other), query.ascending)
        });
        let (found, pages) = pass(engine, workspace, query.clone()).await;
        let names = |profiles: &[&Arc<Profile>]| -> Vec<Box<str>> {
            profiles.iter().map(|profile| profile.external_id.clone()).collect()
        };
        assert_eq!(names(&found.iter().collect::<Vec<_>>()), names(&expected), "{query:?}");
        // A page looks at a bounded number of records, but enough of them to fill it now and then.
        assert!(pages <= 2 + expected.len() / 100 + ACCOUNTS * 8 / 20_000 + ACCOUNTS / 100, "{query:?}: {pages} pages");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_are_what_sorting_everything_gives() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, _) = Embedded::open(Options { checkpoint_rows_max: usize::MAX, ..options(dir.path()) }, NOW).unwrap();
    let workspace = workspace(&engine, support::WORKSPACE).await;
    fill(&engine, workspace).await;
    engine.checkpoint().await;
    // Some of them in memory again, with other values, on top of what is on disk.
    for n in (0..ACCOUNTS).step_by(37) {
        let mrr = if n.is_multiple_of(2) { "null".to_owned() } else { (n / 3).to_string() };
        let text = format!(
            r#"{{"type":"account","accountId":"a{n}","messageId":"2","timestamp":"2023-06-01","traits":{{"mrr":{mrr},"some":null}}}}"#
        );
        let seen = format!(
            r#"{{"type":"track","event":"e","accountId":"a{n}","timestamp":"2023-08-01T00:00:{:02}Z"}}"#,
            n % 60
        );
        send(&engine, workspace, &[&text, &seen]).await;
    }
    compare(&engine, workspace).await;
    engine.checkpoint().await;
    compare(&engine, workspace).await;
    engine.close().await.unwrap();
    drop(engine);
    assert_eq!(about_places(dir.path()), Vec::<String>::new(), "nothing is missing and nothing too many");
}

/// What an examination says against the places of records in lists.
fn about_places(dir: &Path) -> Vec<String> {
    let findings = examine(dir, &mut |_| {}).unwrap().into_iter();
    findings.map(|finding| finding.what).filter(|what| what.contains("places in lists ")).collect()
}

#[test]
fn a_record_that_lists_leave_out_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let workspace = runtime.block_on(async {
        let (engine, _) = Embedded::open(options(dir.path()), NOW).unwrap();
        let workspace = workspace(&engine, support::WORKSPACE).await;
        send(&engine, workspace, &[&account(1), &account(2)]).await;
        engine.close().await.unwrap();
        workspace
    });
    assert_eq!(about_places(dir.path()), Vec::<String>::new());
    {
        let state = State::open(&dir.path().join("state"), 1 << 20).unwrap();
        let value = values::ranked(Rank::of_text(&(jumping(1) / 4).to_string()).unwrap());
        let id = id(RecordKind::Account, "a1");
        let key = keys::field_key(workspace, RecordKind::Account, entries::number(Field::Trait("mrr")), value, id);
        assert!(state.by_field.contains_key(key).unwrap());
        state.by_field.remove(key).unwrap();
    }
    assert_eq!(about_places(dir.path()), ["1 places in lists are missing: lists leave records out"]);
}

/// A checkpoint that was killed between what it ingests and its commit moved the record in a list. Then a message moves it
/// back to where the disk last had it. One that noted that it began leaves nothing over.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_a_cut_checkpoint_moved_is_where_it_belongs_after_the_next() {
    cut_checkpoint(false, &[LEFT_OVER]).await;
    cut_checkpoint(true, &[]).await;
}

async fn cut_checkpoint(noted: bool, left_over: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let stated = |number: u8, mrr: u32| {
        format!(
            r#"{{"type":"account","accountId":"a","messageId":"{number}","timestamp":"2023-01-0{number}","traits":{{"name":"A","mrr":{mrr}}}}}"#
        )
    };
    let (engine, workspace) = support::engine(dir.path()).await;
    send(&engine, workspace, &[&stated(1, 100)]).await;
    let engine = support::reopen(engine, dir.path()).await;
    send(&engine, workspace, &[&stated(2, 200)]).await;
    drop(support::crash(engine, dir.path()).await);
    let place = |mrr: u32| {
        let value = values::ranked(Rank::of_text(&mrr.to_string()).unwrap());
        let account = id(RecordKind::Account, "a");
        keys::field_key(workspace, RecordKind::Account, entries::number(Field::Trait("mrr")), value, account)
    };
    {
        let state = open_state_when_free(dir.path()).await;
        assert!(state.by_field.contains_key(place(100)).unwrap());
        state.by_field.remove(place(100)).unwrap();
        state.by_field.insert(place(200), []).unwrap();
        if noted {
            state.note_begun(2).unwrap();
            assert_eq!(state.begun().unwrap(), Some(2));
        }
    }
    assert_eq!(about_places(dir.path()), ["1 places in lists are not there yet, or missing", LEFT_OVER]);
    let engine = support::open_when_free(options(dir.path())).await;
    let paying = vec![Condition::TraitBetween { key: "mrr".to_owned(), from: Rank::of_text("1"), to: None }];
    let by_mrr = ListOrder::Trait("mrr".into());
    let by_mrr = ListQuery { conditions: paying, ..ListQuery::new(RecordKind::Account, by_mrr) };
    assert_eq!(pass(&engine, workspace, by_mrr.clone()).await.0.len(), 1);
    send(&engine, workspace, &[&stated(3, 100)]).await;
    let engine = support::reopen(engine, dir.path()).await;
    assert_eq!(pass(&engine, workspace, by_mrr).await.0.len(), 1);
    engine.close().await.unwrap();
    drop(engine);
    assert_eq!(about_places(dir.path()), left_over, "nothing is missing");
}

const LEFT_OVER: &str = "1 places in lists belong to no record any more";

/// The state store of an engine whose threads may not have ended yet.
async fn open_state_when_free(dir: &Path) -> State {
    drop(support::open_when_free(options(dir)).await);
    loop {
        if let Ok(state) = State::open(&dir.join("state"), 1 << 20) {
            return state;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// The names of the users that a search finds, sorted.
async fn search(engine: &Embedded, workspace: WorkspaceId, text: &str) -> Vec<Box<str>> {
    let conditions = vec![Condition::Contains(text.to_owned())];
    let query = ListQuery { conditions, ..ListQuery::new(RecordKind::User, ListOrder::UpdatedAt) };
    let (found, _) = pass(engine, workspace, query).await;
    let mut names: Vec<Box<str>> = found.iter().map(|profile| profile.external_id.clone()).collect();
    names.sort_unstable();
    names
}

/// What searches look through is made once and kept up; whatever is in memory, on disk or between them, the answer is
/// the same.
#[tokio::test(flavor = "multi_thread")]
async fn searches_follow_changes() {
    let dir = tempfile::tempdir().unwrap();
    for search_bytes in [1 << 20, 300, 0] {
        let path = dir.path().join(search_bytes.to_string());
        let (engine, _) = Embedded::open(Options { search_bytes, ..options(&path) }, NOW).unwrap();
        let workspace = workspace(&engine, support::WORKSPACE).await;
        let named = |user: &str, name: &str, day: u32| {
            format!(
                r#"{{"type":"user","userId":"{user}","accountId":null,"timestamp":"2023-01-{day:02}","traits":{{"name":"{name}"}}}}"#
            )
        };
        send(&engine, workspace, &[&named("1", "Ada", 1), &named("2", "Bea", 1), &named("3", "Cid", 1)]).await;
        assert_eq!(search(&engine, workspace, "a").await, ["1".into(), "2".into()]);
        engine.checkpoint().await;
        assert_eq!(search(&engine, workspace, "a").await, ["1".into(), "2".into()]);
        for (day, (name, expected)) in [("Dan", "1"), ("Eve", "")].into_iter().enumerate() {
            send(&engine, workspace, &[&named("1", name, day as u32 + 2)]).await;
            for _ in 0..2 {
                let found = search(&engine, workspace, "dan").await;
                assert_eq!(found.join(","), expected, "{name}, {search_bytes} bytes");
                assert_eq!(search(&engine, workspace, "ada").await.len(), 0);
                engine.checkpoint().await;
            }
        }
        let many: Vec<String> = (10..60).map(|n| named(&n.to_string(), &format!("Many {n}"), 1)).collect();
        send(&engine, workspace, &many.iter().map(String::as_str).collect::<Vec<_>>()).await;
        engine.checkpoint().await;
        assert_eq!(search(&engine, workspace, "many").await.len(), 50);
        assert_eq!(search(&engine, workspace, "eve").await, ["1".into()]);
        engine.close().await.unwrap();
        drop(engine);
        // Whether they have been read by then or not.
        let ahead = Options { search_bytes, reads_ahead: true, ..options(&path) };
        let (engine, _) = Embedded::open(ahead, NOW).unwrap();
        assert_eq!(search(&engine, workspace, "eve").await, ["1".into()]);
        assert_eq!(search(&engine, workspace, "many").await.len(), 50);
        engine.close().await.unwrap();
    }
}

/// Compares every order of some accounts with what they are, one by one.
async fn see_all(engine: &Embedded, workspace: WorkspaceId, names: &BTreeSet<String>) {
    let mut accounts = Vec::new();
    for name in names {
        let id = id(RecordKind::Account, name);
        accounts.push(engine.profile(workspace, RecordKind::Account, id).await.unwrap().expect("an account"));
    }
    let orders = [ListOrder::CreatedAt, ListOrder::UpdatedAt, ListOrder::LastSeen, ListOrder::Trait("mrr".into())];
    for order in orders {
        for (ascending, limit) in [(false, 7), (true, 7), (false, 100), (true, 100)] {
            let place = |profile: &Profile| order.place(profile, kept_seen(profile).0);
            accounts.sort_by(|one, other| place(one).order(&place(other), ascending));
            let query = ListQuery { ascending, limit, ..ListQuery::new(RecordKind::Account, order.clone()) };
            assert_eq!(pass(engine, workspace, query).await.0, accounts, "by {order:?}, upwards: {ascending}");
        }
    }
}

/// Readers remember where no place is left. What a checkpoint brings there later is seen all the same, though it was received
/// long before, as what is imported.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_where_nothing_was_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, workspace) = support::engine(dir.path()).await;
    let mut names = BTreeSet::new();
    for round in 0..8 {
        for n in round * 12..(round + 1) * 12 {
            let (name, number) = (format!("a{}", n * 7 % 60), jumping(n * n + 5));
            let account = format!(
                r#"{{"type":"account","accountId":"{name}","messageId":"{n}","timestamp":"2023-01-01","traits":{{"mrr":{number}}}}}"#
            );
            let track = format!(
                r#"{{"type":"track","event":"e","accountId":"{name}","messageId":"t{n}","timestamp":"2023-02-01T{:02}:00:00Z"}}"#,
                number % 24
            );
            let received = NOW.plus_micros(-1_000_000 * number as i64);
            let receipt = engine.append(support::batch_at(workspace, received, &[&account, &track])).await.unwrap();
            assert_eq!(receipt.outcomes.len(), 2);
            names.insert(name);
        }
        see_all(&engine, workspace, &names).await;
        engine.checkpoint().await;
        // The second time along what the first remembered.
        see_all(&engine, workspace, &names).await;
        see_all(&engine, workspace, &names).await;
    }
    engine.close().await.unwrap();
}

/// What a crash between the index and its commit leaves behind shows nowhere: neither a record at a place where it does
/// not stand, nor one that does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn entries_that_no_record_fits_show_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, _) = Embedded::open(options(dir.path()), NOW).unwrap();
    let workspace = workspace(&engine, support::WORKSPACE).await;
    let texts: Vec<String> = (0..10).map(account).collect();
    send(&engine, workspace, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    engine.close().await.unwrap();
    drop(engine);
    let left_behind = [("a1", "99999"), ("a1", "-5"), ("a3", "7"), ("nobody", "8")];
    {
        let state = State::open(&dir.path().join("state"), 1 << 20).unwrap();
        for (name, mrr) in left_behind {
            let value = values::ranked(Rank::of_text(mrr).unwrap());
            let id = id(RecordKind::Account, name);
            let key = keys::field_key(workspace, RecordKind::Account, entries::number(Field::Trait("mrr")), value, id);
            state.by_field.insert(key, []).unwrap();
        }
    }
    assert_eq!(about_places(dir.path()), ["4 places in lists belong to no record any more"]);
    let (engine, _) = Embedded::open(options(dir.path()), NOW).unwrap();
    let (all, _) = pass(&engine, workspace, ListQuery::new(RecordKind::Account, ListOrder::CreatedAt)).await;
    let names = |found: Vec<Arc<Profile>>| -> Vec<Box<str>> {
        found.iter().map(|profile| profile.external_id.clone()).collect()
    };
    for ascending in [false, true] {
        let order = ListOrder::Trait("mrr".into());
        let mut expected = all.clone();
        expected.sort_by(|one, other| {
            let place = |profile: &Profile| order.place(profile, kept_seen(profile).0);
            place(one).order(&place(other), ascending)
        });
        for limit in [1, 3, 100] {
            let query = ListQuery { ascending, limit, ..ListQuery::new(RecordKind::Account, order.clone()) };
            assert_eq!(names(pass(&engine, workspace, query).await.0), names(expected.clone()), "pages of {limit}");
        }
    }
    let conditions = vec![Condition::TraitBetween { key: "mrr".to_owned(), from: Rank::of_text("9000"), to: None }];
    let query = ListQuery { conditions, ..ListQuery::new(RecordKind::Account, ListOrder::CreatedAt) };
    assert_eq!(pass(&engine, workspace, query).await.0, []);
    engine.close().await.unwrap();
}
