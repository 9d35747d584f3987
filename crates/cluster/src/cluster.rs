//! The engine: what it is made of, and how it begins and ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::try_join_all};
use muster_model::id::WorkspaceId;
use muster_store::{error::ReadError, follow::FollowerId};
use parking_lot::Mutex;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    time::timeout,
};
use tracing::{debug, warn};

use crate::{
    append::{Intake, Waiters},
    applier::Appliers,
    archive::{Archive, keeper::Keeper},
    fault::Fault,
    follow::Bells,
    lanes::Lanes,
    mark::{self, Mark},
    options::Options,
    read::lists::settle::Settling,
    registry::Registry,
    roster,
    sql::{
        address::Address,
        connection::{Connection, Mode, Transaction},
        migrate::{self, Standing},
        pool::Pool,
    },
    status::Counters,
    stream::{
        Stream,
        told::{Told, Whom},
    },
};

/// Threads of the engine's own that speak to the stream.
const STREAM_THREADS: usize = 2;
/// Between two looks for what was not told.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Longest wait until NATS has what other nodes are told: a node that ends at once, as a command does, tells it all the same.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// A read that waits looks at the table itself so often.
const LOOK_WHILE_WAITING: Duration = Duration::from_millis(100);

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database has no tables of Muster's yet; run `muster migrate` first")]
    NotMigrated,
    #[error(
        "the database is at version {found} of the tables and this program works with {known}; run `muster migrate`"
    )]
    OtherVersion { found: i32, known: i32 },
    #[error("{0}")]
    Moved(String),
    #[error("{0}")]
    Failed(String),
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        OpenError::Failed(fault.to_string())
    }
}

/// The engine. Dropping it ends it as a crash would; [`muster_store::status::Status::close`] ends it in order.
pub struct Cluster {
    pub(crate) inner: Arc<Inner>,
    runtime: Option<Runtime>,
}

/// Lanes, and the number that each has to be folded in up to.
pub(crate) type Wanted = Arc<[(u32, u64)]>;

/// What all its parts share.
pub(crate) struct Inner {
    pub options: Options,
    pub config: Arc<Address>,
    pub pool: Pool,
    pub registry: Arc<Registry>,
    pub stream: Stream,
    pub lanes: Lanes,
    pub intake: Intake,
    pub waiters: Waiters,
    pub counters: Counters,
    pub closing: AtomicBool,
    pub appliers: Mutex<Option<Appliers>>,
    pub archive: Arc<Archive>,
    pub keeper: Mutex<Option<Keeper>>,
    /// Connections for moments that are at rest.
    pub spare: Mutex<Vec<Connection>>,
    pub moments: Arc<AtomicU64>,
    pub settling: Mutex<Settling>,
    /// Followers that wait.
    pub bells: Bells,
    /// A number that no other node has.
    pub node: u64,
    pub handle: Handle,
}

impl Cluster {
    /// Opens an engine; waits for both servers.
    ///
    /// # Errors
    /// Also of a cluster that is being moved, or was.
    pub fn open(options: Options) -> Result<Cluster, OpenError> {
        Self::open_if(options, |mark| mark.is_none())
    }

    /// The same although a move has made something of it.
    pub(crate) fn open_marked(options: Options, allowed: Mark) -> Result<Cluster, OpenError> {
        Self::open_if(options, |mark| mark.is_none_or(|mark| mark == allowed))
    }

