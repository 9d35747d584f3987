//! Who has signed in, proven by a cookie.
//!
//! The cookie names the key and the time of signing in, and holds a code that only this server can make: a MAC under the
//! hash of the key's token. Nothing is kept here for it, so a restart signs nobody out, and a key that is revoked ends
//! its sessions with it. Neither the token nor its hash can be found from a cookie.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header::COOKIE, request::Parts},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use muster_model::time::Micros;
use muster_store::credentials::{Key, Scopes, TokenHash, Workspace};
use sha2::Sha256;

use super::answer::PageError;
use crate::{error::ApiError, state::AppState};

const COOKIE_NAME: &str = "muster_session";
/// How long a session lasts.
const LASTS_SECONDS: i64 = 14 * 24 * 60 * 60;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// A session of a browser.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub key: Arc<Key>,
    /// What every form of this session holds.
    pub csrf: String,
}

impl Session {
    /// The workspace whose data is shown.
    pub(super) fn workspace(&self) -> &Workspace {
        &self.key.workspace
    }

    /// That the key may do this, or the error that says it may not.
    pub(super) fn require(&self, needs: Scopes) -> Result<(), PageError> {
        if self.key.scopes.contains(needs) {
            return Ok(());
        }
        Err(PageError::Api(ApiError::MissingScope { needs, has: self.key.scopes }))
    }
}

/// The cookie of a session that begins now. `secure` keeps it to encrypted connections.
pub(super) fn begin(key: &Key, hash: &TokenHash, now: Micros, secure: bool) -> HeaderValue {
    let since = now.0.div_euclid(MICROS_PER_SECOND);
    let claim = format!("{}.{since}", key.id);
    let value = format!("{claim}.{}", code(hash, "session", &claim));
    cookie(&value, LASTS_SECONDS, secure)
}

/// The cookie that ends a session in the browser.
pub(super) fn end(secure: bool) -> HeaderValue {
    cookie("", 0, secure)
}

fn cookie(value: &str, seconds: i64, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{COOKIE_NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).expect("digits, dots and base64 make a header value")
}

/// Whether the browser speaks to us, or to whoever stands in front of us, inside TLS.
pub(super) fn is_secure(state: &AppState, headers: &HeaderMap) -> bool {
    let forwarded = headers.get("x-forwarded-proto").is_some_and(|value| value.as_bytes() == b"https");
    state.settings.tls.is_some() || forwarded
}

/// A cookie's value, by name.
pub(super) fn cookie_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The session of a request, if there is one.
fn read(state: &AppState, headers: &HeaderMap) -> Option<Session> {
    let value = cookie_of(headers, COOKIE_NAME)?;
    let (claim, given) = value.rsplit_once('.')?;
    let (id, since) = claim.split_once('.')?;
    let age = state.clock.now().0.div_euclid(MICROS_PER_SECOND).checked_sub(since.parse().ok()?)?;
    if age >= LASTS_SECONDS {
        return None;
    }
    let (key, hash) = state.store.live_key(id.parse().ok()?)?;
    let given = URL_SAFE_NO_PAD.decode(given).ok()?;
    // Compared in constant time.
    mac(&hash, "session", claim).verify_slice(&given).ok()?;
    Some(Session { key, csrf: code(&hash, "form", value) })
}

fn mac(hash: &TokenHash, use_of_it: &str, text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(hash).expect("a key of any length is taken");
    mac.update(b"muster console ");
    mac.update(use_of_it.as_bytes());
    mac.update(b" ");
    mac.update(text.as_bytes());
    mac
}

fn code(hash: &TokenHash, use_of_it: &str, text: &str) -> String {
    URL_SAFE_NO_PAD.encode(mac(hash, use_of_it, text).finalize().into_bytes())
}

impl FromRequestParts<AppState> for Session {
    type Rejection = PageError;

    /// Whoever signed in, and may read, within what the key's rate allows.
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Session, PageError> {
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str());
        let next = if parts.method == axum::http::Method::GET { here } else { "/" };
        let session = read(state, &parts.headers).ok_or_else(|| PageError::SignedOut { next: next.to_owned() })?;
        if let Some(retry_after_seconds) = state.limiter.count(session.key.id).retry_after_seconds {
            state.metrics.rate_limited.inc();
            return Err(PageError::Api(ApiError::OverRate { retry_after_seconds }));
        }
        state.last_used.note(session.key.id, state.clock.now());
        session.require(Scopes::READ)?;
        Ok(session)
    }
}
