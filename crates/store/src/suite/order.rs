//! The same messages in any order read the same.
//!
//! What may differ by arrival, and why:
//!
//! * `createdAt`: the time of receipt of the first message to arrive that names the record. It must never move once it
//!   was shown, or a pass over a list by creation would miss records, so it cannot be the smallest of them all.
//! * `updatedAt`: the latest time of receipt of a message that concerned the record when it arrived. A track that came
//!   before its user's link did not concern the account then.
//! * The order of lists by these two.
//! * `seen` and `seen_stale` of accounts and users, as a profile keeps them, and what else a user's profile has to follow
//!   from: bookkeeping, of which [`Profiles::seen`] tells the exact outcome. The text has that instead.
//! * Which of several conflicting messages stands, and the bytes of one of several spellings of the same message: the
//!   first to arrive, by the contract. The time of receipt of a message that was sent twice, likewise, and what follows
//!   from it: the instant of an event without a timestamp, the place in the order of a statement from a clock that runs
//!   ahead. Random arrivals that compare orders leave these out ([`Shape::ORDERLESS`]); those that compare stores given
//!   the same order have them ([`Shape::ANY`]).
//!
//! With one time of receipt for all messages nothing is left that may differ ([`Shape::TIMELESS`]).
//!
//! [`Profiles::seen`]: crate::profiles::Profiles::seen
//! [`Shape::ORDERLESS`]: crate::suite::arbitrary::Shape::ORDERLESS
//! [`Shape::ANY`]: crate::suite::arbitrary::Shape::ANY
//! [`Shape::TIMELESS`]: crate::suite::arbitrary::Shape::TIMELESS

use muster_model::id::WorkspaceId;

use super::{
    Desk, Pace, Sent, Subject,
    arbitrary::{Arrival, Shape, Step, sample},
    desk::START,
    phrases::WORLD_CUP,
    reads::{Times, render},
    subject::Twin,
};
use crate::Store;

/// Two stores that should read the same and do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The heading of the read that differs.
    pub read: String,
    /// What the first store says there, with the line before it.
    pub one: String,
    /// What the second store says there.
    pub other: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "under {}\none store says:\n{}\nthe other says:\n{}", self.read, self.one, self.other)
    }
}

impl std::error::Error for Difference {}

/// Compares everything that can be read from a workspace of one store and one of another. The workspaces must have the
/// same name, or no two ids are the same.
pub async fn same_reads<A: Store, B: Store>(
    (one, in_one): (&A, WorkspaceId),
    (other, in_other): (&B, WorkspaceId),
    times: Times,
) -> Result<(), Difference> {
    same_text(&render(one, in_one, times).await, &render(other, in_other, times).await)
}

/// Where two renderings first differ.
pub fn same_text(one: &str, other: &str) -> Result<(), Difference> {
    if one == other {
        return Ok(());
    }
    let (ones, others): (Vec<&str>, Vec<&str>) = (one.lines().collect(), other.lines().collect());
    let same = ones.iter().zip(&others).take_while(|(one, other)| one == other).count();
    let heading = ones[..same].iter().rev().find(|line| line.starts_with("== ")).unwrap_or(&"the beginning");
    let around = |lines: &[&str]| lines[same.saturating_sub(2)..lines.len().min(same + 3)].join("\n");
    Err(Difference { read: (*heading).to_owned(), one: around(&ones), other: around(&others) })
}

/// Gives a store what arrives, step by step.
pub async fn deliver<S: Subject>(desk: &mut Desk<'_, S>, arrival: &Arrival) {
    deliver_steps(desk, arrival, &arrival.steps).await;
}

async fn deliver_steps<S: Subject>(desk: &mut Desk<'_, S>, arrival: &Arrival, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Batch(numbers) => {
                let mut batch = desk.batch();
                for number in numbers {
                    arrival.sent[*number].add_to(&mut batch, desk.ids());
                }
                desk.append(batch.build()).await;
            }
            Step::Decree(number) => desk.decree(&arrival.decrees[*number]).await,
            Step::Settle => desk.settle().await,
            Step::Reopen => desk.reopen().await,
            Step::Recover => desk.recover().await,
        }
    }
}

/// Gives a store what arrives and compares it with the in-memory twin: with one that was given the same in the same
/// order, to the last byte; and, as far as its shape lets it, with one that was given it in another.
pub async fn check<S: Subject>(desk: &mut Desk<'_, S>, arrival: &Arrival, shape: Shape) -> Result<(), Difference> {
    deliver(desk, arrival).await;
    let read = async |times| render(desk.store(), desk.workspace().id, times).await;
    let name = &desk.workspace().name;
    same_text(&read(Times::Shown).await, &twin(name, arrival, Times::Shown).await)?;
    if shape.conflicts {
        return Ok(());
    }
    let times = if shape.one_receipt { Times::Shown } else { Times::Hidden };
    same_text(&read(times).await, &twin(name, &arrival.plain(), times).await)
}

