//! Threads that answer reads, each with a connection of its own.
//!
//! Bounded three times: by the number of threads, by how many reads may wait for one, and by how long. A read that finds no place
//! fails at once and says so, and one that nobody waits for any more is not begun.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use futures_util::future::BoxFuture;
use muster_model::id::WorkspaceId;
use muster_store::error::ReadError;
use tokio::{sync::oneshot, time::timeout};

use super::{
    address::Address,
    connection::{Connection, Mode, Transaction},
};
use crate::{fault::Fault, options::Options};

/// A connection that had died before it was used says so within this.
const AT_ONCE: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// Threads and their queue; they end with it.
pub struct Pool {
    jobs: Sender<Job>,
    wait_max: Duration,
}

/// What a thread works with.
pub struct Worker {
    config: Arc<Address>,
    connection: Option<Connection>,
}

impl Pool {
    /// Starts as many threads as there are to be readers. Jobs wait for one no longer than a read waits for what was accepted before
    /// it: all of them may be waiting for a server that says nothing.
    pub fn start(config: Arc<Address>, options: &Options) -> std::io::Result<Pool> {
        let (jobs, queue) = bounded::<Job>(options.reads_waiting_max);
        let start = |number: usize| {
            let (queue, config) = (queue.clone(), Arc::clone(&config));
            let work = move || work(&queue, Worker { config, connection: None });
            thread::Builder::new().name(format!("muster-sql-{number}")).spawn(work).map(drop)
        };
        (0..options.readers).try_for_each(start)?;
        Ok(Pool { jobs, wait_max: options.freshness_timeout })
    }

    /// Has a thread do something with a connection; the future is the answer.
    pub fn ask<T: Send + 'static>(
        &self,
        mut act: impl FnMut(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Fault>> {
        let (reply, answer) = oneshot::channel();
        let (begins, begun) = oneshot::channel();
        let job = Box::new(move |worker: &mut Worker| {
            if begins.send(()).is_err() {
                return;
            }
            // Whoever asked may have gone.
            let _ = reply.send(worker.try_twice(&mut act));
        });
        let sent = self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                Fault::Read(ReadError::Failed { what: "too many reads wait for PostgreSQL; try again".to_owned() })
            }
            TrySendError::Disconnected(_) => Fault::Closing,
        });
        let wait_max = self.wait_max;
        Box::pin(async move {
            sent?;
            let late = |_| Fault::Read(ReadError::Failed { what: "PostgreSQL is too busy; try again".to_owned() });
            timeout(wait_max, begun).await.map_err(late)?.map_err(|_| Fault::Closing)?;
            answer.await.map_err(|_| Fault::Closing)?
        })
    }

    /// Reads about a workspace in one transaction.
    pub fn read<T: Send + 'static>(
        &self,
        workspace: WorkspaceId,
        mut read: impl FnMut(&mut Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Fault>> {
        self.ask(move |connection| {
            let mut transaction = connection.begin(Mode::Read, Some(workspace))?;
            read(&mut transaction)
        })
    }
}

impl Worker {
    /// Does it, and once more with a new connection if the one at hand had died meanwhile, which is not waited for twice.
    fn try_twice<T>(&mut self, act: &mut impl FnMut(&mut Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let (had_one, began) = (self.connection.is_some(), Instant::now());
        match self.try_once(act) {
            Err(fault) if had_one && fault.breaks_connection() && began.elapsed() < AT_ONCE => self.try_once(act),
            other => other,
        }
    }

    fn try_once<T>(&mut self, act: &mut impl FnMut(&mut Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => Connection::open(&self.config)?,
        };
        let done = act(&mut connection);
        if !matches!(&done, Err(fault) if fault.breaks_connection()) {
            self.connection = Some(connection);
        }
        done
    }
}

fn work(queue: &Receiver<Job>, mut worker: Worker) {
    while let Ok(job) = queue.recv() {
        job(&mut worker);
    }
}
