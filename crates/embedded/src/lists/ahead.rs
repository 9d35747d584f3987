//! Beginnings of lists gone through before anybody asks for them.
//!
//! Whoever reads a list from its beginning steps over the places that are gone there, and [remembers](crate::lists::gaps) it for
//! those who come later. After a checkpoint that is done for the lists that somebody read lately, and after a start, when
//! nothing is remembered, for those whose places move most.

use std::{collections::VecDeque, sync::Arc};

use muster_model::{id::WorkspaceId, kind::RecordKind};
use muster_store::lists::ListOrder;

use super::{
    along::{Along, Stretch},
    entries,
    gaps::{GapBook, List, ORDERS_MAX, Order},
};
use crate::state::State;

/// Places of a list that are gone through: more than the records of a page.
const PLACES: usize = 200;

/// Lists whose places move with every message, or with every link.
const MOVING: [(RecordKind, ListOrder); 8] = [
    (RecordKind::User, ListOrder::UpdatedAt),
    (RecordKind::Account, ListOrder::UpdatedAt),
    (RecordKind::Organization, ListOrder::UpdatedAt),
    (RecordKind::User, ListOrder::LastSeen),
    (RecordKind::Account, ListOrder::LastSeen),
    (RecordKind::Account, ListOrder::UsersCount),
    (RecordKind::Organization, ListOrder::UsersCount),
    (RecordKind::Organization, ListOrder::AccountsCount),
];

/// An order and the end that it is read from: the last one if downwards.
pub type Beginning = (Order, bool);

/// What is gone through after a start: of as many orders as are remembered at the most.
pub fn after_start(workspaces: &[WorkspaceId]) -> VecDeque<Beginning> {
    let orders = MOVING.iter().flat_map(|(kind, order)| {
        workspaces.iter().map(move |workspace| match entries::field(order) {
            Some(field) => Order::of_field(*workspace, *kind, field),
            None => Order::of_times(List::Updated, *workspace, *kind),
        })
    });
    orders.take(ORDERS_MAX).flat_map(|order| [(order, true), (order, false)]).collect()
}

/// Goes through the first places of a list.
pub fn go_through(state: &State, gaps: &Arc<GapBook>, (order, downwards): Beginning) {
    let stretch = Stretch { order, range: order.ends(), after: None, downwards };
    let places = Along::new(state, gaps, &state.database.snapshot(), stretch);
    // What cannot be read is told to whoever asks for it.
    places.take(PLACES).take_while(Result::is_ok).for_each(drop);
}
