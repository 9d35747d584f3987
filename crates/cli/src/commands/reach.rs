//! A server to talk to, wherever the data is.
//!
//! One that is named; else the one that runs over the data directory; else one of this process's own, on a loopback port
//! that nobody is told of, over a directory that nobody uses. So there is one way for what is asked, and one meaning.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use muster_server::{AppState, keys::Token};
use muster_store::clock::SystemClock;
use tokio::{net::TcpListener, sync::oneshot};

use super::way;
use crate::{
    args,
    assemble::{self, NotOpened},
    client::{CallError, Client, Trust},
    config::{environment, settings::Settings},
    exit::{Exit, Failure},
    local::LocalServer,
    output,
};

/// Bounds a whole call: what is large takes its time.
const TIMEOUT: Duration = Duration::from_secs(24 * 3_600);

/// A server that can be asked.
pub struct Reached {
    pub client: Client,
    /// Whether it is asked as its operator, who has to name a workspace.
    pub as_operator: bool,
}

impl Reached {
    /// A parameter that names the workspace, where that is not the token's.
    pub fn workspace(&self, name: &str) -> Vec<(&'static str, String)> {
        if self.as_operator { vec![("workspace", name.to_owned())] } else { Vec::new() }
    }
}

/// Finds a server and does something with it.
pub fn reach<T>(
    settings: &Settings,
    named: &args::Reach,
    scope: &str,
    work: impl FnOnce(&Reached) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if let Some(client) = of_name(&named.at, scope, TIMEOUT)? {
        return work(&Reached { client, as_operator: false });
    }
    way::require_directory(settings)?;
    let data_dir = &settings.place.data_dir;
    match assemble::open(settings) {
        Ok(opened) => {
            if opened.dropped {
                output::talk(&opened.recovery);
            }
            within(settings, opened, work)
        }
        Err(NotOpened::InUse) => {
            let client = over(data_dir, TIMEOUT)?;
            work(&Reached { client, as_operator: true })
        }
        Err(error) => Err(error.into_error(data_dir)),
    }
}

/// The server that is named, if one is, asked with a token of its own. `scope` says how one is made.
pub fn of_name(named: &args::At, scope: &str, timeout: Duration) -> anyhow::Result<Option<Client>> {
    let Some(url) = named.url.clone().or_else(|| environment::given(environment::URL)) else { return Ok(None) };
    let token =
        named.token.clone().or_else(|| environment::given(environment::TOKEN)).ok_or_else(|| no_token(scope))?;
    let authorities = named.ca.clone().or_else(|| environment::given(environment::CA).map(PathBuf::from));
    let trust = authorities.as_deref().map_or(Trust::Public, Trust::Authorities);
    Client::trusting(trust, &url, Some(&token), timeout).map(Some)
}

/// What is said when a token is needed. `scope` says how one is made.
pub fn no_token(scope: &str) -> anyhow::Error {
    let says =
        format!("no token: give one with --token or in MUSTER_TOKEN; `muster keys create --scope {scope}` makes one");
    Failure::error(Exit::Usage, says)
}

/// The server that runs over a data directory, asked as its operator.
pub fn over(data_dir: &Path, timeout: Duration) -> anyhow::Result<Client> {
    let server = way::server_over(data_dir)?;
    Client::trusting(Trust::Local, &server.url, Some(&server.token), timeout)
}

/// What is said when there is no answer.
pub fn unanswered(error: CallError) -> anyhow::Error {
    match error {
        CallError::Unreachable(says) => {
            Failure::error(Exit::Unreachable, format!("no server answers at {says}; it may be starting or stopping"))
        }
        CallError::Unusable(says) => anyhow!(says),
    }
}

/// With a server of this process's own, and everything in its final place afterwards.
fn within<T>(
    settings: &Settings,
    opened: assemble::Opened,
    work: impl FnOnce(&Reached) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let store = opened.store;
    let operator = Token::mint();
    let mut server = settings.server();
    server.operator_token = Some(operator.clone());
    // What is asked of a directory at rest is no reason to send anything anywhere.
    server.forwards = false;
    let state = AppState::new(Arc::clone(&store), Arc::new(SystemClock), server);
    let (stop, stopped) = oneshot::channel::<()>();
    let (url, serving) = runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no loopback port can be opened")?;
        let url = LocalServer::url_of(listener.local_addr()?, false);
        let until = async move {
            // An end without a word is an end too.
            let _ = stopped.await;
        };
        anyhow::Ok((url, tokio::spawn(muster_server::serve(listener, state, until))))
    })?;
    let client = Client::trusting(Trust::Local, &url, Some(operator.reveal()), TIMEOUT)?;
    let done = work(&Reached { client, as_operator: true });
    drop(stop);
    let served = runtime.block_on(serving);
    let closed = runtime.block_on(store.close());
    let done = done?;
    served.context("the server ended early")?.context("the server failed")?;
    closed.map_err(|error| anyhow!("everything was done, but the store could not be closed in order: {error}"))?;
    Ok(done)
}

/// A path with parameters, those without a value left out.
pub fn target(path: &str, parameters: &[(&str, String)]) -> String {
    let mut target = path.to_owned();
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        target.push(if target.contains('?') { '&' } else { '?' });
        target.push_str(name);
        target.push('=');
        target.push_str(&encoded(value));
    }
    target
}

/// Text as one segment of a path, or one value of a parameter.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            // A dot is encoded too: two of them alone are no name.
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment() {
        assert_eq!(encoded("a/b?c%20"), "a%2Fb%3Fc%2520");
        assert_eq!(encoded(".."), "%2E%2E");
        assert_eq!(encoded("ö-1"), "%C3%B6-1");
    }

    #[test]
    fn parameters_are_encoded() {
        assert_eq!(target("/export", &[]), "/export");
        let parameters = [("event", "a b&c=é".to_owned()), ("user", String::new()), ("after", "2025-01-01".to_owned())];
        assert_eq!(target("/export", &parameters), "/export?event=a%20b%26c%3D%C3%A9&after=2025-01-01");
    }
}
