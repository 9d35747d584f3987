//! Reading much of a workspace, as of one moment.

use std::sync::Arc;

use muster_model::{
    kind::{Kind, RecordKind},
    time::Micros,
};

use super::{
    Desk, Pace, Subject,
    moments::{Row, records, scan},
    phrases::{WORLD_CUP, account_of, does, does_in, joins, leaves},
};
use crate::{
    rows::Column,
    scan::{Moment, Scans, Wanted},
};

fn moment<S: Subject>(desk: &Desk<'_, S>) -> Arc<dyn Moment> {
    desk.store().moment(desk.workspace().id).expect("a moment can be taken")
}

fn texts(rows: &[Row], column: Column) -> Vec<&str> {
    let mut texts: Vec<&str> = rows.iter().map(|row| row.text(column).unwrap_or("-")).collect();
    texts.sort_unstable();
    texts
}

/// Once each, of every kind, with every column as it was sent.
pub async fn every_message_comes_once<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let instance = r#"{"type":"customobjectinstance","externalId":"x","customObjectId":"c","accountId":"a","name":"n","timestamp":"2024-01-05","traits":{"t":[1]}}"#;
    let track = r#"{"type":"track","event":"Ü \"x\"","userId":"u","messageId":42,"timestamp":"2024-01-05T01:02:03.456789+01:00","properties":{"b": [1,2.50]},"context":{"ip":"::1"}}"#;
    desk.send(&WORLD_CUP).await;
    desk.send(&WORLD_CUP).await;
    desk.send(&[instance.to_owned(), track.to_owned(), leaves("32", "123456", 2)]).await;
    let rows = scan(&moment(&desk), Wanted { columns: Column::ALL.to_vec(), ..Wanted::everything() });
    assert_eq!(rows.len(), 7);
    let one = |kind: Kind| rows.iter().filter(move |row| row.kind == kind);
    let instance = one(Kind::CustomObjectInstance).next().expect("the instance is there");
    assert_eq!(instance.text(Column::External), Some("x"));
    assert_eq!(instance.text(Column::CustomObject), Some("c"));
    assert_eq!(instance.text(Column::Name), Some("n"));
    assert_eq!(instance.text(Column::Traits), Some(r#"{"t":[1]}"#));
    assert_eq!((instance.text(Column::Event), instance.text(Column::Properties)), (None, None));
    let track = one(Kind::Track).find(|row| row.text(Column::User) == Some("u")).expect("the track is there");
    assert_eq!(track.text(Column::Event), Some("Ü \"x\""));
    assert_eq!(track.text(Column::MessageId), Some("42"));
    assert_eq!(track.text(Column::Properties), Some(r#"{"b": [1,2.50]}"#));
    assert_eq!(Some(track.timestamp), Micros::parse("2024-01-05T00:02:03.456789Z"));
    assert_eq!(track.text(Column::Account), None, "as sent, not as attributed");
    let sent = track.text(Column::Sent).expect("the message is there");
    assert!(sent.contains(r#""context":{"ip":"::1"}"#) && sent.contains(r#""messageId":42"#), "{sent}");
    assert_eq!(one(Kind::Unlink).count(), 1);
}

/// A track stands with the account and the organization it belongs to now, whichever came first.
pub async fn tracks_stand_where_they_belong<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[does("u", "e3", 3), does("u", "e9", 9), does_in("u", "b", "named", 4), does("v", "loose", 4)]).await;
    desk.send(&[joins("u", "a", 1)]).await;
    desk.send(&[joins("u", "b", 5), account_of("a", "o", 1)]).await;
    let now = moment(&desk);
    let of = |wanted: Wanted| {
        let columns = vec![Column::Account, Column::Organization, Column::Event];
        let rows = scan(&now, Wanted { columns, ..wanted });
        let line = |row: &Row| {
            let text = |column| row.text(column).unwrap_or("-").to_owned();
            format!("{} {} {}", text(Column::Event), text(Column::Account), text(Column::Organization))
        };
        let mut lines: Vec<String> = rows.iter().map(line).collect();
        lines.sort();
        lines
    };
    assert_eq!(of(Wanted::events()), ["e3 a o", "e9 b -", "loose - -", "named b -"]);
    assert_eq!(of(Wanted { accounts: Some(["a".into()].into()), ..Wanted::events() }), ["e3 a o"]);
    assert_eq!(of(Wanted { accounts: Some(["b".into()].into()), ..Wanted::events() }), ["e9 b -", "named b -"]);
    assert_eq!(of(Wanted { organizations: Some(["o".into()].into()), ..Wanted::events() }), ["e3 a o"]);
    assert_eq!(of(Wanted { accounts: Some([].into()), ..Wanted::events() }), [""; 0]);
}

/// What is written after a moment was taken is not in it, not even by halves; what was acknowledged before is.
pub async fn a_moment_stands_still<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), does("u", "e1", 2), does("v", "e2", 2)]).await;
    let before = moment(&desk);
    let events = |moment: &Arc<dyn Moment>| {
        scan(moment, Wanted { columns: vec![Column::Event, Column::Account], ..Wanted::events() })
    };
    let users = |moment: &Arc<dyn Moment>| records(moment, RecordKind::User, 2);
    let (events_before, users_before) = (events(&before), users(&before));
    assert_eq!(texts(&events_before, Column::Account), ["-", "a"]);
    let more = [joins("u", "b", 1), joins("v", "c", 1), joins("u", "b", 9), does("w", "e3", 3), does("u", "e4", 10)];
    if pace == Pace::Straight || pace == Pace::Settling {
        // A moment of an open store outlives what the store does; one of a store that was closed does not matter.
        for text in &more {
            desk.send(&[text]).await;
        }
        assert_eq!(events(&before), events_before);
        assert_eq!(users(&before), users_before);
    } else {
        drop((before, users_before));
        desk.send(&more).await;
    }
    let after = moment(&desk);
    assert_eq!(texts(&events(&after), Column::Event), ["e1", "e2", "e3", "e4"]);
    assert_eq!(users(&after).len(), 3);
}

