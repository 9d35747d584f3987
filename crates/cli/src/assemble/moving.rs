//! Moving everything from one engine to the other: from a directory that nobody uses or that a server goes on with, and back.
//!
//! Whatever goes wrong, one of the two has everything and says so; the same move made again ends it. Never prints.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_cluster::transfer::{arrival::Arrival, source::Source, target::Target};
use muster_embedded::{
    Embedded, OpenError,
    transfer::{departure::Departure, source, target::Target as Directory},
};
use muster_store::{
    backup::Backup,
    clock::{Clock, SystemClock},
    status::Status,
    transfer::{Handed, Piece, TransferError},
};
use tokio::runtime::Handle;

use super::{NotOpened, Opened, cluster_options, holds_data, misconfigured, options};
use crate::{
    config::{
        cluster::{Cluster, Roles},
        settings::Settings,
    },
    exit::{Exit, Failure},
};

/// What came in during the last round is folded in this soon before the server stops for the rest.
const LAST_ROUND: Duration = Duration::from_millis(500);

/// A cluster, and how its parts are set up.
pub type Place<'s> = (&'s Cluster, &'s Settings);

/// Why a move came to nothing.
pub enum NotMoved {
    /// A server uses the directory, which can be asked to do it.
    Served,
    /// It may work another time: something is under way that has to end first.
    Busy(String),
    Failed(anyhow::Error),
}

impl NotMoved {
    /// The error of a command that ends with it.
    pub fn into_error(self) -> anyhow::Error {
        match self {
            NotMoved::Served => Failure::error(Exit::InUse, "another process uses the directory"),
            NotMoved::Busy(says) => Failure::error(Exit::InUse, says),
            NotMoved::Failed(error) => error,
        }
    }
}

impl From<TransferError> for NotMoved {
    fn from(error: TransferError) -> NotMoved {
        match error {
            TransferError::Busy(says) => NotMoved::Busy(says),
            other => NotMoved::Failed(anyhow::Error::new(other)),
        }
    }
}

fn failed(error: impl Into<anyhow::Error>) -> NotMoved {
    NotMoved::Failed(error.into())
}

fn whole((cluster, settings): Place<'_>) -> Result<muster_cluster::Options, NotMoved> {
    cluster_options(cluster, settings, Roles::ALL).map_err(|error| NotMoved::Failed(misconfigured(error)))
}

/// Has a cluster that holds nothing take over all that a data directory holds. `progress` hears how far it has come.
pub fn move_from(place: Place<'_>, directory: &Path, progress: &dyn Fn(&Handed)) -> Result<Handed, NotMoved> {
    if !holds_data(directory) {
        return Err(failed(OpenError::NoData { dir: directory.to_owned() }));
    }
    if source::is_in_use(directory) {
        return Err(NotMoved::Served);
    }
    let mut target = Target::begin(whole(place)?)?;
    if target.was_cut() {
        source::come_back(directory)?;
    }
    let opened = Embedded::open(options(&place.1.engine, directory), SystemClock.now()).map_err(NotOpened::from);
    let (engine, _) = opened.map_err(|error| match error {
        NotOpened::InUse => NotMoved::Served,
        NotOpened::Failed(error) => NotMoved::Failed(error),
    })?;
    let runtime = tokio::runtime::Runtime::new().map_err(failed)?;
    runtime.block_on(engine.checkpoint());
    let mut handed = Handed::default();
    let moved = engine.everything().and_then(|source| {
        target.make_room()?;
        source.each(&mut counted(&mut handed, &on(progress), |piece| target.take(piece)))?;
        target.finish()?;
        // Said while nobody else can have the directory. Cut behind it, both say that the move is to be made again.
        engine.leave()
    });
    let closed = runtime.block_on(engine.close());
    moved?;
    closed.map_err(failed)?;
    target.open_up()?;
    Ok(handed)
}

/// Makes a data directory of all that a cluster holds.
pub fn move_into(place: Place<'_>, directory: &Path, progress: &dyn Fn(&Handed)) -> Result<Handed, NotMoved> {
    let mut source = Source::open(whole(place)?)?;
    let mut target = Directory::begin(directory)?;
    let mut handed = Handed::default();
    source.each(&mut counted(&mut handed, &on(progress), |piece| target.take(piece)))?;
    // Cut in between, the cluster can be moved again.
    source.leave()?;
    target.finish()?;
    Ok(handed)
}

/// Makes a data directory of what a cluster holds at one moment, while its nodes go on.
pub fn copy(place: Place<'_>, directory: &Path) -> Result<Backup, NotMoved> {
    let mut source = Source::look(whole(place)?)?;
    let mut target = Directory::begin(directory)?;
    source.each(&mut |piece| target.take(piece))?;
    Ok(target.finish()?)
}

