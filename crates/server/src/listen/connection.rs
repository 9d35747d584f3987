//! One connection, from its first byte to its last.
//!
//! Until a client has sent something, its connection holds no buffers. The time between requests and the time for a
//! request's head are bounded here, as is the time for a handshake; the time for bodies and for answers where those are read and written. A client that
//! is cut off in the middle of a head is told why. A panic in a handler becomes an answer and ends no connection.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    http::{Request, header::CONNECTION},
    response::{IntoResponse, Response},
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::watch,
    time::{Instant, Sleep, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use super::{
    Phase,
    activity::{Activity, Doing},
    client::Client,
    socket::Socket,
    stream::Stream,
    tls::{HANDSHAKE_BYTE, Tls},
    turn_away::{answer, linger},
};
use crate::{error::ApiError, metrics::Metrics, settings::ServerSettings};

/// How long a client that is still sending may take to notice that nobody listens, and how much it may send meanwhile.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 32 * 1024 * 1024;

const TOO_SLOW: &str = "the head of the request took too long to arrive; send it again";

const NOT_TLS: &str = "this port speaks TLS; use https:// in the address";

type Connection = http1::Connection<TokioIo<Stream>, Handler>;

/// What all connections share.
pub(super) struct Service {
    router: Router,
    http: http1::Builder,
    tls: Option<TlsAcceptor>,
    head_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    pub metrics: Arc<Metrics>,
}

impl Service {
    pub(super) fn new(router: Router, settings: &ServerSettings, metrics: Arc<Metrics>) -> Service {
        let mut http = http1::Builder::new();
        // Heads are timed here, together with everything else.
        // Whoever has sent a request may close its side at once, and its messages are taken all the same.
        http.header_read_timeout(None).max_buf_size(settings.head_bytes_max.max(8 * 1024)).half_close(true);
        Service {
            router,
            http,
            tls: settings.tls.as_ref().map(Tls::acceptor),
            head_timeout: settings.head_timeout,
            idle_timeout: settings.idle_timeout,
            write_timeout: settings.write_timeout,
            metrics,
        }
    }

    /// Whether clients are to shake hands first.
    pub(super) fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// When what a connection is doing has taken too long, and whether it is busy.
    fn deadline(&self, activity: &Activity) -> Option<Instant> {
        match activity.now_doing() {
            (Doing::Idle, since) => Some(since + self.idle_timeout),
            (Doing::Head, since) => Some(since + self.head_timeout),
            (Doing::Busy, _) => None,
        }
    }
}

/// Serves one connection to its end. What serving needs is made only once the client has sent something, apart from this
/// future, so that a silent connection holds next to nothing.
pub(super) async fn run(stream: TcpStream, service: &Service, mut phase: watch::Receiver<Phase>) {
    let mut first_byte = [0];
    let first = tokio::select! {
        biased;
        first = timeout(service.head_timeout, stream.peek(&mut first_byte)) => first,
        _ = phase.wait_for(|phase| *phase != Phase::Serving) => return,
    };
    match first {
        Ok(Ok(1..)) => Box::pin(begin(stream, first_byte[0], service, phase)).await,
        Ok(Ok(0) | Err(_)) => {}
        Err(_) => {
            service.metrics.connections_timed_out.inc();
        }
    }
}

/// Shakes hands, if that is the custom here, with a client that has begun to send.
async fn begin(stream: TcpStream, first_byte: u8, service: &Service, mut phase: watch::Receiver<Phase>) {
    let _ = stream.set_nodelay(true);
    let activity = Arc::new(Activity::new());
    let socket = Socket::new(stream, Arc::clone(&activity), service.write_timeout);
    let client = socket.client();
    let Some(acceptor) = &service.tls else {
        return converse(Stream::Plain(socket), (activity, client), service, phase).await;
    };
    if first_byte != HANDSHAKE_BYTE {
        service.metrics.handshakes_failed.inc();
        return tell(Stream::Plain(socket), &answer("400 Bad Request", NOT_TLS)).await;
    }
    let shaken = tokio::select! {
        biased;
        shaken = timeout(service.head_timeout, acceptor.accept(socket)) => shaken,
        _ = phase.wait_for(|phase| *phase != Phase::Serving) => return,
    };
    match shaken {
        Ok(Ok(tls)) => {
            activity.shook_hands();
            converse(Stream::Tls(Box::new(tls)), (activity, client), service, phase).await;
        }
        Ok(Err(_)) => {
            service.metrics.handshakes_failed.inc();
        }
        Err(_) => {
            service.metrics.connections_timed_out.inc();
        }
    }
}

/// Tells a client something and ends its connection, when it has had time to notice.
async fn tell(mut stream: Stream, says: &[u8]) {
    let _ = timeout(LINGER_TIMEOUT, async {
        stream.write_all(says).await?;
        stream.flush().await?;
        linger(&mut stream, LINGER_BYTES_MAX).await
    })
    .await;
}

/// Answers the requests of a client.
async fn converse(
    stream: Stream,
    (activity, client): (Arc<Activity>, Client),
    service: &Service,
    mut phase: watch::Receiver<Phase>,
) {
    let (router, metrics) = (service.router.clone(), Arc::clone(&service.metrics));
    let handler = Handler { router, activity: Arc::clone(&activity), client, metrics };
    let mut connection = service.http.serve_connection(TokioIo::new(stream), handler);
    let end = drive(&mut connection, service, &activity, &mut phase).await;
    let mut stream = connection.into_parts().io.into_inner();
    match end {
        End::Orderly if !activity.leaves_unread() => drop(timeout(LINGER_TIMEOUT, stream.shutdown()).await),
        End::Cut => {}
        End::HeadTooSlow => tell(stream, &answer("408 Request Timeout", TOO_SLOW)).await,
        End::Orderly | End::Failed => tell(stream, b"").await,
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Both sides were done, or the time between requests was over.
    Orderly,
    /// The client broke it, or sent what is no HTTP; the HTTP library has answered what could be answered.
    Failed,
    HeadTooSlow,
    /// There is nothing more to say, or no time to say it.
    Cut,
}

async fn drive(
    connection: &mut Connection,
    service: &Service,
    activity: &Activity,
    phase: &mut watch::Receiver<Phase>,
) -> End {
    let mut timer = pin!(sleep_until(Instant::now() + service.head_timeout));
    let mut closing = false;
    loop {
        let progress = poll_fn(|context| progress(connection, service, activity, timer.as_mut(), context));
        let over = tokio::select! {
            biased;
            ended = progress => match ended {
                Some(Ok(())) => return End::Orderly,
                Some(Err(_)) => return End::Failed,
                None => None,
            },
            changed = phase.changed() => Some(changed.map_or(Phase::Over, |()| *phase.borrow_and_update())),
        };
        match over {
            Some(Phase::Over) => return End::Cut,
            Some(Phase::Draining) => Pin::new(&mut *connection).graceful_shutdown(),
            Some(Phase::Serving) => {}
            None => match service.deadline(activity) {
                Some(deadline) if deadline > Instant::now() => timer.as_mut().reset(deadline),
                None => timer.as_mut().reset(Instant::now() + service.idle_timeout),
                Some(_) if activity.now_doing().0 == Doing::Head => {
                    service.metrics.connections_timed_out.inc();
                    return End::HeadTooSlow;
                }
                Some(_) if closing => {
                    service.metrics.connections_timed_out.inc();
                    return End::Cut;
                }
                Some(_) => {
                    // Ends at once unless an answer is still being taken, slowly; that has a last while to end.
                    closing = true;
                    Pin::new(&mut *connection).graceful_shutdown();
                    timer.as_mut().reset(Instant::now() + service.write_timeout);
                }
            },
        }
    }
}

/// Drives the connection. Ready when it ended, or with nothing when the timer did; the timer is brought forward when the
/// connection has begun something that must end sooner.
fn progress(
    connection: &mut Connection,
    service: &Service,
    activity: &Activity,
    mut timer: Pin<&mut Sleep>,
    context: &mut Context<'_>,
) -> Poll<Option<hyper::Result<()>>> {
    if let Poll::Ready(ended) = connection.poll_without_shutdown(context) {
        return Poll::Ready(Some(ended));
    }
    if let Some(deadline) = service.deadline(activity)
        && deadline < timer.deadline()
    {
        timer.as_mut().reset(deadline);
    }
    ready!(timer.poll(context));
    Poll::Ready(None)
}

/// Hands requests to the router and notes when they begin and end.
struct Handler {
    router: Router,
    activity: Arc<Activity>,
    client: Client,
    metrics: Arc<Metrics>,
}

impl hyper::service::Service<Request<Incoming>> for Handler {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.activity.request_began();
        let activity = Arc::clone(&self.activity);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.client.clone());
        let answer = Caught { answer: self.router.clone().call(request), metrics: Arc::clone(&self.metrics) };
        Box::pin(async move {
            let response = answer.await;
            let leaves_unread = response.headers().contains_key(CONNECTION);
            if response.body().size_hint().exact().is_some() {
                activity.request_ended(leaves_unread);
                return Ok(response);
            }
            // The answer is made while it is taken: the request goes on until nothing more of it comes.
            Ok(response.map(|body| Body::new(Lasting { body, activity, leaves_unread })))
        })
    }
}

