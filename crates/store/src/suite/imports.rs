//! Imports: what they brought and how far they have come, whatever happens in between.

use muster_model::id::ImportId;

use super::{
    Desk, Pace, Subject,
    phrases::{does, joins},
};
use crate::{
    import::{Import, Imports, Note, Part, Source, Stage},
    receipt::Outcome,
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
    batch.import(&Note::Part { id, at: desk.now(), part });
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
