//! Who has signed in, proven by a cookie.
//!
//! The cookie names the key or the team member and the time of signing in, and holds a code that only this server can
//! make: a MAC under what is kept of the key's token or the member's password. Nothing is kept here for it, so a restart
//! signs nobody out, and a key that is revoked, a member that is removed and a password that is changed end their
//! sessions with them. Neither the token nor the password nor what is kept of them can be found from a cookie.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header::COOKIE, request::Parts},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use muster_model::{
    id::{RecordId, WorkspaceId},
    time::Micros,
};
use muster_store::credentials::{Key, Scopes, Workspace};
use sha2::{Digest, Sha256};

use super::answer::PageError;
use crate::{error::ApiError, keys::Caller, saved::By, state::AppState};

const COOKIE_NAME: &str = "muster_session";
/// How long a session lasts.
const LASTS_SECONDS: i64 = 14 * 24 * 60 * 60;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// A session of a browser.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The workspace whose data is shown.
    workspace: Workspace,
    /// What may be done in it.
    pub scopes: Scopes,
    /// What whoever signed in is called.
    pub name: String,
    pub holder: Holder,
    /// What every form of this session holds.
    pub csrf: String,
}

/// Who signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// Whoever had the token of this key.
    Key(u64),
    /// A team member, with a password.
    Member(WorkspaceId, RecordId),
}

impl Session {
    /// The workspace whose data is shown.
    pub(super) fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The number under which it is recorded what is done here: the key's, or the member's.
    pub(super) fn key_id(&self) -> u64 {
        match self.holder {
            Holder::Key(id) => id,
            Holder::Member(_, id) => muster_store::team::number(id),
        }
    }

    /// Whoever signed in, as one who keeps views and queries.
    pub(super) fn by(&self) -> By {
        By { number: self.key_id(), scopes: self.scopes }
    }

    /// Whoever signed in as the caller of what the API does. A member stands for a key of its own, without a token.
    pub(super) fn caller(&self, state: &AppState) -> Result<Caller, PageError> {
        let key = match self.holder {
            Holder::Key(id) => state.store.live_key(id).map(|(key, _)| key),
            Holder::Member(..) => Some(Arc::new(Key {
                id: self.key_id(),
                workspace: self.workspace.clone(),
                name: self.name.clone(),
                scopes: self.scopes,
                created_at: Micros::MIN,
                revoked_at: None,
            })),
        };
        key.map(Caller::Key).ok_or_else(|| PageError::SignedOut { next: "/".to_owned() })
    }

    /// A code by which this session knows its own words again in an address. What forms hold cannot be found from it.
    pub(super) fn seal(&self, words: &str) -> String {
        let hash = Sha256::new().chain_update(b"muster console words ").chain_update(&self.csrf).chain_update(words);
        URL_SAFE_NO_PAD.encode(&hash.finalize()[..12])
    }

    /// Whether whoever signed in may still look.
    pub(super) fn still_stands(&self, state: &AppState) -> bool {
        self.holder.looked_up(state).is_some_and(|(_, now)| now.scopes.contains(Scopes::READ))
    }

    /// That this may be done, or the error that says it may not.
    pub(super) fn require(&self, needs: Scopes) -> Result<(), PageError> {
        if self.scopes.contains(needs) {
            return Ok(());
        }
        Err(PageError::Api(ApiError::MissingScope { needs, has: self.scopes }))
    }
}

impl Holder {
    /// The text in a cookie.
    fn written(self) -> String {
        match self {
            Holder::Key(id) => id.to_string(),
            Holder::Member(workspace, id) => format!("m{}-{id}", workspace.0),
        }
    }

    fn read(text: &str) -> Option<Holder> {
        let Some(member) = text.strip_prefix('m') else { return text.parse().ok().map(Holder::Key) };
        let (workspace, id) = member.split_once('-')?;
        Some(Holder::Member(WorkspaceId(workspace.parse().ok()?), RecordId::parse(id)?))
    }

    /// The number under which requests are counted; members' do not meet those of keys, which are small.
    fn allowance(self) -> u64 {
        match self {
            Holder::Key(id) => id,
            Holder::Member(_, id) => muster_store::team::number(id),
        }
    }