/// The body of an answer whose length is not known before its end.
struct Lasting {
    body: Body,
    activity: Arc<Activity>,
    leaves_unread: bool,
}

impl HttpBody for Lasting {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.activity.request_ended(self.leaves_unread);
    }
}

/// A future whose panic becomes an answer.
struct Caught<F> {
    answer: F,
    metrics: Arc<Metrics>,
}

impl<F: Future<Output = Result<Response, Infallible>> + Unpin> Future for Caught<F> {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.answer).poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(response))) => Poll::Ready(response),
            Err(_) => {
                self.metrics.panics.inc();
                tracing::error!(task = "request", "a task panicked and was ended; this is a defect, please report it");
                Poll::Ready(ApiError::Internal.into_response())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use muster_store::{clock::SystemClock, memory::MemoryStore};

    use super::*;

    #[test]
    fn a_panic_becomes_an_answer() {
        let store = Arc::new(MemoryStore::new());
        let state = crate::AppState::new(store, Arc::new(SystemClock), crate::ServerSettings::default());
        let metrics = Arc::clone(&state.metrics);
        let answer = Box::pin(async { panic!("on purpose") });
        let mut caught = Caught::<Pin<Box<dyn Future<Output = _>>>> { answer, metrics: Arc::clone(&metrics) };
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(response) = Pin::new(&mut caught).poll(&mut context) else { panic!("it is ready") };
        assert_eq!((response.status().as_u16(), metrics.panics.get()), (500, 1));
    }
}
