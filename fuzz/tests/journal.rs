//! Recovery from a journal of any bytes: an answer, never a panic, and after a repair the same answer without one.

use std::{fs, path::Path};

use bolero::check;
use muster_embedded::journal::{
    log::Log,
    replay::{Replayed, replay},
};
use muster_fuzz::hold_to;
use muster_model::{
    draft::Draft,
    id::{IdSpace, WorkspaceId},
    kinds::{Context, check_typed},
    limits::MessageLimits,
    time::Micros,
};
use muster_store::batch::{Batch, BatchBuilder};

fn batch(number: u32) -> Batch {
    let text = format!(r#"{{"type":"track","event":"e{number}","userId":"u","messageId":"m{number}"}}"#);
    let context = Context { ids: IdSpace::new("w"), received_at: Micros(1), limits: MessageLimits::default() };
    let mut builder = BatchBuilder::new(WorkspaceId(number), 0);
    builder.message(&check_typed(&Draft::from_text(&text, 64), &context).unwrap());
    builder.build()
}

/// Reads a directory; the numbers of the batches that were handed on.
fn read(dir: &Path, committed: u64) -> Option<(Vec<u32>, Replayed)> {
    let mut found = Vec::new();
    let replayed = replay(dir, committed, true, |batches| {
        found.extend(batches.iter().map(|batch| batch.workspace().0));
        Ok(())
    });
    replayed.ok().map(|replayed| (found, replayed))
}

/// A journal as it is written: eight batches in four frames.
fn written() -> Vec<u8> {
    let made = tempfile::tempdir().unwrap();
    let mut log = Log::start(made.path(), Vec::new(), 1).unwrap();
    for number in 1..=4 {
        log.append([&batch(number), &batch(number + 10)].into_iter()).unwrap();
    }
    fs::read(made.path().join(format!("{:020}.log", 1))).unwrap()
}

#[test]
fn the_corpus_holds_a_journal_as_it_is_written() {
    hold_to("journal", "written", &written());
}

#[test]
fn any_bytes_are_recovered_from_or_refused() {
    let whole = [1, 11, 2, 12, 3, 13, 4, 14];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(format!("{:020}.log", 1));
    check!(name = "journal").for_each(|input: &[u8]| {
        fs::write(&path, input).unwrap();
        let Some((found, replayed)) = read(dir.path(), 0) else { return };
        // A checksum of 64 bits does not let a frame through that nobody wrote.
        assert_eq!(found, whole[..found.len()], "only what was written, from the start");
        let (again, repaired) = read(dir.path(), 0).expect("what was repaired is read again");
        assert_eq!(again, found);
        assert!(repaired.cut.is_none(), "{:?} and again {:?}", replayed.cut, repaired.cut);
        if found.is_empty() && fs::metadata(&path).is_err() {
            return;
        }
        assert_eq!(repaired.next_sequence, replayed.next_sequence);
    });
}
