//! Turning applied messages into sorted rows.
//!
//! Rows are sorted by account, user and time, so that what is read together lies together and compresses well. The
//! account is the one a message names or, for a user's message without one, the one the user belonged to as far as was
//! known; readers never trust it for more than where to look.

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use muster_history::{
    columns::{BATCH_ROWS, Columns},
    filed::link_at,
    schema::Layout,
};
use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    time::Micros,
};
use muster_store::record;
use rustc_hash::FxHashMap;

use crate::{
    overlay::{Overlay, Row},
    slots::SlotNumber,
    touch::touch,
};

/// Rows whose messages are looked at together before they are decoded.
const WARM_AHEAD: usize = 16;
const CACHE_LINE_BYTES: usize = 64;

/// A workspace's rows in the order of the file.
pub struct Sorted<'a> {
    overlay: &'a Overlay,
    /// The number of each in the overlay, with the rank of the account that it is filed under.
    order: Vec<(u32, u32)>,
    accounts: Vec<&'a str>,
}

/// What a row is sorted by, names as ranks; 0 stands for none.
type RowKey = (u32, u32, Micros);

/// Sorts the rows of one workspace.
pub fn sort(overlay: &Overlay, workspace: WorkspaceId) -> Sorted<'_> {
    let mut filing = Filing::new(overlay);
    let users = user_ranks(overlay, workspace);
    let rows = overlay.rows();
    let mut keyed: Vec<(RowKey, u32)> = Vec::with_capacity(rows.len());
    for (number, row) in (0u32..).zip(rows).filter(|(_, row)| row.workspace == workspace) {
        let user = row.user.map_or(0, |user| users[user.index()]);
        keyed.push(((filing.account(row), user, row.timestamp), number));
    }
    let ranks = ranks(&filing.names);
    for ((account, _, _), _) in &mut keyed {
        *account = ranks[*account as usize];
    }
    let mut accounts = filing.names;
    accounts.sort_unstable();
    let mut keyed = by_account(&keyed, accounts.len());
    keyed.chunk_by_mut(|((one, ..), _), ((other, ..), _)| one == other).for_each(<[_]>::sort_unstable);
    let order = keyed.into_iter().map(|((account, _, _), number)| (number, account)).collect();
    Sorted { overlay, order, accounts }
}

/// Rows in the order of their accounts. What is left to sort then is little at a time, and stays in the processor's caches.
fn by_account(keyed: &[(RowKey, u32)], accounts: usize) -> Vec<(RowKey, u32)> {
    let mut places = vec![0; accounts + 1];
    keyed.iter().for_each(|((account, ..), _)| places[*account as usize] += 1);
    let mut before = 0;
    for place in &mut places {
        let rows = std::mem::replace(place, before);
        before += rows;
    }
    let mut placed = vec![((0, 0, Micros(0)), 0); keyed.len()];
    for row in keyed {
        let place = &mut places[row.0.0 as usize];
        placed[*place] = *row;
        *place += 1;
    }
    placed
}

/// The place of each name in alphabetical order, from 1, by the name's number, from 1; 0 stays 0.
fn ranks(names: &[&str]) -> Vec<u32> {
    let mut order: Vec<u32> = (1..=names.len() as u32).collect();
    order.sort_unstable_by_key(|number| names[*number as usize - 1]);
    let mut ranks = vec![0; names.len() + 1];
    for (rank, number) in (1..).zip(order) {
        ranks[number as usize] = rank;
    }
    ranks
}

/// The same for the users among an overlay's slots, by the number of the slot.
fn user_ranks(overlay: &Overlay, workspace: WorkspaceId) -> Vec<u32> {
    let mut users: Vec<(&str, usize)> = Vec::new();
    for (place, (key, slot)) in overlay.profiles.numbered().enumerate() {
        if key.workspace == workspace && key.kind == RecordKind::User {
            users.push((&slot.profile.external_id, place));
        }
    }
    users.sort_unstable();
    let mut ranks = vec![0; overlay.profiles.numbered().len()];
    for (rank, (_, place)) in (1..).zip(users) {
        ranks[place] = rank;
    }
    ranks
}

/// Finds the account that a row is filed under, and numbers the accounts from 1 as they are met.
struct Filing<'a> {
    overlay: &'a Overlay,
    numbers: FxHashMap<RecordId, u32>,
    names: Vec<&'a str>,
    /// By slot: of an account its number, of a user the number of the account that all its rows are filed under.
    of_slot: Vec<Filed>,
}

#[derive(Clone, Copy)]
enum Filed {
    NotYetMet,
    /// Always under this account, or under none.
    Under(u32),
    /// It depends on the time.
    Depends,
}

impl<'a> Filing<'a> {
    fn new(overlay: &'a Overlay) -> Self {
        let of_slot = vec![Filed::NotYetMet; overlay.profiles.numbered().len()];
        Filing { overlay, numbers: FxHashMap::default(), names: Vec::new(), of_slot }
    }

    fn account(&mut self, row: &Row) -> u32 {
        let Some(slot) = row.account.or(row.user) else { return 0 };
        let known = self.of_slot[slot.index()];
        match known {
            Filed::Under(number) => number,
            Filed::Depends => self.account_at(slot, row.timestamp),
            Filed::NotYetMet => {
                let filed = self.meet(slot, row.account.is_some());
                self.of_slot[slot.index()] = filed;
                self.account(row)
            }
        }
    }

    fn meet(&mut self, slot: SlotNumber, is_account: bool) -> Filed {
        let overlay = self.overlay;
        let profile = &overlay.profiles.at(slot).profile;
        if is_account {
            return Filed::Under(self.number(profile.id, &profile.external_id));
        }
        match profile.as_user().map_or(&[][..], |user| user.accounts.links()) {
            [] => Filed::Under(0),
            [_] => Filed::Under(self.account_at(slot, Micros::MAX)),
            _ => Filed::Depends,
        }
    }

    fn account_at(&mut self, user: SlotNumber, at: Micros) -> u32 {
        let overlay = self.overlay;
        let link = link_at(&overlay.profiles.at(user).profile, at);
        link.map_or(0, |link| self.number(link.parent, &link.external_id))
    }

    fn number(&mut self, id: RecordId, name: &'a str) -> u32 {
        *self.numbers.entry(id).or_insert_with(|| {
            self.names.push(name);
            self.names.len() as u32
        })
    }
}

impl Sorted<'_> {
    /// Looks at rows that are about to be decoded and at their messages: sorted, they lie anywhere, and the processor fetches
    /// several at once sooner than one after the other.
    fn warm(&self, ahead: &[(u32, u32)]) {
        let row = |(number, _): &(u32, u32)| &self.overlay.rows()[*number as usize];
        touch(ahead.iter().map(|one| row(one).timestamp.0));
        let lines = |row: &Row| self.overlay.row_slice(*row).iter().step_by(CACHE_LINE_BYTES);
        touch(ahead.iter().flat_map(|one| lines(row(one))).copied());
    }

    /// The rows as batches of columns.
    pub fn batches(&self) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        self.order.chunks(BATCH_ROWS).map(|order| {
            let mut columns = Columns::new(order.len(), Layout::Plain);
            for ahead in order.chunks(WARM_AHEAD) {
                self.warm(ahead);
                for (number, account) in ahead {
                    let message = record::decode(self.overlay.row_slice(self.overlay.rows()[*number as usize]))
                        .map_err(|fault| ArrowError::ExternalError(Box::new(fault)))?;
                    let account = account.checked_sub(1).map(|rank| self.accounts[rank as usize]);
                    columns.push(&message, account, None)?;
                }
            }
            columns.finish()
        })
    }
}