/// Who hears how far it has come, and never ends it.
fn on(progress: &dyn Fn(&Handed)) -> impl Fn(&Handed) -> Result<(), TransferError> {
    move |handed| {
        progress(handed);
        Ok(())
    }
}

/// Counts what passes on its way to whoever takes it over. `progress` hears of it, and may end it.
fn counted<'c>(
    handed: &'c mut Handed,
    progress: &'c dyn Fn(&Handed) -> Result<(), TransferError>,
    mut take: impl FnMut(Piece) -> Result<(), TransferError> + 'c,
) -> impl FnMut(Piece) -> Result<(), TransferError> + 'c {
    move |piece| {
        handed.count(&piece);
        take(piece)?;
        progress(handed)
    }
}

/// The engine of a directory, for whoever moves it while a server goes on with it.
#[derive(Clone)]
pub struct Served(Arc<Embedded>);

impl Opened {
    /// The engine, where everything is in a directory.
    pub fn served(&self) -> Option<Served> {
        self.engine.clone().map(Served)
    }
}

/// A move of a directory that a server goes on with. Dropping it ends it, and the server goes on as before.
pub struct Leaving {
    engine: Arc<Embedded>,
    departure: Departure,
    arrival: Arrival,
    handed: Handed,
}

/// A cluster that has everything, and that no node starts on yet. The directory is left, and its engine takes nothing.
pub struct Arrived {
    departure: Departure,
    arrival: Arrival,
    pub handed: Handed,
}

/// Who hears how far a move has come: first what there was at its beginning goes over, then what came since. Ends it with `false`.
pub type Progress<'p> = dyn Fn(&Handed, bool) -> bool + 'p;

fn stopped() -> TransferError {
    TransferError::Busy("the server was asked to stop; move again".to_owned())
}

impl Leaving {
    /// Has a cluster that holds nothing take over what there is, and then what comes meanwhile until that is next to nothing. Waits
    /// on a thread that may.
    pub fn begin(
        served: Served,
        place: Place<'_>,
        runtime: &Handle,
        progress: &Progress<'_>,
    ) -> Result<Leaving, NotMoved> {
        let Served(engine) = served;
        let mut target = Target::begin(whole(place)?)?;
        let (source, departure) = runtime.block_on(engine.depart())?;
        target.make_room()?;
        let mut handed = Handed::default();
        let copying = |handed: &Handed| if progress(handed, false) { Ok(()) } else { Err(stopped()) };
        source.each(&mut counted(&mut handed, &copying, |piece| target.take(piece)))?;
        drop(source);
        let following = |handed: &Handed| if progress(handed, true) { Ok(()) } else { Err(stopped()) };
        following(&handed)?;
        let mut leaving = Leaving { engine, departure, arrival: target.go_on()?, handed };
        loop {
            let began = Instant::now();
            leaving.round()?;
            following(&leaving.handed)?;
            if began.elapsed() < LAST_ROUND {
                return Ok(leaving);
            }
        }
    }

    /// Hands over what came since.
    fn round(&mut self) -> Result<(), TransferError> {
        let Leaving { departure, arrival, handed, .. } = self;
        let mut registered = Vec::new();
        departure.registered(&mut |piece| {
            registered.push(piece);
            Ok(())
        })?;
        arrival.registered(&registered)?;
        handed.messages += departure.later(&mut |batch| arrival.take(batch))?;
        handed.workspaces = registered.iter().filter(|piece| matches!(piece, Piece::Workspace(_))).count() as u64;
        arrival.settle()
    }

    /// Hands over the rest, when nothing is served and nothing is sent to destinations any more. Nobody opens the directory again
    /// afterwards, and nobody the cluster before [`Arrived::open_up`].
    pub fn end(mut self, runtime: &Handle) -> Result<Arrived, NotMoved> {
        self.arrival.hurry();
        runtime.block_on(self.departure.stop(&self.engine));
        self.round()?;
        let mut letters = Vec::new();
        self.departure.letters(&mut |piece| {
            letters.push(piece);
            Ok(())
        })?;
        self.arrival.followers(letters, &self.departure.had_since()?)?;
        self.engine.leave()?;
        let Leaving { departure, arrival, handed, .. } = self;
        Ok(Arrived { departure, arrival, handed })
    }
}

impl Arrived {
    /// The cluster is one as any other from now on. The engine of the directory has to be closed.
    pub fn open_up(self) -> Result<(), NotMoved> {
        drop(self.departure);
        Ok(self.arrival.open_up()?)
    }
}
