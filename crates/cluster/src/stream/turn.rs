//! Turning from a server of which nothing comes.
//!
//! A connection may stand to a server that is cut off from the others: it takes nothing and knows of no leader, and nobody says
//! that others do. When nothing that is asked has come to anything for a while, another server is asked.

use std::time::{Duration, Instant};

use async_nats::{Client, ServerAddr, connection::State};
use parking_lot::Mutex;
use tracing::warn;

/// Longest time for which nothing comes to anything before another server is asked. Electing a leader anew mostly takes less.
const TROUBLED_MAX: Duration = Duration::from_secs(5);

/// Since when nothing that was asked has come to anything.
#[derive(Default)]
pub struct Trouble(Mutex<Option<Instant>>);

impl Trouble {
    /// Something that was asked at an instant came to something, or to nothing.
    pub fn note(&self, client: &Client, asked_at: Instant, is_well: bool) {
        let mut since = self.0.lock();
        if is_well {
            *since = None;
            return;
        }
        let troubled = since.get_or_insert(asked_at).elapsed() > TROUBLED_MAX;
        // Where there is no connection another server is tried anyway.
        if troubled && client.connection_state() == State::Connected {
            *since = Some(Instant::now());
            let client = client.clone();
            tokio::spawn(async move { turn(&client).await });
        }
    }
}

/// Goes on with the server that comes after the first one.
async fn turn(client: &Client) {
    warn!("the server of NATS at hand answers nothing of use; another one is asked");
    let Ok(pool) = client.server_pool().await else { return };
    let mut servers: Vec<ServerAddr> = pool.into_iter().map(|server| server.addr).collect();
    if servers.is_empty() {
        return;
    }
    servers.rotate_left(1);
    // A client that is gone needs no server.
    if client.set_server_pool(servers.as_slice()).await.is_ok() {
        let _ = client.force_reconnect().await;
    }
}
