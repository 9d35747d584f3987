//! Finding the key, wherever it stands.
//!
//! In the `Authorization` header in any spelling, after the question mark, or in the body. The head is looked at first,
//! so that a request over its rate is turned away unread; before a request is refused for its key, the body is read too.

use std::sync::Arc;

use axum::http::{Uri, request::Parts};
use muster_model::json::string_value;
use muster_store::credentials::{Key, Scopes};

use super::{answer::Trouble, envelope::Envelope};
use crate::{
    error::ApiError,
    keys::{Allowance, Token, candidates},
    resources::query::Query,
    state::AppState,
};

/// Who is asking, and how much of their allowance is left.
#[derive(Clone)]
pub(super) struct Holder {
    pub key: Arc<Key>,
    pub allowance: Allowance,
}

impl Holder {
    /// Counts a request of a key.
    fn counted(state: &AppState, key: Arc<Key>) -> Holder {
        let allowance = state.limiter.count(key.id);
        if allowance.retry_after_seconds.is_some() {
            state.metrics.rate_limited.inc();
        }
        Holder { key, allowance }
    }

    /// Whether this request is let through.
    pub(super) fn may_send(&self) -> Result<(), Trouble> {
        if let Some(retry_after_seconds) = self.allowance.retry_after_seconds {
            return Err(ApiError::OverRate { retry_after_seconds }.into());
        }
        if !self.key.scopes.contains(Scopes::WRITE) {
            return Err(ApiError::MissingScope { needs: Scopes::WRITE, has: self.key.scopes }.into());
        }
        Ok(())
    }
}

/// The holder of a key that the head of a request names.
pub(super) fn of_head(state: &AppState, head: &Parts) -> Option<Holder> {
    let of_header = candidates(&head.headers).into_iter().flatten();
    let of_query = in_query(&head.uri).and_then(|text| Token::from_text(&text)).map(|token| token.hash());
    let key = of_header.chain(of_query).find_map(|hash| state.store.authenticate(&hash))?;
    Some(Holder::counted(state, key))
}

/// The holder of a key that stands in a path.
pub(super) fn of_path(state: &AppState, text: &str) -> Option<Holder> {
    let key = state.store.authenticate(&Token::from_text(text)?.hash())?;
    Some(Holder::counted(state, key))
}

/// The holder of a key that the body names.
pub(super) fn of_body(state: &AppState, envelope: &Envelope<'_>) -> Option<Holder> {
    let text = string_value(envelope.write_key()?)?.ok()?;
    of_path(state, text.trim())
}

/// Whether a request's head names any key at all.
pub(super) fn is_named(head: &Parts) -> bool {
    candidates(&head.headers).is_some() || in_query(&head.uri).is_some()
}

fn in_query(uri: &Uri) -> Option<String> {
    let query = Query::of(uri);
    query.filled("writeKey").or_else(|| query.filled("writekey")).map(|text| text.trim().to_owned())
}
