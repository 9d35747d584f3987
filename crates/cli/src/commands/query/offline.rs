//! In a data directory that nobody else uses.

use std::sync::Arc;

use anyhow::anyhow;
use muster_query::{Engine, Gone, Out, QueryError, Stop, TraitNames, run};
use muster_server::ServerSettings;
use muster_store::Store;

use super::order::Order;

/// Asks the store and closes it.
pub fn carry_out(
    store: &Arc<dyn Store>,
    settings: &ServerSettings,
    order: &Order,
    take: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let asked = ask(store.as_ref(), settings, order, take);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let closed = runtime.block_on(store.close());
    asked?;
    closed.map_err(|error| anyhow!("the answer is complete, but the store could not be closed in order: {error}"))
}

fn ask(
    store: &dyn Store,
    settings: &ServerSettings,
    order: &Order,
    take: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let found = store.workspaces().into_iter().find(|workspace| workspace.name == order.workspace);
    let workspace = found.ok_or_else(|| {
        anyhow!("there is no workspace {}; `muster keys list` shows those that have keys", order.workspace)
    })?;
    let names = &settings.trait_names;
    let names = TraitNames {
        mrr: names.mrr.clone(),
        next_renewal_date: names.next_renewal_date.clone(),
        churned_at: names.churned_at.clone(),
        trial_end_date: names.trial_end_date.clone(),
    };
    let engine = Engine { store, workspace: (workspace.id, &workspace.name), names };
    let stop = Stop::after(settings.query_limits.time_max);
    let mut out = Printed { take, failure: None };
    let answered = run(&engine, &order.request, &settings.query_limits, order.format(), stop, &mut out);
    match (out.failure, answered) {
        (Some(failure), _) => Err(failure),
        (None, Ok(_)) => Ok(()),
        (None, Err(QueryError::Sql { message, position: Some(position) })) => {
            Err(anyhow!("{message} (at byte {position} of the statement)"))
        }
        (None, Err(error)) => Err(anyhow!("{error}")),
    }
}

/// Where the answer goes.
struct Printed<'t> {
    take: &'t mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
    failure: Option<anyhow::Error>,
}

impl Out for Printed<'_> {
    fn take(&mut self, bytes: Vec<u8>) -> Result<(), Gone> {
        (self.take)(&bytes).map_err(|failure| {
            self.failure = Some(failure);
            Gone
        })
    }
}
