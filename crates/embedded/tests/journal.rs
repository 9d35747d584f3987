//! The journal under every cut and every flipped bit: what was acknowledged is read or its loss is reported, never
//! skipped; what was not acknowledged is cut and reported.

use std::{fs, path::Path};

use muster_embedded::{
    OpenError,
    journal::{
        log::Log,
        replay::{Replayed, replay},
    },
};
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

fn read(dir: &Path, committed: u64) -> Result<(Vec<u32>, Replayed), OpenError> {
    let mut found = Vec::new();
    let replayed = replay(dir, committed, true, |batches| {
        found.extend(batches.iter().map(|batch| batch.workspace().0));
        Ok(())
    })?;
    Ok((found, replayed))
}

/// Frames 1 to 3 in one file, 4 to 6 in the next.
fn write(dir: &Path) -> Log {
    let mut log = Log::start(dir, Vec::new(), 1).unwrap();
    for number in 1..=6 {
        // One way as well as the other.
        match number % 2 {
            0 => drop(log.append([&batch(number)].into_iter()).unwrap()),
            _ => assert_eq!(log.append_beside([&batch(number)].into_iter(), || number).unwrap().1, number),
        }
        assert_eq!(log.last_sequence(), u64::from(number));
        if number == 3 {
            log.rotate().unwrap();
        }
    }
    log
}

fn last_file(dir: &Path) -> std::path::PathBuf {
    dir.join(format!("{:020}.log", 4))
}

#[test]
fn frames_after_the_position_are_handed_on_in_order() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    for committed in 0..=6u32 {
        let (found, replayed) = read(dir.path(), u64::from(committed)).unwrap();
        assert_eq!(found, (committed + 1..=6).collect::<Vec<_>>());
        assert_eq!(replayed.next_sequence, 7);
        assert_eq!(replayed.cut, None);
    }
}

/// What is released goes, if it is there.
fn removed(path: &Path, _first: u64, _last: u64) -> std::io::Result<()> {
    muster_history::disk::remove_if_there(path)
}

#[test]
fn releasing_removes_only_what_is_covered() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = write(dir.path());
    log.release(2, removed).unwrap();
    assert_eq!(read(dir.path(), 2).unwrap().0, [3, 4, 5, 6]);
    log.release(3, removed).unwrap();
    assert_eq!(read(dir.path(), 3).unwrap().0, [4, 5, 6]);
    log.release(6, removed).unwrap();
    assert_eq!(read(dir.path(), 6).unwrap().1.next_sequence, 7);
}

/// A file that could not be removed was once forgotten while those after it were removed, and the gap that it left
/// looked like lost messages at the next start. A loss of power can leave the same gap.
#[test]
fn a_file_that_stays_behind_is_no_gap() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = write(dir.path());
    log.rotate().unwrap();
    let (first, aside) = (dir.path().join(format!("{:020}.log", 1)), dir.path().join("aside"));
    fs::rename(&first, &aside).unwrap();
    fs::create_dir(&first).unwrap();
    log.release(6, removed).unwrap_err();
    fs::remove_dir(&first).unwrap();
    fs::copy(&aside, &first).unwrap();
    assert!(last_file(dir.path()).exists(), "nothing after it was removed");

    fs::remove_file(last_file(dir.path())).unwrap();
    assert_eq!(read(dir.path(), 6).unwrap().1.next_sequence, 7);
    assert!(matches!(read(dir.path(), 5), Err(OpenError::Damaged { .. })), "a gap above the position is damage");
    log.release(6, removed).unwrap();
    assert!(!first.exists());
}

/// A recovery leaves a file without frames; the first checkpoint after it once tried to create that file again, for
/// ever.
#[test]
fn rotating_an_empty_file_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    drop(write(dir.path()));
    let replayed = read(dir.path(), 0).unwrap().1;
    let mut log = Log::start(dir.path(), replayed.files, replayed.next_sequence).unwrap();
    log.rotate().unwrap();
    log.rotate().unwrap();
    log.release(6, removed).unwrap();
    log.append([&batch(7)].into_iter()).unwrap();
    assert_eq!(read(dir.path(), 6).unwrap().0, [7]);
}

#[test]
fn a_torn_tail_is_cut_wherever_it_was_torn() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let whole = fs::read(last_file(dir.path())).unwrap();
    let frame = (whole.len() - 24) / 3;
    for end in 24..whole.len() {
        fs::write(last_file(dir.path()), &whole[..end]).unwrap();
        let kept = (end - 24) / frame;
        let (found, replayed) = read(dir.path(), 3).unwrap();
        assert_eq!(found.len(), kept, "cut at {end}");
        assert_eq!(replayed.cut.is_some(), (end - 24) % frame != 0, "cut at {end}");
        // The file is whole now, and the log goes on after it.
        let mut log = Log::start(dir.path(), replayed.files, replayed.next_sequence).unwrap();
        log.append([&batch(99)].into_iter()).unwrap();
        let (found, again) = read(dir.path(), 3).unwrap();
        assert_eq!(found.last(), Some(&99));
        assert_eq!(again.cut, None);
        for file in fs::read_dir(dir.path()).unwrap() {
            let path = file.unwrap().path();
            if path > last_file(dir.path()) {
                fs::remove_file(path).unwrap();
            }
        }
    }
}

#[test]
fn a_file_that_was_being_created_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let log = write(dir.path());
    drop(log);
    for head in [&b""[..], b"MUSTER", &[0; 24]] {
        fs::write(dir.path().join(format!("{:020}.log", 7)), head).unwrap();
        let (found, replayed) = read(dir.path(), 0).unwrap();
        assert_eq!((found.len(), replayed.next_sequence), (6, 7));
        assert!(replayed.cut.is_some());
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    for name in [1, 4] {
        let path = dir.path().join(format!("{name:020}.log"));
        let whole = fs::read(&path).unwrap();
        let frame = (whole.len() - 24) / 3;
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, &flipped).unwrap();
            let in_last_frame = name == 4 && at >= 24 + 2 * frame;
            match read(dir.path(), 0) {
                Err(OpenError::Damaged { what }) => assert!(what.contains("journal"), "{what}"),
                // The last frame of all cannot be told from one that was never acknowledged, but its loss is reported.
                Ok((found, replayed)) => {
                    assert!(in_last_frame, "byte {at} of file {name} was not missed");
                    assert_eq!(found, [1, 2, 3, 4, 5]);
                    assert!(replayed.cut.is_some());
                }
                Err(other) => panic!("{other}"),
            }
        }
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_missing_file_is_found() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let first = dir.path().join(format!("{:020}.log", 1));
    let second = last_file(dir.path());
    fs::rename(&first, dir.path().join("away")).unwrap();
    assert!(matches!(read(dir.path(), 0), Err(OpenError::Damaged { .. })));
    assert!(read(dir.path(), 3).is_ok(), "covered by the checkpoint");
    fs::rename(dir.path().join("away"), &first).unwrap();
    fs::remove_file(&second).unwrap();
    assert!(matches!(read(dir.path(), 5), Err(OpenError::Damaged { .. })));
    fs::remove_file(&first).unwrap();
    assert!(matches!(read(dir.path(), 5), Err(OpenError::Damaged { .. })));
}
