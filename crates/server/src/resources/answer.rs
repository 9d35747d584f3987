//! Answers with a JSON body.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
};

use crate::{
    error::ApiError,
    observe::Notes,
    spawn::blocking,
    state::AppState,
    wire::object::{List, Object},
};

/// An answer with one object.
pub(crate) fn json(status: StatusCode, write: impl FnOnce(&mut Object<'_>)) -> Response {
    let mut out = Vec::with_capacity(1024);
    Object::write(&mut out, write);
    with_body(status, out)
}

/// The same, with `null` wherever the object would say a number of its own.
pub(crate) fn json_uncounted(status: StatusCode, write: impl FnOnce(&mut Object<'_>)) -> Response {
    let mut out = Vec::with_capacity(1024);
    Object::write_uncounted(&mut out, write);
    with_body(status, out)
}

fn with_body(status: StatusCode, out: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(out));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer without a body.
pub(crate) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Writes an answer from about so many bytes of customers' data: here when that is quick, on a thread of its own when it
/// may not be.
pub(crate) async fn write(
    state: &AppState,
    weight_bytes: usize,
    write: impl FnOnce() -> Response + Send + 'static,
) -> Result<Response, ApiError> {
    if weight_bytes <= state.settings.inline_bytes_max {
        return Ok(write());
    }
    blocking("write", &state.metrics, write).await
}

/// A page of results, ended early when it has grown to `bytes_max`. `write` writes one result; `place` is the cursor
/// just after it.
pub(crate) fn page<T>(
    results: &[T],
    next: Option<String>,
    bytes_max: usize,
    mut write: impl FnMut(&mut Object<'_>, &T),
    place: impl Fn(&T) -> String,
) -> Response {
    let mut next = next;
    let mut shown = 0;
    let mut response = json(StatusCode::OK, |object| {
        object.list("results", |list: &mut List<'_>| {
            for result in results {
                list.object(|one| write(one, result));
                shown += 1;
                if list.written_bytes() >= bytes_max && shown < results.len() {
                    next = Some(place(result));
                    break;
                }
            }
        });
        object.text_or_null("next", next.as_deref());
        object.boolean("atEnd", next.is_none());
    });
    response.extensions_mut().get_or_insert_default::<Notes>().results = Some(shown as u32);
    response
}