/// Nothing of one workspace is in the other's, under the same ids.
pub async fn moments_of_two_workspaces<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1), does("u", "mine", 2)]).await;
    desk.enter("other").await;
    desk.send(&[does("u", "theirs", 2)]).await;
    let theirs = moment(&desk);
    let wanted = Wanted { columns: vec![Column::Event, Column::Account], ..Wanted::events() };
    let rows = scan(&theirs, wanted.clone());
    assert_eq!((texts(&rows, Column::Event), texts(&rows, Column::Account)), (vec!["theirs"], vec!["-"]));
    assert_eq!(records(&theirs, RecordKind::Account, 9), []);
    desk.enter("default").await;
    let rows = scan(&moment(&desk), wanted);
    assert_eq!((texts(&rows, Column::Event), texts(&rows, Column::Account)), (vec!["mine"], vec!["a"]));
    desk.enter("empty").await;
    assert_eq!(scan(&moment(&desk), Wanted::everything()), []);
}

/// More rows than one piece of a scan, in several files where there are files.
pub async fn a_long_scan<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u0", "a", 1), joins("u1", "b", 1)]).await;
    for part in 0..6u32 {
        let texts: Vec<String> = (0..100u32)
            .map(|n| {
                let (user, event) = (n % 3, ["view", "buy"][(n % 2) as usize]);
                format!(
                    r#"{{"type":"track","event":"{event}","userId":"u{user}","messageId":"{part}/{n}","timestamp":"2024-0{}-01"}}"#,
                    1 + part % 3
                )
            })
            .collect();
        desk.send(&texts).await;
    }
    let now = moment(&desk);
    assert_eq!(scan(&now, Wanted::events()).len(), 600);
    assert_eq!(scan(&now, Wanted { events: Some(["buy".into()].into()), ..Wanted::events() }).len(), 300);
    let account = Wanted { accounts: Some(["b".into()].into()), ..Wanted::events() };
    assert_eq!(scan(&now, account.clone()).len(), 198);
    let from = Micros::parse("2024-02-01");
    assert_eq!(scan(&now, Wanted { first: from, ..account.clone() }).len(), 132);
    assert_eq!(scan(&now, Wanted { first: from, last: from, ..account }).len(), 66);
    assert!(desk.store().extent(desk.workspace().id).messages >= 600);
    assert!(now.work().rows > 0);
}
