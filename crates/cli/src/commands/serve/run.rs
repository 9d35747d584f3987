//! The command: open, bind, announce, serve, close.
//!
//! The order matters. The store is opened first, so that what an earlier stop left behind is settled before anybody
//! can ask; then the address is bound; then the first key is made, so that its token is not shown for a server that
//! cannot listen; then `local.json` says where the server is. At the end, whatever it was, the store is closed. A move ends
//! the serving in between, and it begins again on the same socket with another store.

use std::{fs, io, net::SocketAddr, path::Path, sync::Arc};

use anyhow::Context;
use muster_server::{AppState, Tls, keys::Token};
use muster_store::{Store, clock::SystemClock};
use parking_lot::Mutex;
use tokio::{net::TcpListener, runtime::Runtime};

use super::{
    certificate, first_key, handles,
    moving::{Asked, Moving},
    welcome,
};
use crate::{
    assemble::{self, Opened, moving::NotMoved},
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
    let opened = open(&settings)?;
    // A data directory is ours now; whatever says that another server runs here is left over from one that crashed. Of a
    // cluster several nodes may announce themselves in one directory, and the last of them is found there.
    let is_ours = settings.cluster.is_none();
    if is_ours {
        Announcement::clear(&data_dir).with_context(|| format!("{} cannot be written", data_dir.display()))?;
    }
    let moving = Moving::new(settings.clone(), opened.served());
    let store = opened.store;
    let signals = StopSignals::listen().context("signals cannot be listened to")?;
    let server = Server { settings, tls, bootstrap, operator: Token::mint(), signals, moving };
    let ended = server.run(&runtime, store);
    if is_ours {
        Announcement::clear(&data_dir).context("local.json cannot be removed")?;
    }
    ended?;
    tracing::info!("stopped");
    Ok(Exit::Success)
}

/// Opens the store of the settings, and says what was found.
fn open(settings: &Settings) -> anyhow::Result<Opened> {
    let data_dir = &settings.place.data_dir;
    let opened = assemble::open_to_serve(settings).map_err(|error| error.into_error(data_dir))?;
    let (shown, recovery) = (data_dir.display(), &opened.recovery);
    if opened.dropped {
        tracing::warn!(data_dir = %shown, "{recovery}");
    } else {
        tracing::info!(data_dir = %shown, "{recovery}");
    }
    Ok(opened)
}

/// A server, with one store or, after a move, with another.
struct Server {
    settings: Settings,
    tls: Option<Tls>,
    bootstrap: Option<Token>,
    operator: Token,
    signals: StopSignals,
    moving: Arc<Moving>,
}

impl Server {
    /// Serves until a signal asks for a stop; in between it may be moved to another store, and whoever connects meanwhile waits.
    fn run(mut self, runtime: &Runtime, mut store: Arc<dyn Store>) -> anyhow::Result<()> {
        let listener = runtime.block_on(bind(self.settings.place.listen)).and_then(|bound| Ok(bound.into_std()?));
        let listening = match listener {
            Ok(listener) => Listening(Mutex::new(Some(listener))),
            Err(error) => {
                // Why it cannot listen is what is to be known.
                let _ = runtime.block_on(store.close());
                return Err(error);
            }
        };
        loop {
            let served = runtime.block_on(self.serve(&listening, Arc::clone(&store)));
            if served.is_err() || self.signals.is_asked() {
                self.moving.stop();
                let closed = runtime.block_on(store.close());
                served?;
                return closed.context(NOT_CLOSED);
            }
            // Nothing but a move ends it otherwise. If that came to nothing after all, everything goes on as it was.
            let Some((arrived, cluster)) = self.moving.end() else { continue };
            runtime.block_on(store.close()).context(NOT_CLOSED)?;
            drop(store);
            let handed = arrived.handed;
            arrived.open_up().map_err(NotMoved::into_error).context(CUT)?;
            self.settings.cluster = Some(cluster);
            store = open(&self.settings)?.store;
            self.moving.done(handed);
            tracing::warn!("everything is in the cluster now; put [cluster] into the settings before the next start");
        }
    }

    async fn serve(&self, listening: &Listening, store: Arc<dyn Store>) -> anyhow::Result<()> {
        let Server { settings, tls, operator, .. } = self;
        let clock = Arc::new(SystemClock);
        let listener = listening.listener()?;
        let address = listener.local_addr().context("the address listened on is not known")?;
        let made = first_key::ensure(store.as_ref(), clock.as_ref(), self.bootstrap.clone()).await?;
        let mut server = settings.server();
        server.operator_token = Some(operator.clone());
        let speaks_tls = tls.is_some();
        server.tls.clone_from(tls);
        let state = AppState::new(store, clock, server);
        state.moved_by(Arc::new(Asked(Arc::clone(&self.moving))));
        let configured = state.configure_destinations(settings.destinations.clone()).await;
        configured.map_err(|says| anyhow::anyhow!(says))?;
        let data_dir = &settings.place.data_dir;
        let (is_ours, keeps) = match &settings.cluster {
            None => (true, format!("in {}", data_dir.display())),
            Some(_) => (false, "in PostgreSQL".to_owned()),
        };
        let url = LocalServer::url_of(address, speaks_tls);
        let local = LocalServer { url: url.clone(), token: operator.reveal().to_owned(), pid: std::process::id() };
        let announcement = announce(data_dir, &local, is_ours)?;
        tracing::info!(listen = %address, data_dir = %data_dir.display(), "ready");
        if !address.ip().is_loopback() && !speaks_tls {
            tracing::warn!(
                "listening beyond this machine without TLS; set [tls], or put a proxy that speaks TLS in front"
            );
        }
        if let Some(token) = made
            && output::data(&welcome::text(&url, &keeps, token.reveal())).is_err()
        {
            tracing::warn!(
                "the first key could not be shown: standard output is closed; `muster keys create` makes another"
            );
        }
        let stop = async {
            tokio::select! {
                () = self.signals.asked() => {
                    listening.end();
                    if let Some(Err(error)) = announcement.map(Announcement::withdraw) {
                        tracing::warn!(%error, "local.json could not be removed");
                    }
                }
                // Whoever asked for it asks again how far it is.
                () = self.moving.ready() => tracing::info!("serving stops for a moment: the rest is moved"),
            }
        };
        muster_server::serve(listener, state, stop).await.context("the server failed")
    }
}

/// What is said of a move that was nearly done.
const CUT: &str = "the move was cut at its very end; run `muster move` again, with no server running, to end it";

/// What is said of a store that did not close.
const NOT_CLOSED: &str = "the store could not be closed in order; the next start goes on from what is durable";

/// Where connections wait while nobody serves, until the server is to end.
struct Listening(Mutex<Option<std::net::TcpListener>>);

impl Listening {
    fn listener(&self) -> anyhow::Result<TcpListener> {
        let listener = self.0.lock().as_ref().map(std::net::TcpListener::try_clone);
        let listener = listener.context("the server is to end")?.context("the listening socket cannot be shared")?;
        TcpListener::from_std(listener).context("the listening socket cannot be used")
    }

    /// Nobody gets to wait any more.
    fn end(&self) {
        *self.0.lock() = None;
    }
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
