//! What a form sent.
//!
//! Nothing of it is used before the token of the session that showed the form was found in it, and a request that a
//! browser says comes from another site is not even read.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts},
    http::{
        HeaderMap, HeaderValue, Request,
        header::{HOST, ORIGIN},
        request::Parts,
    },
};

use super::{answer::PageError, session::Session};
use crate::{ingest, resources::query::Query, state::AppState};

/// Bytes of a form: a message of the largest size, percent-encoded.
const FORM_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The fields of a form.
pub(super) struct Fields(Query);

impl Fields {
    /// All of them.
    pub(super) fn query(&self) -> &Query {
        &self.0
    }

    /// A field's value; nothing when it was left out or left empty.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_default()
    }
}

/// The fields of a form that a page of nobody's showed: signing in. Another site could only sign the visitor in with a
/// token of its own, and is kept from that by what browsers say of where a form comes from.
pub(super) async fn open(state: &AppState, request: Request<Body>) -> Result<Fields, PageError> {
    let (head, mut body) = request.into_parts();
    if !from_here(&head.headers) {
        return Err(PageError::Foreign);
    }
    let (bytes, _reservation) = ingest::whole(state, &head, &mut body, FORM_BYTES_MAX).await?;
    Ok(Fields(Query::of_text(&String::from_utf8_lossy(&bytes))))
}

/// Whether a browser says, or leaves open, that one of our pages sent this.
fn from_here(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(ORIGIN), text(HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, own)| own.eq_ignore_ascii_case(host)),
        _ => true,
    }
}

/// A form of the session that sends it.
pub(super) struct Posted {
    pub session: Session,
    pub fields: Fields,
    /// The request without its body.
    pub parts: Parts,
}

impl FromRequest<AppState> for Posted {
    type Rejection = PageError;

    async fn from_request(request: Request<Body>, state: &AppState) -> Result<Posted, PageError> {
        let (mut parts, body) = request.into_parts();
        let session = Session::from_request_parts(&mut parts, state).await?;
        let fields = open(state, Request::from_parts(parts.clone(), body)).await?;
        // Both are codes of 256 bits over what only the server knows; the comparison's time tells nothing of use.
        if fields.get("csrf") != session.csrf {
            return Err(PageError::Foreign);
        }
        Ok(Posted { session, fields, parts })
    }
}