/// Gives a store and the in-memory twin what arrives, and compares them each time after some more steps: what a store keeps of
/// earlier reads is true of what came since. A deletion is waited for, since a store may carry it out a while later.
pub async fn check_on_the_way<S: Subject>(
    desk: &mut Desk<'_, S>,
    arrival: &Arrival,
    steps_between: usize,
) -> Result<(), Difference> {
    let subject = Twin::new();
    let mut twin = Desk::open(&subject, Pace::Straight).await;
    twin.enter(&desk.workspace().name).await;
    for steps in arrival.steps.chunks(steps_between) {
        deliver_steps(desk, arrival, steps).await;
        deliver_steps(&mut twin, arrival, steps).await;
        if steps.iter().any(|step| matches!(step, Step::Decree(_))) {
            desk.settle().await;
        }
        let read = without_catalogue(&render(desk.store(), desk.workspace().id, Times::Hidden).await);
        same_text(&read, &without_catalogue(&render(twin.store(), twin.workspace().id, Times::Hidden).await))?;
    }
    Ok(())
}

/// Gives a store messages and deletions and compares it with the twin that was given them in the same order, with one that
/// was given all deletions after all messages, and with one that was given them before. Times of receipt are left out:
/// when a record was first heard of follows arrival.
pub async fn check_deletions<S: Subject>(desk: &mut Desk<'_, S>, arrival: &Arrival) -> Result<(), Difference> {
    deliver(desk, arrival).await;
    desk.settle().await;
    let read = without_catalogue(&render(desk.store(), desk.workspace().id, Times::Hidden).await);
    let name = &desk.workspace().name;
    for order in [arrival, &arrival.plain(), &arrival.decrees_first()] {
        same_text(&read, &without_catalogue(&twin(name, order, Times::Hidden).await))?;
    }
    Ok(())
}

/// The catalogue knows the keys of every trait that was ever stored, also of messages that were deleted since.
pub fn without_catalogue(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("== trait of "));
    lines.collect::<Vec<&str>>().join("\n")
}

/// What the in-memory twin reads after an arrival.
async fn twin(workspace: &str, arrival: &Arrival, times: Times) -> String {
    let subject = Twin::new();
    let mut desk = Desk::open(&subject, Pace::Straight).await;
    desk.enter(workspace).await;
    deliver(&mut desk, arrival).await;
    render(desk.store(), desk.workspace().id, times).await
}

/// Of several cases those that a pace goes through: where each takes as many pauses as messages, fewer of them.
fn chosen<S: Subject>(cases: std::ops::Range<u64>, pace: Pace) -> impl Iterator<Item = u64> {
    cases.step_by(if pace == Pace::Mixed { S::PAUSED_CASES } else { 1 })
}

async fn check_samples<S: Subject>(subject: &S, pace: Pace, seeds: std::ops::Range<u64>, shape: Shape) {
    let mut desk = Desk::open(subject, pace).await;
    for seed in chosen::<S>(seeds, pace) {
        // One store, a workspace for each.
        desk.enter(&format!("seed-{seed}")).await;
        let arrival = sample(seed, 60, shape);
        let compared = check(&mut desk, &arrival, shape).await;
        compared.unwrap_or_else(|difference| panic!("seed {seed} of {shape:?}: {difference}"));
    }
}

/// One batch, one message a request, shuffled, repeated: the documentation's own example.
pub async fn the_documentations_example_in_any_order<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let sent = WORLD_CUP.map(|text| Sent::new(text, START)).to_vec();
    for number in chosen::<S>(0..24, pace).map(|number| number as usize) {
        // The digits of the number in the factorial system choose one of the 24 orders.
        let mut left = vec![0, 1, 2, 3];
        let order = [number / 6, number / 2 % 3, number % 2, 0].map(|digit| left.remove(digit));
        let mut steps: Vec<Step> = order.iter().map(|place| Step::Batch(vec![*place])).collect();
        steps.insert(number % 4, Step::Batch(vec![order[number % 3], order[0]]));
        desk.enter(&format!("order-{number}")).await;
        let compared =
            check(&mut desk, &Arrival { sent: sent.clone(), decrees: Vec::new(), steps }, Shape::TIMELESS).await;
        compared.unwrap_or_else(|difference| panic!("{order:?}: {difference}"));
    }
}

/// Any order, repetition and batching of messages received at one instant leaves the same bytes.
pub async fn random_messages_in_any_order<S: Subject>(subject: &S, pace: Pace) {
    check_samples(subject, pace, 0..4, Shape::TIMELESS).await;
}

/// The same with times of receipt of their own.
pub async fn random_messages_read_as_from_the_twin<S: Subject>(subject: &S, pace: Pace) {
    check_samples(subject, pace, 4..8, Shape::ORDERLESS).await;
}

/// Stores given the same order agree on conflicts, too.
pub async fn conflicts_are_decided_by_arrival_alone<S: Subject>(subject: &S, pace: Pace) {
    check_samples(subject, pace, 8..12, Shape::ANY).await;
}
