//! The command: open, bind, announce, serve, close.
//!
//! The order matters. The store is opened first, so that what an earlier stop left behind is settled before anybody
//! can ask; then the address is bound; then the first key is made, so that its token is not shown for a server that
//! cannot listen; then `local.json` says where the server is. At the end, whatever it was, the store is closed.

use std::{fs, io, net::SocketAddr, path::Path, sync::Arc};

use anyhow::Context;
use muster_server::{AppState, Tls, keys::Token};
use muster_store::{Store, clock::SystemClock};
use tokio::net::TcpListener;

use super::{certificate, first_key, handles, welcome};
use crate::{
    assemble,
    config::settings::Settings,
    exit::Exit,
    local::{Announcement, LocalServer},
    output,
    shutdown::StopSignals,
    telemetry,
};

/// Runs until a signal asks for a stop.
pub fn run(mut settings: Settings) -> anyhow::Result<Exit> {
    telemetry::start(&settings.log);
    let bootstrap = first_key::from_environment()?;
    let tls = settings.tls.clone().map(certificate::tls).transpose()?;
    share_out_handles(&mut settings);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let _inside = runtime.enter();
    let data_dir = settings.place.data_dir.clone();
    tracing::info!(checkpoint_bytes_max = settings.engine.checkpoint_bytes_max, "opening");
    let opened = assemble::open_to_serve(&settings).map_err(|error| error.into_error(&data_dir))?;
    let (shown, recovery) = (data_dir.display(), &opened.recovery);
    if opened.dropped {
        tracing::warn!(data_dir = %shown, "{recovery}");
    } else {
        tracing::info!(data_dir = %shown, "{recovery}");
    }
    // A data directory is ours now; whatever says that another server runs here is left over from one that crashed. Of a
    // cluster several nodes may announce themselves in one directory, and the last of them is found there.
    let is_ours = settings.cluster.is_none();
    if is_ours {
        Announcement::clear(&data_dir).with_context(|| format!("{} cannot be written", data_dir.display()))?;
    }
    let store = opened.store;
    let served = runtime.block_on(serve(settings, tls, Arc::clone(&store), bootstrap));
    let closed = runtime.block_on(store.close());
    if is_ours {
        Announcement::clear(&data_dir).context("local.json cannot be removed")?;
    }
    served?;
    closed.context("the store could not be closed in order; the next start goes on from what is durable")?;
    tracing::info!("stopped");
    Ok(Exit::Success)
}

/// Has the server and the store get along with the file handles that there are.
fn share_out_handles(settings: &mut Settings) {
    let (handles, wanted) = (handles::raise(), settings.server.connections_max);
    let shares = handles::share_out(handles, wanted);
    if shares.connections < wanted {
        tracing::warn!(
            handles,
            wanted,
            connections_max = shares.connections,
            "the file-handle limit is lower than http.connections_max needs; raise it"
        );
    }
    settings.server.connections_max = shares.connections;
    settings.server.turned_away_max = shares.turned_away;
    settings.engine.state_files_max = shares.state_files;
}

async fn serve(
    settings: Settings,
    tls: Option<Tls>,
    store: Arc<dyn Store>,
    bootstrap: Option<Token>,
) -> anyhow::Result<()> {
    let clock = Arc::new(SystemClock);
    let signals = StopSignals::listen().context("signals cannot be listened to")?;
    let listener = bind(settings.place.listen).await?;
    let address = listener.local_addr().context("the address listened on is not known")?;
    let made = first_key::ensure(store.as_ref(), clock.as_ref(), bootstrap).await?;
    let operator = Token::mint();
    let mut server = settings.server();
    server.operator_token = Some(operator.clone());
    let speaks_tls = tls.is_some();
    server.tls = tls;
    let state = AppState::new(store, clock, server);
    state.configure_destinations(settings.destinations).await.map_err(|says| anyhow::anyhow!(says))?;
    let data_dir = settings.place.data_dir;
    let (is_ours, keeps) = match &settings.cluster {
        None => (true, format!("in {}", data_dir.display())),
        Some(_) => (false, "in PostgreSQL".to_owned()),
    };
    let url = LocalServer::url_of(address, speaks_tls);
    let local = LocalServer { url: url.clone(), token: operator.reveal().to_owned(), pid: std::process::id() };
    let announcement = announce(&data_dir, &local, is_ours)?;
    tracing::info!(listen = %address, data_dir = %data_dir.display(), "ready");
    if !address.ip().is_loopback() && !speaks_tls {
        tracing::warn!("listening beyond this machine without TLS; set [tls], or put a proxy that speaks TLS in front");
    }
    if let Some(token) = made
        && output::data(&welcome::text(&url, &keeps, token.reveal())).is_err()
    {
        tracing::warn!(
            "the first key could not be shown: standard output is closed; `muster keys create` makes another"
        );
    }
    let stop = async move {
        signals.asked().await;
        if let Some(Err(error)) = announcement.map(Announcement::withdraw) {
            tracing::warn!(%error, "local.json could not be removed");
        }
    };
    muster_server::serve(listener, state, stop).await.context("the server failed")
}

/// Says in the directory where the server is. A node of a cluster does without where that is not possible: nothing but this
/// is kept there.
fn announce(data_dir: &Path, local: &LocalServer, is_ours: bool) -> anyhow::Result<Option<Announcement>> {
    let made = if is_ours { Ok(()) } else { fs::create_dir_all(data_dir) };
    match made.and_then(|()| Announcement::publish(data_dir, local)) {
        Ok(announcement) => Ok(Some(announcement)),
        Err(error) if is_ours => {
            Err(anyhow::Error::new(error).context(format!("{} cannot be written", data_dir.display())))
        }
        Err(error) => {
            let data_dir = data_dir.display();
            tracing::warn!(%data_dir, %error, "commands on this machine have to name this node with --url");
            Ok(None)
        }
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let advice = bind_advice(error.kind());
        anyhow::Error::new(error).context(format!("cannot listen on {address}; {advice}"))
    })
}

fn bind_advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::AddrInUse => {
            "is another server running there? --listen takes another address, and port 0 a free port"
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not use the port: take one from 1024 on, or allow it (AmbientCapabilities=CAP_NET_BIND_SERVICE in a \
             systemd unit)"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: --listen takes one of its own, or 0.0.0.0 or [::] for all of them"
        }
        _ => "--listen takes another address",
    }
}
