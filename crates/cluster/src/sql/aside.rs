//! A connection with a thread of its own, for whoever holds something of PostgreSQL's for longer than a question takes: a lock,
//! or a transaction that stays open.
//!
//! Whoever asks may be on any thread, inside a runtime or not: it waits for an answer and never speaks to PostgreSQL itself.
//! What is asked is answered one after the other. How many of these there are is bounded by whoever starts them.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::connection::Connection;
use crate::fault::Fault;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Questions that may wait for the thread; whoever has one more waits to ask.
const JOBS_MAX: usize = 16;

/// The thread; it ends when this is dropped and everything asked is answered.
pub struct Aside {
    jobs: Sender<Job>,
}

impl Aside {
    /// Starts a thread and waits until it has opened a connection. `end` is given the connection after the last question.
    pub fn start(
        name: &str,
        open: impl FnOnce() -> Result<Connection, Fault> + Send + 'static,
        end: impl FnOnce(Connection) + Send + 'static,
    ) -> Result<Aside, Fault> {
        let (jobs, queue) = bounded::<Job>(JOBS_MAX);
        let (opened, is_open) = bounded(1);
        let work = move || {
            let mut connection = match open() {
                Ok(connection) => connection,
                Err(fault) => return drop(opened.send(Err(fault))),
            };
            // Whoever waited for it may have gone; then there is no question, and the thread ends.
            let _ = opened.send(Ok(()));
            while let Ok(job) = queue.recv() {
                job(&mut connection);
            }
            end(connection);
        };
        let started = thread::Builder::new().name(name.to_owned()).spawn(work);
        started.map_err(|error| Fault::Thread(error.to_string()))?;
        is_open.recv().map_err(|_| Fault::Closing)??;
        Ok(Aside { jobs })
    }

    /// Asks, and waits for the answer.
    pub fn ask<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.begin(act)?.recv().map_err(|_| Fault::Closing)?
    }

    /// Asks; the answer comes by itself.
    pub fn begin<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<Receiver<Result<T, Fault>>, Fault> {
        let (reply, answer) = bounded(1);
        let job = move |connection: &mut Connection| {
            // Whoever asked may have gone.
            let _ = reply.send(act(connection));
        };
        self.jobs.send(Box::new(job)).map_err(|_| Fault::Closing)?;
        Ok(answer)
    }
}
