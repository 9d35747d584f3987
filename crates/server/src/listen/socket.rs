//! A socket that gives up on clients that take nothing of their answer.
//!
//! Reading is watched, not bounded: the loop around the connection and the reading of bodies do that. A write that makes
//! no progress for a while fails, which ends the connection.

use std::{
    io::{self, IoSlice},
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::net::{Shutdown, shutdown};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{Sleep, sleep},
};

use super::{activity::Activity, client::Client};

/// A connection's socket.
pub(super) struct Socket {
    from_client: OwnedReadHalf,
    /// Shared with those who want to know whether the client is still there.
    to_client: Arc<OwnedWriteHalf>,
    activity: Arc<Activity>,
    write_timeout: Duration,
    /// Runs while a write waits for the client.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>, write_timeout: Duration) -> Socket {
        let (from_client, to_client) = stream.into_split();
        Socket { from_client, to_client: Arc::new(to_client), activity, write_timeout, patience: None }
    }

    /// Who is at the other end.
    pub(super) fn client(&self) -> Client {
        let address = self.to_client.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        Client { socket: Arc::downgrade(&self.to_client), address: address.to_canonical() }
    }

    /// Writes once the system takes something, by `write`, which says when it took nothing after all.
    fn when_writable(
        &self,
        context: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let stream: &TcpStream = (*self.to_client).as_ref();
        loop {
            ready!(stream.poll_write_ready(context))?;
            match write(stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                wrote => return Poll::Ready(wrote),
            }
        }
    }

    /// Passes on what a write came to, and fails it when it has waited too long.
    fn watch(&mut self, context: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if wrote.is_ready() {
            self.patience = None;
            return wrote;
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(self.write_timeout)));
        match patience.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.from_client).poll_read(context, into);
        if into.filled().len() > before {
            self.activity.received();
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = self.when_writable(context, |stream| stream.try_write(bytes));
        self.watch(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = self.when_writable(context, |stream| stream.try_write_vectored(slices));
        self.watch(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.to_client.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What the system took is on its way.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream: &TcpStream = (*self.to_client).as_ref();
        Poll::Ready(shutdown(stream, Shutdown::Write).map_err(io::Error::from))
    }
}
