//! Imports: what they brought and how far they have come, whatever happens in between.

use std::collections::BTreeSet;

use muster_model::{id::ImportId, kind::RecordKind};

use super::{
    Desk, Pace, Subject,
    arbitrary::{Arrival, Step},
    order::{Difference, same_text, without_catalogue},
    phrases::{does, joins},
    reads::{Times, render},
    subject::Twin,
};
use crate::{
    import::{Import, Imports, Note, Part, Source, Stage},
    receipt::Outcome,
    status::Status,
};

const ONE: ImportId = ImportId(1);
const TWO: ImportId = ImportId(2);

async fn begin<S: Subject>(desk: &mut Desk<'_, S>, id: ImportId) {
    let source =
        Source { name: "a.ndjson".into(), form: "muster".into(), bytes: Some(90), fingerprint: Some(u128::from(id.0)) };
    let at = desk.now();
    note(desk, Note::Begin { id, at, key_id: 1, source }).await;
}

async fn note<S: Subject>(desk: &mut Desk<'_, S>, note: Note) {
    let mut batch = desk.batch();
    batch.import(&note);
    desk.append(batch.build()).await;
}

/// Brings messages as the part that begins at a place; everything before `position` was acknowledged.
async fn bring<S: Subject>(
    desk: &mut Desk<'_, S>,
    id: ImportId,
    (from, position): (u64, u64),
    texts: &[String],
) -> Vec<Outcome> {
    let mut batch = desk.batch();
    for text in texts {
        super::Sent::new(text, desk.now()).add_to(&mut batch, desk.ids());
    }
    let to = from + texts.len() as u64;
    let part = Part { from, to, position, bytes: to * 10, total: Some(9), ..Part::default() };
    batch.import(&Note::Part { id, at: desk.now(), part, bookmark: None });
    desk.append(batch.build()).await
}

async fn known<S: Subject>(desk: &Desk<'_, S>, id: ImportId) -> Option<Import> {
    let found = desk.store().import(desk.workspace().id, id).await;
    found.unwrap_or_else(|error| panic!("reading an import failed: {error}"))
}

async fn all<S: Subject>(desk: &Desk<'_, S>) -> Vec<u32> {
    let found = desk.store().imports(desk.workspace().id).await;
    found.unwrap_or_else(|error| panic!("reading imports failed: {error}")).iter().map(|import| import.id.0).collect()
}

/// The counts are those of the journal, each part counted once.
pub async fn an_import_counts_what_it_brought_once<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[does("u", "e1", 1)]).await;
    begin(&mut desk, ONE).await;
    let first = [does("u", "e1", 1), does("u", "e2", 2), joins("u", "a", 1)];
    let second = [does("u", "e3", 3), "{\"type\":\"track\"}".to_owned()];
    for _ in 0..2 {
        bring(&mut desk, ONE, (3, 0), &second).await;
        bring(&mut desk, ONE, (0, 0), &first).await;
    }
    let import = known(&desk, ONE).await.expect("the import was begun");
    assert_eq!((import.counts.read, import.counts.stored, import.counts.duplicates), (5, 3, 1));
    assert_eq!((import.position, import.has(0, 5), import.has(5, 6)), (0, true, false));
    assert_eq!((import.bytes, import.total, import.source.bytes), (50, Some(9), Some(90)));
    assert_eq!(bring(&mut desk, ONE, (5, 5), &[does("u", "e3", 3)]).await, [Outcome::Duplicate]);
    let import = known(&desk, ONE).await.expect("the import was begun");
    assert_eq!((import.position, import.counts.read, import.counts.duplicates), (5, 6, 2));
}

