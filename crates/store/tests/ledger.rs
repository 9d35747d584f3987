//! The incremental fold that engines use, against the twin that folds by definition.
//!
//! A ledger over hash maps, driven by [`muster_model::change::apply`] in the order of arrival, must agree with the twin on
//! every profile, every child and the place of every event.

use std::collections::HashSet;

use hashed::{Hashed, compare_events, compare_records};
use muster_model::{change::apply, id::IdSpace};
use muster_store::suite::{
    Desk, Pace,
    arbitrary::{Arrival, Shape, Step, for_all},
    order::deliver,
    subject::Twin,
};

mod hashed;

fn fold(arrival: &Arrival) -> Hashed {
    let (mut ledger, mut known) = (Hashed::default(), HashSet::new());
    for step in &arrival.steps {
        let Step::Batch(numbers) = step else { continue };
        for number in numbers {
            let Ok(message) = arrival.sent[*number].check(IdSpace::new("default")) else { continue };
            if known.insert(message.identity) {
                let Ok(()) = apply(&mut ledger, &message);
            }
        }
    }
    ledger
}

async fn compare(ledger: &Hashed, twin: &Desk<'_, Twin>, arrival: &Arrival, same_order: bool) -> Result<(), String> {
    compare_records(ledger, twin, same_order).await?;
    let sent = arrival.sent.iter().filter_map(|sent| sent.check(IdSpace::new("default")).ok());
    compare_events(ledger, twin, sent).await
}

fn agrees(cases: u32, messages_max: usize, shape: Shape) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for_all(cases, messages_max, shape, |arrival| {
        runtime.block_on(async {
            let subject = Twin::new();
            let mut twin = Desk::open(&subject, Pace::Straight).await;
            deliver(&mut twin, arrival).await;
            compare(&fold(arrival), &twin, arrival, true).await?;
            if !shape.conflicts {
                compare(&fold(&arrival.plain()), &twin, arrival, false).await?;
            }
            Ok::<(), String>(())
        })
    });
}

#[test]
fn on_few_messages() {
    agrees(6_000, 5, Shape::ORDERLESS);
}

#[test]
fn on_some_messages() {
    agrees(1_500, 20, Shape::ORDERLESS);
}

#[test]
fn on_many_messages() {
    agrees(60, 200, Shape::ORDERLESS);
}

#[test]
fn on_conflicting_messages() {
    agrees(1_500, 20, Shape::ANY);
}
