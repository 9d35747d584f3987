//! The documentation's own example, through checkpoints, compactions and reopenings.

mod support;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use muster_history::disk;
use muster_model::kind::RecordKind;
use muster_store::{profiles::Profiles, receipt::Outcome, status::Status};
use support::{crash, engine, events, id, reopen, send};

/// How long merging files may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

const MESSAGES: [&str; 4] = [
    r#"{"type":"organization","organizationId":"abcdefg","traits":{"name":"World Cup"},"messageId":"one","timestamp":"2018-05-15T12:31:12.123Z"}"#,
    r#"{"type":"account","accountId":"123456","organizationId":"abcdefg","traits":{"name":"Argentina"},"messageId":"one","timestamp":"2018-05-15T12:31:12.123Z"}"#,
    r#"{"type":"user","userId":"32","accountId":"123456","organizationId":"abcdefg","traits":{"name":"Lionel Messi"},"messageId":"one","timestamp":"2018-05-15T12:31:12.123Z"}"#,
    r#"{"type":"track","userId":"32","event":"scored-goal","properties":{"minute":14},"messageId":"one","timestamp":"2018-05-15T12:31:12.123Z"}"#,
];

#[tokio::test(flavor = "multi_thread")]
async fn four_messages_with_one_message_id_are_four() {
    let dir = tempfile::tempdir().unwrap();
    let (mut current, workspace) = engine(dir.path()).await;
    assert_eq!(send(&current, workspace, &MESSAGES).await, [Outcome::Stored; 4]);
    for round in 0..4 {
        assert_eq!(send(&current, workspace, &MESSAGES).await, [Outcome::Duplicate; 4], "round {round}");
        for (kind, name) in
            [(RecordKind::User, "32"), (RecordKind::Account, "123456"), (RecordKind::Organization, "abcdefg")]
        {
            let events = events(&current, workspace, kind, name).await;
            assert_eq!(events.len(), 1, "{kind:?} in round {round}");
            assert_eq!(events[0].name, "scored-goal");
            assert_eq!(events[0].account.as_ref().map(|account| account.external_id.as_ref()), Some("123456"));
            assert_eq!(events[0].organization.as_ref().map(|parent| parent.external_id.as_ref()), Some("abcdefg"));
            assert_eq!(events[0].properties, r#"{"minute":14}"#);
        }
        let account = current.profile(workspace, RecordKind::Account, id(RecordKind::Account, "123456")).await.unwrap();
        let account = account.expect("the account");
        assert_eq!(account.traits.get("name"), Some("\"Argentina\""));
        assert_eq!(account.as_account().unwrap().users_count, 1);
        match round {
            0 => current.checkpoint().await,
            1 => current = crash(current, dir.path()).await,
            _ => current = reopen(current, dir.path()).await,
        }
    }
}

/// How many files of the history there are of each month, and of those that are of none yet.
fn files_by_month(dir: &Path) -> BTreeMap<String, usize> {
    let mut files = BTreeMap::new();
    for path in disk::files_below(&dir.join("history")).unwrap() {
        let month = path.parent().and_then(Path::file_name).unwrap().to_string_lossy().into_owned();
        *files.entry(month).or_default() += usize::from(disk::has_extension(&path, "parquet"));
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_merged_into_months_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, workspace) = engine(dir.path()).await;
    for number in 0..60 {
        let text = format!(
            r#"{{"type":"track","userId":"u{}","event":"e","messageId":"{number}","timestamp":"2024-{:02}-01T00:00:00Z"}}"#,
            number % 3,
            number % 5 + 1
        );
        send(&engine, workspace, &[&text]).await;
        if number % 6 == 5 {
            engine.checkpoint().await;
        }
    }
    // Compaction goes on in the background until no month has two files. Of those of a checkpoint one waits for another, where a
    // merge took three of them at once.
    let until = Instant::now() + PATIENCE;
    let (mut figures, mut files) = (engine.figures(), files_by_month(dir.path()));
    while (files.values().any(|count| *count > 1) || figures.compactions == 0) && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
        (figures, files) = (engine.figures(), files_by_month(dir.path()));
    }
    let months = files.keys().filter(|name| name.starts_with("month=2024")).count();
    assert!(figures.compactions > 0 && files.values().all(|count| *count <= 1), "{files:?} {figures:?}");
    assert!(months == 5 && figures.history_files <= 6, "{files:?} {figures:?}");
    let engine = reopen(engine, dir.path()).await;
    let found: usize = [
        events(&engine, workspace, RecordKind::User, "u0").await.len(),
        events(&engine, workspace, RecordKind::User, "u1").await.len(),
        events(&engine, workspace, RecordKind::User, "u2").await.len(),
    ]
    .iter()
    .sum();
    assert_eq!(found, 60);
    engine.close().await.unwrap();
}