/// An end is an end, and the newest comes first; another workspace has its own.
pub async fn imports_are_listed_and_end<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    begin(&mut desk, ONE).await;
    begin(&mut desk, TWO).await;
    bring(&mut desk, TWO, (0, 0), &[does("u", "e1", 1)]).await;
    let at = desk.now();
    note(&mut desk, Note::End { id: ONE, at }).await;
    assert_eq!(all(&desk).await, [2, 1]);
    let one = known(&desk, ONE).await.expect("the import was begun");
    assert_eq!((one.stage, one.is_void()), (Stage::Complete { at }, true));
    assert_eq!(known(&desk, TWO).await.map(|import| import.stage), Some(Stage::Running));
    note(&mut desk, Note::Forget { id: ONE }).await;
    assert_eq!((all(&desk).await, known(&desk, ONE).await), (vec![2], None));
    desk.enter("other").await;
    assert_eq!((all(&desk).await, known(&desk, TWO).await), (vec![], None));
}

/// A conflict is refused, and a message that tells of an import that nobody began is stored all the same.
pub async fn an_import_counts_conflicts_as_refused<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    begin(&mut desk, ONE).await;
    let told = |says: &str| {
        format!(r#"{{"type":"user","userId":"u","accountId":"a","messageId":"m","traits":{{"says":"{says}"}}}}"#)
    };
    let told = [told("one"), told("other")];
    assert_eq!(bring(&mut desk, ONE, (0, 0), &told).await, [Outcome::Stored, Outcome::Conflict]);
    let import = known(&desk, ONE).await.expect("the import was begun");
    assert_eq!((import.counts.stored, import.counts.refused), (1, 1));
    assert_eq!(bring(&mut desk, TWO, (0, 0), &[does("u", "e", 1)]).await, [Outcome::Stored]);
    assert_eq!(known(&desk, TWO).await, None);
}

/// Asks for an import to be taken back, and waits until it is.
async fn undo<S: Subject>(desk: &mut Desk<'_, S>, id: ImportId) {
    let at = desk.now();
    note(desk, Note::Undo { id, at, by: Some(7) }).await;
    desk.settle().await;
    let import = known(desk, id).await.expect("the import is known");
    assert!(matches!(import.stage, Stage::Undone { .. }) && import.undone_by == Some(7), "{import:?}");
}

/// What it alone brought is gone as if it had never come, and may come again; what came otherwise too stays.
pub async fn an_import_is_taken_back<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[does("u", "before", 1), joins("u", "a", 1)]).await;
    begin(&mut desk, ONE).await;
    let brought =
        [does("u", "before", 1), does("u", "after", 2), does("u", "alone", 3), joins("v", "a", 4), does("w", "x", 5)];
    bring(&mut desk, ONE, (0, 0), &brought).await;
    begin(&mut desk, TWO).await;
    bring(&mut desk, TWO, (0, 0), &[does("w", "x", 5)]).await;
    assert_eq!(desk.send(&[does("u", "after", 2)]).await, [Outcome::Duplicate]);
    undo(&mut desk, ONE).await;
    assert_eq!(known(&desk, ONE).await.map(|import| import.stage), Some(undone(&desk, ONE, 2).await));
    assert_eq!(desk.timeline(RecordKind::User, "u").await, ["after", "before"]);
    assert!(desk.find(RecordKind::User, "v").await.is_none(), "whoever was only named by it is gone");
    let records = desk.store().records(desk.workspace().id);
    assert_eq!(records.map(|records| records.users), Some(2), "and does not count");
    let account = desk.profile(RecordKind::Account, "a").await;
    assert_eq!(account.as_account().map(|account| account.users_count), Some(1));
    assert_eq!(desk.timeline(RecordKind::User, "w").await, ["x"], "the other import brought it too");
    assert_eq!(
        bring(&mut desk, ONE, (5, 0), &[does("u", "late", 6)]).await,
        [Outcome::Deleted],
        "it takes nothing more"
    );
    assert_eq!(
        desk.send(&[does("u", "alone", 3), joins("v", "a", 4)]).await,
        [Outcome::Stored; 2],
        "they may come again"
    );
    assert_eq!(desk.accounts_of("v").await, ["a"]);
    undo(&mut desk, TWO).await;
    assert!(desk.find(RecordKind::User, "w").await.is_none(), "with the last who brought it, it goes");
    assert_eq!(desk.timeline(RecordKind::User, "u").await, ["alone", "after", "before"]);
}

