//! A cluster against the in-memory twin: random messages in any order, with any repetition, cut into any batches, with
//! deletions and imports taken back at any point, read to the same bytes.

#[path = "support/subject.rs"]
mod subject;
mod support;

use muster_store::suite::{
    Desk, Pace,
    arbitrary::{Shape, arrivals_with_a_choice, arrivals_with_deletions, for_all, for_each},
    imports,
    order::{check, check_deletions},
};
use support::Place;

fn holds(cases: u32, messages_max: usize, shape: Shape) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let place = Place::new();
    let case = std::cell::Cell::new(0);
    for_all(cases, messages_max, shape, |arrival| {
        case.set(case.get() + 1);
        runtime.block_on(async {
            let mut desk = Desk::open(&place, Pace::Straight).await;
            desk.enter(&format!("case-{}", case.get())).await;
            Box::pin(check(&mut desk, arrival, shape)).await
        })
    });
}

#[test]
fn messages_received_at_one_instant() {
    holds(6, 60, Shape::TIMELESS);
}

#[test]
fn messages_with_receipts_of_their_own() {
    holds(4, 100, Shape::ORDERLESS);
}

#[test]
fn conflicts_fall_as_they_do_in_the_twin() {
    holds(6, 40, Shape::ANY);
}

#[test]
fn deletions_at_any_point() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for_each(4, 7, arrivals_with_deletions(1..=30, 2), |arrival| {
        runtime.block_on(async {
            let place = Place::new();
            let mut desk = Desk::open(&place, Pace::Straight).await;
            Box::pin(check_deletions(&mut desk, arrival)).await
        })
    });
}

#[test]
fn imports_taken_back_at_any_point() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for_each(4, 11, arrivals_with_a_choice(1..=30), |(arrival, choice)| {
        runtime.block_on(async {
            let place = Place::new();
            let mut desk = Desk::open(&place, Pace::Straight).await;
            Box::pin(imports::check(&mut desk, arrival, *choice)).await
        })
    });
}
