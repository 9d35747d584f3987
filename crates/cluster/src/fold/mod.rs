//! Folding batches in: what is new of a workspace's messages becomes identities, history rows, profiles, links and places in lists,
//! in the transaction that moves the stream's position.
//!
//! A workspace's batches come by one lane, and whoever changes anything in it holds its row of the census meanwhile: they are
//! decided one after the other, also where a node has lost the lane and does not know it yet.

/// A batch, decoded before any transaction begins.
pub mod opened;

/// How long the duplicate check remembers.
pub mod memory;

/// What becomes of each message.
pub mod plan;

/// Records that a transaction touches.
pub mod sheet;

/// Writing what a sheet has changed.
pub mod write;

/// Where records stand in lists.
pub mod places;

/// By what searches find records.
pub mod grams;

/// Rows of the history, and what is counted of them.
pub mod rows;

/// What workspaces come to.
pub mod census;

/// Messages set aside.
pub mod refusals;

use std::cell::RefCell;

use muster_model::{
    change::apply,
    id::{IdSpace, WorkspaceId},
    kinds::fields::named,
};
use muster_store::receipt::Receipt;

use crate::{archive::Archive, erase, fault::Fault, sql::connection::Transaction};
use census::Census;
use memory::Remembers;
use opened::Opened;
use plan::{Counts, Plan};
use sheet::Sheet;

/// Folds a workspace's batches in; what became of each.
pub fn fold(
    transaction: &RefCell<Transaction<'_>>,
    (workspace, ids): (WorkspaceId, IdSpace),
    (archive, remembers): (&Archive, Remembers),
    batches: &[&Opened<'_>],
) -> Result<(Vec<Receipt>, Counts, Census), Fault> {
    let mut census = Census::hold(&mut transaction.borrow_mut(), workspace)?;
    let plan = Plan::make(&mut transaction.borrow_mut(), (workspace, ids), remembers, &census, batches)?;
    let mut sheet = Sheet::new(transaction, workspace, archive);
    let messages = || plan.kept.iter().map(|kept| &kept.message);
    sheet.fetch(messages().flat_map(|message| named(message).map(|(kind, id, _)| (kind, id)).collect::<Vec<_>>()))?;
    sheet.fetch_parents()?;
    for message in messages() {
        apply(&mut sheet, message)?;
    }
    rows::write(&mut transaction.borrow_mut(), workspace, &plan, &mut census)?;
    write::write(sheet, &mut census)?;
    plan.write(&mut transaction.borrow_mut(), workspace)?;
    erase::carry_out(transaction, (workspace, ids), archive, &plan, &mut census)?;
    census.keep(&mut transaction.borrow_mut())?;
    let counts = plan.counts();
    Ok((plan.receipts, counts, census))
}
