//! One request to a destination.
//!
//! Redirects are not followed, so that neither a secret nor a message goes where nobody sent it. An answer is read up to a
//! bound, whatever its status.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use axum::http::Uri;
use ureq::Agent;

use super::{
    destination::{Destination, DestinationKind},
    form::webhook,
    parcel::Parcel,
};

/// Bytes of an answer that are read; beyond them nothing of it counts.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a destination answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    /// How long it asks to wait.
    pub retry_after: Option<Duration>,
    /// How long until it takes more, when it says that it takes nothing now.
    pub exhausted: Option<Duration>,
    pub body: String,
}

/// The connection to a destination.
pub(super) struct Post {
    agent: Agent,
    destination: Destination,
    /// No request goes before this.
    pub not_before: Option<Instant>,
}

impl Post {
    pub(super) fn new(destination: &Destination) -> Post {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT.min(destination.timeout())))
            .timeout_global(Some(destination.timeout()))
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
        if is_local(&destination.url) {
            config = config.proxy(None);
        }
        Post { agent: config.build().new_agent(), destination: destination.clone(), not_before: None }
    }

    /// Sends messages in one request. `Err` says in a few words why there was no answer.
    pub(super) fn send(&self, parcels: &[&Parcel], seconds: i64) -> Result<Answer, String> {
        let Destination { kind, url, secret, .. } = &self.destination;
        let joined = parcels.iter().map(|parcel| &parcel.body[..]).collect::<Vec<_>>().join(&b","[..]);
        let (target, body) = match kind {
            DestinationKind::Vitally => (format!("{url}/analytics/v1/batch"), enclosed(b"[", &joined, b"]")),
            DestinationKind::Segment => (format!("{url}/v1/batch"), enclosed(b"{\"batch\":[", &joined, b"]}")),
            DestinationKind::Webhook => (url.clone(), joined),
        };
        let mut request = self.agent.post(&target).header("Content-Type", "application/json");
        match (kind, parcels.first()) {
            (DestinationKind::Vitally, _) => {
                request = request.header("Authorization", format!("Basic {}", secret.reveal()));
            }
            (DestinationKind::Segment, _) => {
                use base64::{Engine, engine::general_purpose::STANDARD};
                let key = STANDARD.encode(format!("{}:", secret.reveal()));
                request = request.header("Authorization", format!("Basic {key}"));
            }
            (DestinationKind::Webhook, Some(parcel)) => {
                let id = webhook::id(parcel.identity);
                let signature = webhook::signature(secret, &id, seconds, &body).ok_or("the secret cannot sign")?;
                request = request.header("webhook-id", id).header("webhook-timestamp", seconds.to_string());
                request = request.header("webhook-signature", signature);
            }
            (DestinationKind::Webhook, None) => {}
        }
        let response = request.send(&body[..]).map_err(|error| words(&error))?;
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let seconds = |name: &str| header(name).and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let (retry_after, reset) = (seconds("retry-after"), seconds("ratelimit-reset"));
        let exhausted = reset.filter(|_| header("ratelimit-remaining").is_some_and(|left| left.trim() == "0"));
        let body = response.into_body().into_with_config().limit(ANSWER_BYTES_MAX).lossy_utf8(true).read_to_string();
        // The status is what counts; a body that cannot be read says nothing more, unless it was cut short.
        let body = match body {
            Ok(body) => body,
            Err(ureq::Error::BodyExceedsLimit(_)) => String::new(),
            Err(error) => return Err(words(&error)),
        };
        Ok(Answer { status, retry_after, exhausted, body })
    }
}

/// Whether an address leads to this machine, where no proxy stands between.
fn is_local(url: &str) -> bool {
    let uri = url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn enclosed(before: &[u8], inside: &[u8], after: &[u8]) -> Vec<u8> {
    [before, inside, after].concat()
}

/// Why there was no answer; the address is not repeated.
fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "the host's name is not known".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Io(error) => format!("the connection failed: {}", error.kind()),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => {
            "no agreement about TLS, or a certificate that is not trusted".to_owned()
        }
        _ => "no answer that can be understood".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_without_a_proxy() {
        for (url, local) in [
            ("http://127.0.0.1:8080/x", true),
            ("https://localhost", true),
            ("http://[::1]:9", true),
            ("https://localhost.example.com", false),
            ("https://127.example.com/x", false),
            ("https://api.vitally.io", false),
        ] {
            assert_eq!(is_local(url), local, "{url}");
        }
    }
}