    fn open_if(options: Options, opens: impl Fn(Option<Mark>) -> bool) -> Result<Cluster, OpenError> {
        let config = Arc::new(options.state.clone());
        let runtime = Builder::new_multi_thread()
            .worker_threads(STREAM_THREADS)
            .thread_name("muster-stream")
            .enable_all()
            .build()
            .map_err(|error| OpenError::Failed(error.to_string()))?;
        let mut connection = Connection::open(&config)?;
        check_version(&mut connection)?;
        if let Some(mark) = mark::of(&mut connection)?.filter(|mark| !opens(Some(*mark))) {
            return Err(OpenError::Moved(mark.says()));
        }
        let lanes = lanes(&mut connection, options.journal.lanes)?;
        let handle = runtime.handle().clone();
        let address = options.journal.clone();
        let stream = elsewhere(&handle, async move {
            let stream = Stream::connect(&address).await?;
            stream.make(lanes, &address).await?;
            Ok::<_, Fault>(stream)
        })??;
        let (teller, tells) = (stream.clone(), handle.clone());
        let changed = Box::new(move || {
            let teller = teller.clone();
            let told = async move { timeout(TOLD_WITHIN, teller.tell_now(Whom::All, Told::Registry.encode())).await };
            // Whoever does not hear it looks again within seconds.
            drop(elsewhere(&tells, told));
        });
        let archive = Archive::open(&options, &handle, &mut connection)?;
        let node = rand::random();
        let registry = Arc::new(Registry::load(&mut connection, node, changed)?);
        let failed = |error: std::io::Error| OpenError::Failed(error.to_string());
        let pool = Pool::start(Arc::clone(&config), &options).map_err(failed)?;
        let inner = Arc::new(Inner {
            intake: Intake::new(&options),
            waiters: Waiters::default(),
            counters: Counters::default(),
            closing: AtomicBool::new(false),
            appliers: Mutex::new(None),
            keeper: Mutex::new(None),
            archive: Arc::new(archive),
            spare: Mutex::new(Vec::new()),
            moments: Arc::default(),
            settling: Mutex::default(),
            bells: Bells::default(),
            node,
            lanes: Lanes::new(lanes),
            handle: handle.clone(),
            options,
            config,
            pool,
            registry,
            stream,
        });
        let listener = inner.stream.clone();
        let heard = elsewhere(&handle, async move { listener.listen(node).await })??;
        handle.spawn(listen(Arc::downgrade(&inner), heard));
        handle.spawn(look_again(Arc::downgrade(&inner)));
        inner.take_in(&mut connection)?;
        if inner.options.serves {
            roster::forget(&mut connection)?;
        }
        if inner.options.applies {
            *inner.appliers.lock() = Some(Appliers::start(&inner).map_err(failed)?);
            if inner.archive.is_there() {
                *inner.keeper.lock() = Some(Keeper::start(&inner).map_err(failed)?);
            }
        }
        Ok(Cluster { inner, runtime: Some(runtime) })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.inner.closing.store(true, Ordering::Release);
        // Threads that fold in finish their transaction or lose it; either is what a crash does.
        let appliers = self.inner.appliers.lock().take();
        if let Some(appliers) = appliers {
            appliers.stop();
        }
        let keeper = self.inner.keeper.lock().take();
        if let Some(keeper) = keeper {
            keeper.stop();
        }
        // Connections end on a thread that may wait; whoever drops this may not.
        let spare = std::mem::take(&mut *self.inner.spare.lock());
        if !spare.is_empty() {
            let _ = std::thread::spawn(move || drop(spare)).join();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Inner {
    /// Waits until everything of a workspace, or of all, that was accepted before this call is folded in, within a bound; up to
    /// where that is.
    pub async fn fresh(self: &Arc<Self>, workspace: Option<WorkspaceId>) -> Result<Wanted, ReadError> {
        let inner = Arc::clone(self);
        let lanes = match workspace {
            Some(workspace) => vec![self.lanes.of(workspace)],
            None => (0..self.lanes.count()).collect(),
        };
        let fresh = self.handle.spawn(async move { inner.wait_until_fresh(&lanes).await });
        fresh.await.map_err(|_| ReadError::from(Fault::Closing))?
    }

    async fn wait_until_fresh(self: &Arc<Self>, lanes: &[u32]) -> Result<Wanted, ReadError> {
        let until = Instant::now() + self.options.freshness_timeout;
        let wanted = self.last_sequences(lanes, until).await.map_err(|fault| ReadError::Failed {
            what: format!("it cannot be told whether everything accepted is folded in: {fault}"),
        })?;
        for (lane, sequence) in wanted.iter().copied() {
            while !self.lanes.reaches(lane, sequence, until.min(Instant::now() + LOOK_WHILE_WAITING)).await {
                if Instant::now() >= until {
                    let what = "what was accepted before is not folded in yet; try again".to_owned();
                    return Err(ReadError::Failed { what });
                }
                // One that finds nobody to ask takes no longer than any other.
                if let Ok(looked) = tokio::time::timeout_at(until.into(), self.look_at_lanes()).await {
                    looked?;
                }
            }
        }
        Ok(wanted)
    }

    /// The last number of each lane. Where a lane has lost its leader it is asked again, until there is a new one or the time is over.
    async fn last_sequences(self: &Arc<Self>, lanes: &[u32], until: Instant) -> Result<Wanted, Fault> {
        loop {
            let asked = lanes.iter().map(|lane| self.stream.last_sequence(*lane));
            match try_join_all(asked).await {
                // Whoever has just become leader of a lane may be behind what this node was told by the one before.
                Ok(last) => {
                    let wanted = |(lane, last): (&u32, u64)| (*lane, last.max(self.stream.given(*lane)));
                    return Ok(lanes.iter().zip(last).map(wanted).collect());
                }
                Err(fault) if Instant::now() + LOOK_WHILE_WAITING >= until => return Err(fault),
                Err(_) => tokio::time::sleep(LOOK_WHILE_WAITING).await,
            }
        }
    }

    /// Begins a transaction that reads, and makes sure by what it sees itself that everything wanted is folded in. It is not
    /// where a replica has taken PostgreSQL's place that was behind: then this node forgets what it knew of lanes.
    pub fn begin_fresh<'c>(
        &self,
        connection: &'c mut Connection,
        workspace: Option<WorkspaceId>,
        wanted: &[(u32, u64)],
    ) -> Result<Transaction<'c>, Fault> {
        let (transaction, positions) = connection.begin_with_lanes(workspace)?;
        let behind =
            |(lane, sequence): &(u32, u64)| wanted.iter().any(|(one, wanted)| one == lane && sequence < wanted);
        let behind: Vec<(u32, u64)> = positions.into_iter().filter(behind).collect();
        if behind.is_empty() {
            return Ok(transaction);
        }
        behind.into_iter().for_each(|(lane, sequence)| self.lanes.put_back(lane, sequence));
        let what = "PostgreSQL is behind where it was; what was accepted is folded in again, try again".to_owned();
        Err(Fault::Read(ReadError::Failed { what }))
    }

    /// Takes the lanes' positions from the table.
    pub async fn look_at_lanes(self: &Arc<Self>) -> Result<(), Fault> {
        let inner = Arc::clone(self);
        self.pool.ask(move |connection| inner.refresh(connection)).await
    }

    /// Takes in all that other nodes may have changed, and says so.
    pub async fn look_at_all(self: &Arc<Self>) -> Result<(), Fault> {
        let inner = Arc::clone(self);
        self.pool.ask(move |connection| inner.take_in(connection)).await
    }

    fn take_in(&self, connection: &mut Connection) -> Result<(), Fault> {
        self.refresh(connection)?;
        if self.options.serves && !self.closing.load(Ordering::Acquire) {
            roster::say(connection, self.node, self.registry.held().version)?;
        }
        Ok(())
    }

    /// Takes in all that other nodes may have changed.
    pub fn refresh(&self, connection: &mut Connection) -> Result<(), Fault> {
        // Whatever is known before a transaction begins it sees as well, unless PostgreSQL has gone back.
        let (known, version, censuses) = (self.lanes.all(), self.registry.held().version, self.counters.known());
        let (mut transaction, positions) = connection.begin_with_lanes(None)?;
        for (lane, sequence) in positions {
            if known.get(lane as usize).is_some_and(|known| sequence < *known) {
                warn!(lane, sequence, "PostgreSQL is behind where it was; what was accepted is folded in again");
                self.lanes.put_back(lane, sequence);
            }
            self.lanes.note(lane, sequence);
        }
        self.counters.take_census(&mut transaction, &censuses)?;
        self.registry.refresh(&mut transaction, version)
    }

    /// Reads about a workspace in one transaction that sees everything accepted before.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        read: impl FnMut(&mut Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.read_about(Some(workspace), read).await
    }