/// The stage of an import that was undone, with so many messages.
async fn undone<S: Subject>(desk: &Desk<'_, S>, id: ImportId, expected: u64) -> Stage {
    let Some(Stage::Undone { at, messages }) = known(desk, id).await.map(|import| import.stage) else {
        panic!("import {id} is not undone")
    };
    assert_eq!(messages, expected);
    Stage::Undone { at, messages }
}

/// What of an arrival comes by which way: by itself, or by one of two imports.
fn way(choice: u64, place: usize) -> Option<ImportId> {
    let mixed = (choice ^ place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61;
    match mixed {
        0..4 => None,
        4 | 5 => Some(ONE),
        _ => Some(TWO),
    }
}

/// Gives a store what arrives, some of it by two imports, of which one is taken back somewhere on the way and, for some
/// choices, the other one at the end; and compares it with the twin that was only given what came otherwise too.
pub async fn check<S: Subject>(desk: &mut Desk<'_, S>, arrival: &Arrival, choice: u64) -> Result<(), Difference> {
    begin(desk, ONE).await;
    begin(desk, TWO).await;
    let (mut live, mut by_two, mut place) = (BTreeSet::<usize>::new(), BTreeSet::<usize>::new(), [0, 0, 0]);
    let ends_at = (choice % (arrival.steps.len() as u64 + 1)) as usize;
    for (number, step) in arrival.steps.iter().enumerate() {
        if number == ends_at {
            undo(desk, ONE).await;
        }
        match step {
            Step::Batch(numbers) => {
                let mut batch = desk.batch();
                numbers.iter().for_each(|number| arrival.sent[*number].add_to(&mut batch, desk.ids()));
                if let Some(id) = way(choice, number) {
                    let from = place[id.0 as usize];
                    let to = from + numbers.len() as u64;
                    place[id.0 as usize] = to;
                    let part = Part { from, to, position: from, ..Part::default() };
                    batch.import(&Note::Part { id, at: desk.now(), part, bookmark: None });
                }
                desk.append(batch.build()).await;
                match way(choice, number) {
                    None => live.extend(numbers),
                    Some(id) if id == TWO => by_two.extend(numbers),
                    Some(_) => {}
                }
            }
            Step::Decree(_) => {}
            Step::Settle => desk.settle().await,
            Step::Reopen => desk.reopen().await,
            Step::Recover => desk.recover().await,
        }
    }
    if ends_at >= arrival.steps.len() {
        undo(desk, ONE).await;
    }
    if choice.is_multiple_of(3) {
        undo(desk, TWO).await;
    } else {
        live.extend(by_two);
    }
    // What is set aside stays, whoever brought it.
    let kept = (0..arrival.sent.len()).filter(|number| {
        live.contains(number)
            || was_brought(arrival, *number, choice, ends_at) && arrival.sent[*number].check(desk.ids()).is_err()
    });
    let twin = Twin::new();
    let mut other = Desk::open(&twin, Pace::Straight).await;
    other.enter(&desk.workspace().name).await;
    for number in kept {
        let mut batch = other.batch();
        arrival.sent[number].add_to(&mut batch, other.ids());
        other.append(batch.build()).await;
    }
    desk.settle().await;
    let read = render(desk.store(), desk.workspace().id, Times::Hidden).await;
    let expected = render(other.store(), other.workspace().id, Times::Hidden).await;
    same_text(&without_catalogue(&read), &without_catalogue(&expected))
}

/// Whether a message came at all, by any way that was still open.
fn was_brought(arrival: &Arrival, message: usize, choice: u64, ends_at: usize) -> bool {
    arrival.steps.iter().enumerate().any(|(number, step)| {
        let is_open = way(choice, number) != Some(ONE) || number < ends_at;
        is_open && matches!(step, Step::Batch(numbers) if numbers.contains(&message))
    })
}
