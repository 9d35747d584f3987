//! What is looked at for a query: rows and records are counted, not seconds.

use muster_embedded::{Embedded, Options};
use muster_query::{Format, Params};
use muster_store::{Store, scan::Work, status::Status};

use super::ask::{Asked, START, twin};

/// 300 users of 30 accounts with 20 events each, over three months.
fn many() -> Vec<String> {
    let users = (0..300).map(|user| {
        format!(r#"{{"type":"user","userId":"u{user:03}","accountId":"a{:02}","messageId":"user","timestamp":"2024-01-01"}}"#, user % 30)
    });
    let events = (0..6_000).map(|n| {
        let (user, month) = (n % 300, 1 + n / 2_000);
        format!(
            r#"{{"type":"track","event":"e{}","userId":"u{user:03}","messageId":"{n}","timestamp":"2024-{month:02}-05T00:00:00Z"}}"#,
            n % 5
        )
    });
    users.chain(events).collect()
}

fn work<S: Store>(asked: &Asked<S>, sql: &str) -> (u64, Work) {
    let (_, summary) = asked.answer(Format::Json, sql, Params::None).unwrap_or_else(|error| panic!("{sql}: {error}"));
    (summary.rows, summary.work)
}

#[tokio::test]
async fn records_are_looked_up_by_their_keys() {
    let asked = twin(&many()).await;
    let profiles = |sql: &str| work(&asked, sql).1.profiles;
    assert_eq!(profiles("select name from users where user_id = 'u007'"), 1);
    assert_eq!(profiles("select name from users where user_id in ('u007', 'u008', 'nobody')"), 3);
    assert_eq!(profiles("select name from users where user_id = 'u007' and user_id = 'u008'"), 0);
    assert_eq!(profiles("select name from users where user_id = null"), 0);
    assert_eq!(profiles("select name from accounts where account_id = 7"), 1);
    assert_eq!(profiles("select count(*) from users"), 300);
    assert_eq!(profiles("select count(*) from users where lower(user_id) = 'u007'"), 300);
    assert_eq!(profiles("select user_id from links where account_id = 'a03'"), 10);
    assert_eq!(profiles("select account_id from links where user_id = 'u003'"), 1);
    // The ten users, each once for both tables, not all records for each.
    assert_eq!(profiles("select email from links join users using (user_id) where account_id = 'a03'"), 10);
    // The events decide which accounts to look up, and the same one is looked up once.
    let joined = profiles("select name from events join accounts using (account_id) where user_id = 'u003'");
    assert!(joined <= 3, "{joined}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_in_part() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, _) = Embedded::open(Options::new(dir.path()), START).unwrap();
    let sent = many();
    let mut asked = Asked::over(engine, &sent[..300]).await;
    asked.store.checkpoint().await;
    for month in sent[300..].chunks(2_000) {
        asked.send(month).await;
        asked.store.checkpoint().await;
    }
    let everything = work(&asked, "select count(*) from events").1;
    assert_eq!((everything.rows, everything.rows_skipped), (6_000, 300), "the first file holds no event at all");
    let rows = |sql: &str| {
        let (found, work) = work(&asked, sql);
        assert_eq!(work.rows + work.rows_skipped, 6_300, "{sql}");
        (found, work.rows)
    };
    assert_eq!(
        rows("select event from events where timestamp >= '2024-02-01' and timestamp < '2024-03-01'"),
        (2_000, 2_000)
    );
    assert_eq!(rows("select event from events where timestamp = '2024-03-05T00:00:00.000Z'"), (2_000, 2_000));
    assert_eq!(rows("select event from events where timestamp > '2024-04'"), (0, 0));
    assert_eq!(rows("select event from events where timestamp is not null and event = 'nothing'"), (0, 0));
    assert_eq!(rows("select event from events where account_id = 'nobody'"), (0, 0));
    assert_eq!(rows("select event from events where user_id = 'x' and timestamp < '2024-02'"), (0, 0));
    // Within a file the directory leads to the chunks that may hold the account, and no further.
    assert_eq!(rows("select count(*) from events where account_id = 'a03' and timestamp >= '2024-03'"), (1, 1_024));
    let found = asked.lines("select count(*), count(distinct user_id) from events where account_id = 'a03'");
    assert_eq!(found, ["200|10"]);
    // Conditions reach the files through the view, those on days too.
    let (_, of_daily) = work(&asked, "select * from daily where account_id = 'nobody'");
    assert_eq!(of_daily.rows, 0);
    assert_eq!(work(&asked, "select * from daily where day >= '2024-02-01' and day < '2024-03'").1.rows, 2_000);
    assert_eq!(work(&asked, "select * from daily where day = '2024-03-05'").1.rows, 2_000);
    assert_eq!(work(&asked, "select * from daily where day > '2024-04'").1.rows, 0);
    let by_day =
        asked.lines("select day, sum(events) from daily where day between '2024-03-05' and '2024-03-06' group by 1");
    let by_hand = "select date(timestamp), count(*) from events group by 1 having date(timestamp) in ('2024-03-05', '2024-03-06')";
    assert_eq!(by_day, asked.lines(by_hand));
    asked.store.close().await.unwrap();
}