    /// What the codes of a session are made under, and what it may do: a key's token as it is kept, or a member's
    /// password. Nothing when there is no such key or member any more.
    fn looked_up(self, state: &AppState) -> Option<(Secret, Session)> {
        let csrf = String::new();
        match self {
            Holder::Key(id) => {
                let (key, hash) = state.store.live_key(id)?;
                let (workspace, name) = (key.workspace.clone(), key.name.clone());
                Some((hash, Session { workspace, scopes: key.scopes, name, holder: self, csrf }))
            }
            Holder::Member(workspace, id) => {
                let workspace = state.store.workspaces().into_iter().find(|known| known.id == workspace)?;
                let member = state.store.team(workspace.id).into_iter().find(|member| member.id == id)?;
                let sign_in = member.sign_in?;
                let name = if member.name.is_empty() { member.email } else { member.name };
                let secret = Sha256::digest(&sign_in.password.0).into();
                Some((secret, Session { workspace, scopes: sign_in.scopes, name, holder: self, csrf }))
            }
        }
    }
}

/// What the codes of a session are made under.
type Secret = [u8; 32];

/// The cookie of a session that begins now, if whoever it is for is there. `secure` keeps it to encrypted connections.
pub(super) fn begin(state: &AppState, holder: Holder, secure: bool) -> Option<HeaderValue> {
    let (secret, _) = holder.looked_up(state)?;
    let since = state.clock.now().0.div_euclid(MICROS_PER_SECOND);
    let claim = format!("{}.{since}", holder.written());
    let value = format!("{claim}.{}", code(&secret, "session", &claim));
    Some(cookie(&value, LASTS_SECONDS, secure))
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
    let (holder, since) = claim.split_once('.')?;
    let age = state.clock.now().0.div_euclid(MICROS_PER_SECOND).checked_sub(since.parse().ok()?)?;
    if age >= LASTS_SECONDS {
        return None;
    }
    let (secret, session) = Holder::read(holder)?.looked_up(state)?;
    let given = URL_SAFE_NO_PAD.decode(given).ok()?;
    // Compared in constant time.
    mac(&secret, "session", claim).verify_slice(&given).ok()?;
    Some(Session { csrf: code(&secret, "form", value), ..session })
}

fn mac(secret: &Secret, use_of_it: &str, text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length is taken");
    mac.update(b"muster console ");
    mac.update(use_of_it.as_bytes());
    mac.update(b" ");
    mac.update(text.as_bytes());
    mac
}

fn code(secret: &Secret, use_of_it: &str, text: &str) -> String {
    URL_SAFE_NO_PAD.encode(mac(secret, use_of_it, text).finalize().into_bytes())
}

impl FromRequestParts<AppState> for Session {
    type Rejection = PageError;

    /// Whoever signed in, and may read, within what the key's rate allows.
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Session, PageError> {
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str());
        let next = if parts.method == axum::http::Method::GET { here } else { "/" };
        let session = read(state, &parts.headers).ok_or_else(|| PageError::SignedOut { next: next.to_owned() })?;
        if let Some(retry_after_seconds) = state.limiter.count(session.holder.allowance()).retry_after_seconds {
            state.metrics.rate_limited.inc();
            return Err(PageError::Api(ApiError::OverRate { retry_after_seconds }));
        }
        if let Holder::Key(id) = session.holder {
            state.last_used.note(id, state.clock.now());
        }
        session.require(Scopes::READ)?;
        Ok(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_signed_in_is_read_from_a_cookie() {
        for holder in [Holder::Key(0), Holder::Key(7), Holder::Member(WorkspaceId(3), RecordId(u128::MAX - 5))] {
            let text = holder.written();
            assert!(!text.contains('.'), "{text}");
            assert_eq!(Holder::read(&text), Some(holder));
        }
        for bad in ["", "x", "m", "m1", "m-", "mx-00000000-0000-0000-0000-000000000007", "-1"] {
            assert_eq!(Holder::read(bad), None, "{bad}");
        }
    }
}
