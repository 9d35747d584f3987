//! In a data directory that nobody else uses.

use std::sync::Arc;

use anyhow::anyhow;
use muster_server::keys::Token;
use muster_store::{
    Store,
    clock::{Clock, SystemClock},
    credentials::NewKey,
};

use super::{run::Order, shown::ShownKey};

/// Carries an order out and closes the store, so that the change is in its final place.
pub fn carry_out(store: &Arc<dyn Store>, order: &Order) -> anyhow::Result<Vec<ShownKey>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(change(store.as_ref(), order));
    let closed = runtime.block_on(store.close());
    let keys = done?;
    closed.map_err(|error| anyhow!("the change was made, but the store could not be closed in order: {error}"))?;
    Ok(keys)
}

async fn change(store: &dyn Store, order: &Order) -> anyhow::Result<Vec<ShownKey>> {
    match order {
        Order::Create { workspace, scopes, name } => {
            let token = Token::mint();
            let new = NewKey {
                workspace_name: workspace.clone(),
                name: name.clone(),
                scopes: *scopes,
                token_hash: token.hash(),
                created_at: SystemClock.now(),
            };
            let key = store.create_key(new).await?;
            Ok(vec![ShownKey::of(&key, Some(&token))])
        }
        Order::List => Ok(store.keys().iter().map(|key| ShownKey::of(key, None)).collect()),
        Order::Revoke { id } => {
            let key = store.revoke_key(*id, SystemClock.now()).await?;
            Ok(vec![ShownKey::of(&key, None)])
        }
    }
}
