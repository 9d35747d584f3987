//! Talking to a server as its own commands do: one address, one token, plain answers.
//!
//! An answer of any status is an answer; only a call that brought none is an error, and the error says whether trying
//! again can help. Redirects are not followed, so a token never travels to another host. Loopback addresses are called
//! without a proxy. A certificate is checked against the authorities that browsers know, or those of a file.

use std::{
    fmt, fs,
    io::{ErrorKind, Read},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use ureq::{
    Agent, Body,
    http::Response,
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

/// The largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// A server at an address.
pub struct Client {
    agent: Agent,
    url: String,
    authorization: Option<String>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// How long it asks to wait.
    pub retry_after: Option<Duration>,
    /// Where what was asked for is found.
    pub location: Option<String>,
    pub body: String,
}

/// Why there was no answer.
#[derive(Debug)]
pub enum CallError {
    /// Nobody answered, or not in time; the server may be away for a moment.
    Unreachable(String),
    /// What came cannot be understood, or the call cannot be made at all.
    Unusable(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (CallError::Unreachable(says) | CallError::Unusable(says)) = self;
        f.write_str(says)
    }
}

impl std::error::Error for CallError {}

/// By what a server that speaks TLS is believed to be the one it says it is.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// A certificate of an authority that browsers know.
    Public,
    /// A certificate of an authority in this PEM file.
    Authorities(&'a Path),
    /// Any certificate: the address comes from a file that only the server of this machine and its owner can write.
    Local,
}

impl Trust<'_> {
    fn config(self) -> anyhow::Result<TlsConfig> {
        let builder = TlsConfig::builder();
        Ok(match self {
            Trust::Public => builder.build(),
            Trust::Local => builder.disable_verification(true).build(),
            Trust::Authorities(path) => {
                let text = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
                let items: Result<Vec<PemItem<'_>>, _> = parse_pem(&text).collect();
                let items = items.with_context(|| format!("{} is not PEM", path.display()))?;
                let certificate = |item| match item {
                    PemItem::Certificate(certificate) => Some(certificate),
                    _ => None,
                };
                let authorities: Vec<_> = items.into_iter().filter_map(certificate).collect();
                if authorities.is_empty() {
                    bail!("{} holds no certificate in PEM form", path.display());
                }
                builder.root_certs(RootCerts::Specific(Arc::new(authorities))).build()
            }
        })
    }
}

impl Client {
    /// A client that trusts the authorities that browsers know.
    pub fn new(url: &str, token: Option<&str>, timeout: Duration) -> anyhow::Result<Client> {
        Client::trusting(Trust::Public, url, token, timeout)
    }

    /// A client for `http://HOST[:PORT]` or `https://…`, possibly with a path in front of the API's.
    pub fn trusting(trust: Trust<'_>, url: &str, token: Option<&str>, timeout: Duration) -> anyhow::Result<Client> {
        let url = url.trim().trim_end_matches('/').to_owned();
        let Some(host) = host_of(&url) else {
            bail!("{url:?} is no server address; write it as http://HOST:PORT or https://HOST");
        };
        if token.is_some_and(|token| token.is_empty() || token.chars().any(|letter| !letter.is_ascii_graphic())) {
            bail!("the token has characters that no token has; was it copied with a space or a line end?");
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(trust.config()?)
            .timeout_connect(Some(timeout.min(Duration::from_secs(10))))
            .timeout_global(Some(timeout))
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
        if is_loopback(host) {
            config = config.proxy(None);
        }
        let authorization = token.map(|token| format!("Bearer {token}"));
        Ok(Client { agent: config.build().new_agent(), url, authorization })
    }

    pub fn get(&self, path: &str) -> Result<Answer, CallError> {
        let mut request = self.agent.get(self.target(path));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        self.answer(request.call())
    }

    pub fn delete(&self, path: &str) -> Result<Answer, CallError> {
        let mut request = self.agent.delete(self.target(path));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        self.answer(request.call())
    }

    /// Posts JSON; `prefer` goes into the header of that name.
    pub fn post(&self, path: &str, body: &[u8], prefer: Option<&str>) -> Result<Answer, CallError> {
        let mut request = self.agent.post(self.target(path)).header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        if let Some(prefer) = prefer {
            request = request.header("Prefer", prefer);
        }
        self.answer(request.send(body))
    }

    /// Changes something, told in JSON.
    pub fn patch(&self, path: &str, body: &[u8]) -> Result<Answer, CallError> {
        let mut request = self.agent.patch(self.target(path)).header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        self.answer(request.send(body))
    }

    /// Asks for something large and hands the body of the answer out as it comes, with its status.
    pub fn download(&self, path: &str) -> Result<(u16, impl Read + use<>), CallError> {
        let mut request = self.agent.get(self.target(path));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let response = request.call().map_err(|error| self.judge(&error))?;
        Ok((response.status().as_u16(), response.into_body().into_reader()))
    }

    /// Posts JSON and hands the body of the answer out as it comes, with its status.
    pub fn stream(&self, path: &str, body: &[u8]) -> Result<(u16, impl Read + use<>), CallError> {
        let mut request = self.agent.post(self.target(path)).header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let response = request.send(body).map_err(|error| self.judge(&error))?;
        Ok((response.status().as_u16(), response.into_body().into_reader()))
    }

    fn target(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn answer(&self, response: Result<Response<Body>, ureq::Error>) -> Result<Answer, CallError> {
        let response = response.map_err(|error| self.judge(&error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.into_body().into_with_config().limit(ANSWER_BYTES_MAX).lossy_utf8(true).read_to_string();
        Ok(Answer { status, retry_after, location, body: body.map_err(|error| self.judge(&error))? })
    }

    fn judge(&self, error: &ureq::Error) -> CallError {
        let says = format!("{}: {error}", self.url);
        match error {
            // What came is no TLS, or a certificate that is not trusted: the same will come again.
            ureq::Error::Io(cause) if self.url.starts_with("https://") && cause.kind() == ErrorKind::InvalidData => {
                CallError::Unusable(format!("{says}; {}", tls_advice(&says)))
            }
            ureq::Error::Io(_)
            | ureq::Error::Timeout(_)
            | ureq::Error::ConnectionFailed
            | ureq::Error::HostNotFound
            | ureq::Error::Protocol(_) => CallError::Unreachable(says),
            _ => CallError::Unusable(says),
        }
    }
}

/// What to do about a handshake that failed.
fn tls_advice(says: &str) -> &'static str {
    if says.to_lowercase().contains("certificate") {
        "--ca FILE (or MUSTER_CA) names the authority of a certificate that browsers do not know"
    } else {
        "does that port speak TLS? The address of one that does not begins with http://"
    }
}

/// The host in a server's address, without its port.
pub fn host_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let plain = !host.is_empty() && !authority.contains(['@', '?', '#', ' ']);
    plain.then_some(host)
}

/// Whether a host is this machine.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host() {
        for (url, host) in [
            ("http://127.0.0.1:8080", Some("127.0.0.1")),
            ("https://muster.example.com/base", Some("muster.example.com")),
            ("http://[::1]:80", Some("::1")),
            ("localhost:8080", None),
            ("http://", None),
            ("http://user@host", None),
        ] {
            assert_eq!(host_of(url), host, "{url}");
        }
        assert!(is_loopback("::1") && is_loopback("127.0.0.9") && is_loopback("localhost"));
        assert!(!is_loopback("192.0.2.1") && !is_loopback("example.com"));
    }

    #[test]
    fn what_cannot_work_is_refused_before_a_call() {
        let client = |url, token| Client::new(url, token, Duration::from_secs(1));
        assert!(client("127.0.0.1:8080", None).is_err());
        assert!(client("http://127.0.0.1:1", Some("a b")).is_err());
        assert!(client("http://127.0.0.1:1", Some("")).is_err());
        let nobody = client("http://127.0.0.1:1", Some("mk_x")).unwrap();
        assert!(matches!(nobody.get("/healthz"), Err(CallError::Unreachable(_))));
    }
}