    /// The same, about a workspace or about all of them.
    pub async fn read_about<T: Send + 'static>(
        self: &Arc<Self>,
        workspace: Option<WorkspaceId>,
        mut read: impl FnMut(&mut Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (wanted, inner) = (self.fresh(workspace).await?, Arc::clone(self));
        let ask = move |connection: &mut Connection| {
            let mut transaction = inner.begin_fresh(connection, workspace, &wanted)?;
            read(&mut transaction)
        };
        Ok(self.pool.ask(ask).await?)
    }

    /// Waits for a future, by [`elsewhere`].
    pub fn wait_for<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Result<T, Fault> {
        elsewhere(&self.handle, future)
    }
}

/// Has a future run on the engine's threads and waits for it where waiting is not possible otherwise: on any thread, inside a
/// runtime or not.
pub(crate) fn elsewhere<T: Send + 'static>(
    handle: &Handle,
    future: impl Future<Output = T> + Send + 'static,
) -> Result<T, Fault> {
    let (reply, answer) = crossbeam_channel::bounded(1);
    handle.spawn(async move {
        // Whoever waits may have gone.
        let _ = reply.send(future.await);
    });
    answer.recv().map_err(|_| Fault::Closing)
}

fn check_version(connection: &mut Connection) -> Result<(), OpenError> {
    match migrate::standing(connection)? {
        Standing::Empty => Err(OpenError::NotMigrated),
        Standing::At(found) if found != migrate::VERSION => {
            Err(OpenError::OtherVersion { found, known: migrate::VERSION })
        }
        Standing::At(_) => Ok(()),
    }
}

