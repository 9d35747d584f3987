//! In a data directory that nobody else uses.

use muster_server::keys::Token;
use muster_store::{
    Store,
    clock::{Clock, SystemClock},
    credentials::NewKey,
};

use super::{run::Order, shown::ShownKey};

/// Carries an order out.
pub async fn carry_out(store: &dyn Store, order: &Order) -> anyhow::Result<Vec<ShownKey>> {
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
