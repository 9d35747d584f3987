//! The in-memory twin in any order, with any repetition, cut into any batches.
//!
//! If the twin's own answers followed the order of arrival, it could not tell whether another store's do.

use muster_store::suite::{
    Desk, Pace,
    arbitrary::{Shape, arrivals_with_a_choice, arrivals_with_deletions, for_all, for_each},
    imports,
    order::{check, check_deletions},
    subject::Twin,
};

fn holds(cases: u32, messages_max: usize, shape: Shape) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for_all(cases, messages_max, shape, |arrival| {
        runtime.block_on(async {
            let subject = Twin::new();
            let mut desk = Desk::open(&subject, Pace::Straight).await;
            Box::pin(check(&mut desk, arrival, shape)).await
        })
    });
}

#[test]
fn few_messages_leave_the_same_bytes() {
    holds(1_500, 6, Shape::TIMELESS);
}

#[test]
fn many_messages_leave_the_same_bytes() {
    holds(40, 150, Shape::TIMELESS);
}

#[test]
fn few_messages_leave_the_same_but_for_times_of_receipt() {
    holds(1_500, 6, Shape::ORDERLESS);
}

#[test]
fn many_messages_leave_the_same_but_for_times_of_receipt() {
    holds(40, 150, Shape::ORDERLESS);
}

#[test]
fn deletions_at_any_point_leave_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (cases, messages_max) in [(1_000, 6), (60, 100)] {
        for_each(cases, messages_max, arrivals_with_deletions(1..=messages_max, 3), |arrival| {
            runtime.block_on(async {
                let subject = Twin::new();
                let mut desk = Desk::open(&subject, Pace::Straight).await;
                Box::pin(check_deletions(&mut desk, arrival)).await
            })
        });
    }
}

#[test]
fn imports_taken_back_at_any_point_leave_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (cases, messages_max) in [(1_000, 6), (60, 100)] {
        for_each(cases, messages_max, arrivals_with_a_choice(1..=messages_max), |(arrival, choice)| {
            runtime.block_on(async {
                let subject = Twin::new();
                let mut desk = Desk::open(&subject, Pace::Straight).await;
                Box::pin(imports::check(&mut desk, arrival, *choice)).await
            })
        });
    }
}
