//! The real engine against the in-memory twin: random messages of all kinds, in any order, with any repetition, cut into
//! any batches, with checkpoints, compactions, reopenings and crashes at random points, read to the same bytes.

mod support;

use muster_embedded::{Embedded, Finding, Options, Severity, examine};
use muster_store::{
    status::Status,
    suite::{
        Desk, Pace, Subject,
        arbitrary::{Shape, arrivals_with_a_choice, arrivals_with_deletions, for_all, for_each},
        imports,
        order::{Difference, check, check_deletions, check_on_the_way},
    },
};
use support::{open_when_free, options};

struct Directory {
    dir: tempfile::TempDir,
    checkpoint_bytes_max: usize,
}

impl Directory {
    fn new() -> Directory {
        Directory { dir: tempfile::tempdir().unwrap(), checkpoint_bytes_max: usize::MAX }
    }
}

impl Subject for Directory {
    type Store = Embedded;

    async fn open(&self) -> Embedded {
        let checkpoint_bytes_max = self.checkpoint_bytes_max;
        open_when_free(Options { checkpoint_bytes_max, ..options(self.dir.path()) }).await
    }

    async fn open_cramped(&self) -> Embedded {
        self.open().await
    }

    async fn settle(&self, store: &Embedded) {
        store.checkpoint().await;
    }

    async fn abandon(&self, store: Embedded) {
        drop(store);
    }
}

impl Directory {
    /// What became of a check; after one that held, an examination finds nothing wrong: what is kept twice agrees.
    async fn sound(&self, outcome: Result<(), Difference>) -> Result<(), Difference> {
        outcome?;
        let engine = open_when_free(options(self.dir.path())).await;
        engine.close().await.expect("a clean close");
        drop(engine);
        let findings = examine(self.dir.path(), &mut |_| {}).expect("the directory is free");
        let faults: Vec<_> = findings.iter().filter(|finding| finding.severity == Severity::Fault).collect();
        assert_eq!(faults, [] as [&Finding; 0]);
        Ok(())
    }
}

fn holds(cases: u32, messages_max: usize, shape: Shape) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for_all(cases, messages_max, shape, |arrival| {
        runtime.block_on(async {
            let subject = Directory::new();
            let mut desk = Desk::open(&subject, Pace::Straight).await;
            let outcome = Box::pin(check(&mut desk, arrival, shape)).await;
            drop(desk);
            subject.sound(outcome).await
        })
    });
}

#[test]
fn few_messages_received_at_one_instant() {
    holds(60, 12, Shape::TIMELESS);
}

#[test]
fn hundreds_of_messages_received_at_one_instant() {
    holds(12, 400, Shape::TIMELESS);
}

#[test]
fn hundreds_of_messages_with_receipts_of_their_own() {
    holds(8, 300, Shape::ORDERLESS);
}

#[test]
fn conflicts_fall_as_they_do_in_the_twin() {
    holds(40, 40, Shape::ANY);
}

#[test]
fn deletions_at_any_point() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for_each(4, 7, arrivals_with_deletions(1..=40, 2), |arrival| {
        runtime.block_on(async {
            let subject = Directory::new();
            let mut desk = Desk::open(&subject, Pace::Straight).await;
            let outcome = Box::pin(check_deletions(&mut desk, arrival)).await;
            drop(desk);
            subject.sound(outcome).await
        })
    });
}

/// What is kept of records in memory for lists is asked again and again while these change, are deleted, come back and reach the disk.
#[test]
fn reads_between_messages_and_deletions() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for (seed, steps_between) in [(21, 1), (22, 3)] {
        for_each(3, seed, arrivals_with_deletions(1..=30, 2), |arrival| {
            runtime.block_on(async {
                let subject = Directory::new();
                let mut desk = Desk::open(&subject, Pace::Straight).await;
                let outcome = Box::pin(check_on_the_way(&mut desk, arrival, steps_between)).await;
                drop(desk);
                subject.sound(outcome).await
            })
        });
    }
}

fn imports_taken_back(size: usize, cases: u32, subject: impl Fn() -> Directory) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for_each(cases, size, arrivals_with_a_choice(1..=40), |(arrival, choice)| {
        runtime.block_on(async {
            let subject = subject();
            let mut desk = Desk::open(&subject, Pace::Straight).await;
            let outcome = Box::pin(imports::check(&mut desk, arrival, *choice)).await;
            drop(desk);
            subject.sound(outcome).await
        })
    });
}

#[test]
fn imports_taken_back_at_any_point() {
    imports_taken_back(11, 6, Directory::new);
}

/// So little may be held that few records are made anew at once.
#[test]
fn imports_taken_back_a_few_records_at_a_time() {
    imports_taken_back(13, 3, || Directory { checkpoint_bytes_max: 2_000, ..Directory::new() });
}
