//! By asking the running server.

use anyhow::Context;
use serde::Deserialize;
use serde_json::json;

use super::{
    super::way::checked,
    run::Order,
    shown::{ShownKey, scope_names},
};
use crate::client::Client;

const PATH: &str = "/admin/v1/keys";

#[derive(Deserialize)]
struct Listed {
    results: Vec<ShownKey>,
}

/// Carries an order out through a server, as its operator.
pub fn carry_out(client: &Client, order: &Order) -> anyhow::Result<Vec<ShownKey>> {
    match order {
        Order::Create { workspace, scopes, name } => {
            let body = json!({"workspace": workspace, "scopes": scope_names(*scopes), "name": name});
            let answer = checked(client.post(PATH, body.to_string().as_bytes(), None))?;
            Ok(vec![serde_json::from_str(&answer.body).context("the server's answer is no key")?])
        }
        Order::List => list(client),
        Order::Revoke { id } => {
            checked(client.delete(&format!("{PATH}/{id}")))?;
            let mut keys = list(client)?;
            keys.retain(|key| key.id == *id);
            Ok(keys)
        }
    }
}

fn list(client: &Client) -> anyhow::Result<Vec<ShownKey>> {
    let answer = checked(client.get(PATH))?;
    let listed: Listed = serde_json::from_str(&answer.body).context("the server's answer is no list of keys")?;
    Ok(listed.results)
}
