//! What libraries ask for before they start.
//!
//! Browser and phone libraries fetch their settings from the vendor's own network, and send nothing before they have
//! them. The answers here name one destination, this server, and turn off what would send elsewhere.

use axum::{
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, Uri, header::CACHE_CONTROL, header::HOST},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    answer::Trouble,
    cors,
    key::{self, Holder},
    receive::told,
};
use crate::{keys::unread, resources::answer::json as answer_json, state::AppState};

/// Answers the settings of a Segment library, whose key stands in the path.
pub(super) async fn segment(State(state): State<AppState>, Path(text): Path<String>, request: Request) -> Response {
    let holder = key::of_path(&state, &text).ok_or(Trouble::UnknownKey);
    let settings = segment_settings(&text, &place(&state, request.uri(), request.headers()));
    answer(&state, request, holder, settings)
}

/// Answers the settings of a RudderStack library, whose key stands where any other does.
pub(super) async fn rudderstack(State(state): State<AppState>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let trouble = if key::is_named(&head) { Trouble::UnknownKey } else { Trouble::NoKey };
    let holder = key::of_head(&state, &head).ok_or(trouble);
    let settings = holder.as_ref().map(|holder| rudderstack_settings(&holder.key.workspace.name)).unwrap_or_default();
    answer(&state, Request::from_parts(head, body), holder, settings)
}

fn answer(state: &AppState, request: Request, holder: Result<Holder, Trouble>, settings: Value) -> Response {
    let origin = cors::origin(request.headers());
    let (holder, allowed) = match holder {
        Ok(holder) => (Some(holder.clone()), holder.may_send()),
        Err(trouble) => (None, Err(trouble)),
    };
    let response = match allowed {
        Ok(()) => {
            let members = settings.as_object().into_iter().flatten();
            let mut response = answer_json(axum::http::StatusCode::OK, |object| {
                members.for_each(|(name, value)| object.verbatim(name, &value.to_string()));
            });
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"));
            response
        }
        Err(trouble) => {
            if matches!(trouble, Trouble::NoKey | Trouble::UnknownKey) {
                state.metrics.unrecognised.inc();
            }
            unread(request.into_body(), trouble.into_response())
        }
    };
    cors::allow(told(state, response, holder.as_ref()), origin)
}

/// The scheme and the authority under which a client reaches this server.
fn place(state: &AppState, uri: &Uri, headers: &HeaderMap) -> (&'static str, String) {
    let first = |name: &str| {
        let text = headers.get(name).and_then(|value| value.to_str().ok())?;
        text.split(',').next().map(str::trim).filter(|text| !text.is_empty())
    };
    // Whoever ends TLS before this server says so.
    let secure = match first("x-forwarded-proto") {
        Some(scheme) => scheme.eq_ignore_ascii_case("https"),
        None => state.settings.tls.is_some(),
    };
    let host =
        first("x-forwarded-host").or(first(HOST.as_str())).or(uri.authority().map(|authority| authority.as_str()));
    (if secure { "https" } else { "http" }, host.unwrap_or("localhost").to_owned())
}

fn segment_settings(key: &str, (scheme, host): &(&'static str, String)) -> Value {
    json!({
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "apiHost": format!("{host}/v1"),
                "protocol": scheme,
                "unbundledIntegrations": [],
                "addBundledMetadata": false,
                "maybeBundledConfigIds": {},
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]}
            }
        },
        "plan": {
            "track": {"__default": {"enabled": true, "integrations": {}}},
            "identify": {"__default": {"enabled": true}},
            "group": {"__default": {"enabled": true}}
        },
        "edgeFunction": {},
        "analyticsNextEnabled": true,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": false,
        "remotePlugins": []
    })
}

fn rudderstack_settings(workspace: &str) -> Value {
    const SINCE: &str = "2026-01-01T00:00:00.000Z";
    let off = json!({"enabled": false});
    json!({
        "source": {
            "id": "muster",
            "name": workspace,
            "config": {"statsCollection": {"errors": off.clone(), "metrics": off}},
            "enabled": true,
            "workspaceId": workspace,
            "destinations": [],
            "sourceDefinition": {"name": "muster"},
            "createdAt": SINCE,
            "updatedAt": SINCE
        },
        "isHosted": true,
        "updatedAt": SINCE
    })
}
