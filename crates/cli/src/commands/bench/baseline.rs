//! The server that parses and drops, as a process of its own.
//!
//! It tells its address on standard output and ends when its standard input does, so that it never outlives the
//! benchmark that started it. Only ever on a loopback address. The store behind it is empty and is never asked.

use std::{io::Read, sync::Arc};

use anyhow::Context;
use muster_server::AppState;
use muster_store::{clock::SystemClock, memory::MemoryStore};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{config::settings::Settings, exit::Exit, output};

/// Serves until standard input ends.
pub fn run(settings: &Settings) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let state = AppState::new(Arc::new(MemoryStore::new()), Arc::new(SystemClock), settings.server.clone());
    let (ended, end) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        drop(ended);
    });
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free loopback port")?;
        output::data(&format!("{}\n", listener.local_addr()?))?;
        let end = async {
            let _ = end.await;
        };
        muster_server::serve_baseline(listener, state, end).await.context("the baseline server failed")
    })?;
    Ok(Exit::Success)
}
