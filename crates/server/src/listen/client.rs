//! Whether the client of a request is still there.
//!
//! Whoever sends messages may close its side at once and never read an answer; its messages are taken all the same. Work that is
//! done for the answer alone ends when nobody is left to take it. Nobody reads from the socket while a request is answered, so
//! the end is learned from what the system tells of the socket itself, beneath TLS and before what was sent ahead is read.

use std::{sync::Weak, time::Duration};

use axum::{
    extract::Request,
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::{io::Interest, net::tcp::OwnedWriteHalf, time::sleep};

/// Between two looks at the socket of a client that has sent more than the request being answered.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// What an answer is counted as that nobody was left to take. No client ever sees it.
const LEFT: u16 = 499;

/// The client of a connection.
#[derive(Clone, Debug)]
pub(super) struct Client(pub(super) Weak<OwnedWriteHalf>);

impl Client {
    /// Ends when the client sends nothing more, which is how one that goes away is noticed.
    async fn left(&self) {
        while let Some(socket) = self.0.upgrade() {
            match socket.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => sleep(LOOK_PAUSE).await,
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// Answers a request for as long as its client is there.
pub(crate) async fn while_there(request: Request, next: Next) -> Response {
    let Some(client) = request.extensions().get::<Client>().cloned() else { return next.run(request).await };
    tokio::select! {
        biased;
        response = next.run(request) => response,
        () = client.left() => StatusCode::from_u16(LEFT).unwrap_or(StatusCode::REQUEST_TIMEOUT).into_response(),
    }
}