/// How many lanes there are; made if there are none.
fn lanes(connection: &mut Connection, wanted: u32) -> Result<u32, Fault> {
    let mut transaction = connection.begin(Mode::Write, None)?;
    transaction.execute("lock table lane in share row exclusive mode", &[])?;
    let make = "insert into lane (lane, sequence) select lane, 0 from generate_series(0, $1 - 1) as lane
        where not exists (select from lane)";
    transaction.execute(make, &[&(wanted as i32)])?;
    let count: i64 = transaction.query_one("select count(*) from lane", &[])?.get(0);
    transaction.commit()?;
    Ok(count as u32)
}

/// Takes in what nodes tell each other.
async fn listen(inner: std::sync::Weak<Inner>, mut heard: futures_util::stream::BoxStream<'static, bytes::Bytes>) {
    while let Some(bytes) = heard.next().await {
        let Some(inner) = inner.upgrade() else { return };
        match Told::decode(&bytes) {
            Ok(Told::Applied { lane, sequence }) => inner.lanes.note(lane, sequence),
            Ok(Told::Woken { follower }) => inner.bells.ring_if_there(FollowerId(follower)),
            Ok(Told::Receipt { request, receipt }) => inner.waiters.answer(request, receipt),
            Ok(Told::Registry) => {
                if let Err(fault) = inner.look_at_all().await {
                    debug!(error = %fault, "what another node changed could not be read; it is looked for again");
                }
            }
            Err(_) => debug!("another node told something that this version does not understand"),
        }
    }
}

/// Looks now and then for what was not told.
async fn look_again(inner: std::sync::Weak<Inner>) {
    let mut reachable = true;
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let Some(inner) = inner.upgrade() else { return };
        let looked = inner.look_at_all().await;
        if let (Err(fault), true) = (&looked, reachable) {
            warn!(error = %fault, "PostgreSQL cannot be read; this is tried again");
        }
        reachable = looked.is_ok();
        inner.counters.reachable(reachable);
    }
}
