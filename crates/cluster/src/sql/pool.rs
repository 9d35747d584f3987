//! Threads that answer reads, each with a connection of its own.
//!
//! Bounded twice: by the number of threads, and by how many reads may wait for one; a read that finds no place fails at
//! once and says so.

use std::{sync::Arc, thread};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use futures_util::future::BoxFuture;
use muster_model::id::WorkspaceId;
use muster_store::error::ReadError;
use postgres::Config;
use tokio::sync::oneshot;

use super::connection::{Connection, Mode, Transaction};
use crate::fault::Fault;

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// Threads and their queue; they end with it.
pub struct Pool {
    jobs: Sender<Job>,
}

/// What a thread works with.
pub struct Worker {
    config: Arc<Config>,
    connection: Option<Connection>,
}

impl Pool {
    /// Starts so many threads, for whom so many jobs may wait.
    pub fn start(config: Arc<Config>, threads: usize, waiting_max: usize) -> std::io::Result<Pool> {
        let (jobs, queue) = bounded::<Job>(waiting_max);
        let start = |number: usize| {
            let (queue, config) = (queue.clone(), Arc::clone(&config));
            let work = move || work(&queue, Worker { config, connection: None });
            thread::Builder::new().name(format!("muster-sql-{number}")).spawn(work).map(drop)
        };
        (0..threads).try_for_each(start)?;
        Ok(Pool { jobs })
    }

    /// Has a thread do something with a connection; the future is the answer.
    pub fn ask<T: Send + 'static>(
        &self,
        mut act: impl FnMut(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Fault>> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move |worker: &mut Worker| {
            // Whoever asked may have gone.
            let _ = reply.send(worker.try_twice(&mut act));
        });
        let sent = self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                Fault::Read(ReadError::Failed { what: "too many reads wait for PostgreSQL; try again".to_owned() })
            }
            TrySendError::Disconnected(_) => Fault::Closing,
        });
        Box::pin(async move {
            sent?;
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
    /// Does it, and once more with a new connection if the one at hand had died meanwhile.
    fn try_twice<T>(&mut self, act: &mut impl FnMut(&mut Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let had_one = self.connection.is_some();
        match self.try_once(act) {
            Err(fault) if had_one && fault.breaks_connection() => self.try_once(act),
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
