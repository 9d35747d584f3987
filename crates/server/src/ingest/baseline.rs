//! A server that parses and drops, to measure the real one against.
//!
//! It reads the same bodies on the same paths and applies the same rules, so that what the real server takes longer for
//! is keys, limits and the store. It keeps nothing and asks for no key; never to be reached from outside a benchmark.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use muster_model::{
    id::IdSpace,
    kind::Kind,
    kinds::Context,
    limits::{BATCH_MESSAGES_MAX, MessageLimits},
};
use muster_store::clock::Clock;

use super::{batch, check::check_element, reply::plain_success};

const BODY_BYTES_MAX: usize = 20 * 1024 * 1024;

/// Reads a batch, checks its messages and drops them; returns how many were good. A body that is no batch has none.
#[must_use]
pub fn parse_and_drop(body: &[u8], context: &Context) -> usize {
    drop_checked(None, body, context)
}

fn drop_checked(kind: Option<Kind>, bytes: &[u8], context: &Context) -> usize {
    let Ok(body) = batch::Body::read(bytes) else { return 0 };
    let depth_max = context.limits.message_depth_max;
    let mut good = 0;
    let mut each = |element: batch::Element<'_>| {
        let checked = std::hint::black_box(check_element(kind, &element, context));
        good += usize::from(checked.is_ok());
    };
    match kind {
        Some(_) => each(body.one(depth_max)),
        None => {
            if body.each(depth_max, BATCH_MESSAGES_MAX, each).is_err() {
                return 0;
            }
        }
    }
    good
}

/// Serves [`parse_and_drop`] on the paths of the ingest API.
pub fn baseline_router() -> Router {
    let mut router = Router::new().route("/analytics/v1/batch", post(|request: Request| answer(None, request)));
    for kind in Kind::SENT {
        let path = format!("/analytics/v1/{}", kind.as_str());
        router = router.route(&path, post(move |request: Request| answer(Some(kind), request)));
    }
    router
}

async fn answer(kind: Option<Kind>, request: Request) -> Response {
    let Ok(body) = to_bytes(request.into_body(), BODY_BYTES_MAX).await else {
        return Response::new(Body::empty());
    };
    let received_at = muster_store::clock::SystemClock.now();
    let context = Context { ids: IdSpace::new("default"), received_at, limits: MessageLimits::default() };
    if drop_checked(kind, &body, &context) > 0 { plain_success() } else { StatusCode::BAD_REQUEST.into_response() }
}
