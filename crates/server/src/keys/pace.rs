//! Answers that ask a sender to come again later are given at a bounded rate.
//!
//! A refusal costs little, and many thousands of them a second cost everything: a sender that does not wait as it was told
//! comes again as soon as it is answered, and a hundred of those leave no processor idle. What suffers then is what was
//! accepted, since a sync ends in threads of the system itself, which have to find a processor like any other. So of
//! refusals that come close together each one waits for its turn, and whoever does not wait by itself waits here. The wait
//! is bounded, so that a refusal is early all the same; one alone is given at once. Who waits holds a connection and the
//! few bytes of its answer; its request's body is gone by then. Never decides what is refused.

use std::time::{Duration, Instant};

use axum::{http::StatusCode, response::Response};
use parking_lot::Mutex;
use tokio::time::sleep;

/// From one turn to the next: a thousand refusals a second.
const TURN: Duration = Duration::from_millis(1);
/// How long a refusal waits at the most, with however many before it. Little beside the second that senders are told to
/// wait at the least.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// When refusals are given.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// The first turn that nobody has; none as long as nothing was refused.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// Holds back a refusal that asks its sender to come again, until its turn; any other answer goes on at once.
    pub(crate) async fn keep(&self, answer: Response) -> Response {
        if matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let wait = self.take_turn(Instant::now());
            if !wait.is_zero() {
                sleep(wait).await;
            }
        }
        answer
    }

    /// Takes the next turn, and says how far it is from `now`. Whoever would wait longer than is allowed takes none, so
    /// that turns are never given away beyond that.
    fn take_turn(&self, now: Instant) -> Duration {
        let mut next = self.next.lock();
        let turn = next.map_or(now, |next| next.max(now));
        let wait = turn - now;
        if wait >= WAIT_MAX {
            return WAIT_MAX;
        }
        *next = Some(turn + TURN);
        wait
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::{Pin, pin},
        sync::Arc,
        task::{Context, Poll, Waker},
    };

    use axum::{body::Body, extract::Request, http::header::AUTHORIZATION, response::IntoResponse};
    use muster_store::{
        clock::{Clock, SystemClock},
        credentials::{Credentials, NewKey, Scopes},
        memory::MemoryStore,
    };
    use tokio::runtime::{Builder, Runtime};
    use tower::ServiceExt;

    use super::*;
    use crate::{AppState, ServerSettings, keys::Token, router};

    const TOKEN: &str = "test-token";

    #[test]
    fn refusals_take_turns_and_none_waits_longer_than_allowed() {
        let (pace, now) = (Pace::default(), Instant::now());
        let turns = (WAIT_MAX.as_micros() / TURN.as_micros()) as u32;
        for place in 0..turns {
            assert_eq!(pace.take_turn(now), TURN * place, "the one at place {place}");
        }
        for _ in 0..10 * turns {
            assert_eq!(pace.take_turn(now), WAIT_MAX, "beyond the last turn nobody takes one");
        }
        assert_eq!(pace.take_turn(now + TURN * 10), WAIT_MAX - TURN * 10, "time goes on");
        // After a while without refusals the first one is given at once, and turns that passed are not saved up.
        let later = now + WAIT_MAX * 5;
        assert_eq!((pace.take_turn(later), pace.take_turn(later)), (Duration::ZERO, TURN));
    }

    /// A server over a store, with a key.
    fn server(store: MemoryStore, requests_per_minute: u32) -> (AppState, Runtime) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let settings = ServerSettings { requests_per_minute, ..ServerSettings::default() };
        let token_hash = Token::from_text(TOKEN).unwrap().hash();
        let (name, created_at) = ("test".to_owned(), SystemClock.now());
        let new = NewKey { workspace_name: "default".to_owned(), name, scopes: Scopes::ALL, token_hash, created_at };
        runtime.block_on(store.create_key(new)).unwrap();
        (AppState::new(Arc::new(store), Arc::new(SystemClock), settings), runtime)
    }

    /// Begins a request; nothing but the pace has it wait here.
    fn ask(state: &AppState, target: &str, body: &'static str) -> impl Future<Output = Response> + use<> {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let request = Request::builder().method(method).uri(target).header(AUTHORIZATION, format!("Basic {TOKEN}"));
        let answer = router(state.clone()).oneshot(request.body(Body::from(body)).unwrap());
        async move { answer.await.into_response() }
    }

    /// The status of an answer that is there at once, if it is.
    fn at_once(answer: Pin<&mut impl Future<Output = Response>>) -> Option<u16> {
        match answer.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(response) => Some(response.status().as_u16()),
            Poll::Pending => None,
        }
    }

    /// As if refusals had come for a long time; however slowly a test runs, no turn comes up in it.
    fn give_turns_away(state: &AppState) {
        *state.pace.next.lock() = Some(Instant::now() + TURN * 3_600_000);
    }

    #[test]
    fn a_refusal_among_many_waits_without_its_body_and_other_answers_do_not() {
        let (state, runtime) = server(MemoryStore::with_room(0), 1_000);
        let _inside = runtime.enter();
        let batch = r#"[{"type":"account","accountId":"a","messageId":"1"}]"#;
        let refused = || ask(&state, "/analytics/v1/batch", batch);
        assert_eq!(at_once(pin!(refused())), Some(503), "one alone is given at once");
        give_turns_away(&state);
        let mut waiting = pin!(refused());
        assert_eq!(at_once(waiting.as_mut()), None);
        let mut call = pin!(ask(&state, "/v1/identify", r#"{"userId":"u"}"#));
        assert_eq!(at_once(call.as_mut()), None);
        assert_eq!(state.metrics.in_flight_bytes.get(), 0, "nothing of their bodies is in memory");
        assert_eq!(at_once(pin!(ask(&state, "/resources/accounts/none", ""))), Some(404));
        assert_eq!(at_once(pin!(ask(&state, "/analytics/v1/batch", "{"))), Some(400));
        assert_eq!(runtime.block_on(waiting).status(), 503, "and is given in the end");
        assert_eq!(runtime.block_on(call).status(), 503);
    }

    #[test]
    fn one_that_comes_too_often_waits_as_well() {
        let (state, runtime) = server(MemoryStore::new(), 1);
        let _inside = runtime.enter();
        let asked = || ask(&state, "/resources/accounts/none", "");
        assert_eq!(at_once(pin!(asked())), Some(404));
        assert_eq!(at_once(pin!(asked())), Some(429), "one alone is given at once");
        give_turns_away(&state);
        let mut waiting = pin!(asked());
        assert_eq!(at_once(waiting.as_mut()), None);
        assert_eq!(runtime.block_on(waiting).status(), 429, "and is given in the end");
    }
}
