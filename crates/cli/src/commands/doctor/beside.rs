//! Asking the server that uses the directory.

use std::{io, path::Path, time::Duration};

use serde_json::Value;

use super::run::Finding;
use crate::{
    client::{Client, Trust},
    local::LocalServer,
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// What the directory says about its server.
pub fn find(data_dir: &Path) -> io::Result<Option<LocalServer>> {
    LocalServer::read(data_dir)
}

/// Asks a server whether it lives and whether it can do its work.
pub fn examine(server: Option<&LocalServer>) -> Vec<Finding> {
    let Some(server) = server else {
        let what = "another process uses the data directory and does not say where it can be asked";
        let advice = "it may be starting or stopping: try again in a moment; otherwise find the process that holds the \
                      file `lock` in the directory";
        return vec![Finding::warning(what, advice)];
    };
    let mut findings = vec![Finding::note(format!("a server runs over it: {}, process {}", server.url, server.pid))];
    match Client::trusting(Trust::Local, &server.url, None, TIMEOUT) {
        Ok(client) => findings.extend(["/healthz", "/readyz"].map(|path| ask(&client, path))),
        Err(error) => findings.push(Finding::fault(error.to_string(), "restart the server: it writes local.json anew")),
    }
    findings
}

fn ask(client: &Client, path: &str) -> Finding {
    match client.get(path) {
        Ok(answer) if answer.status == 200 => Finding::note(format!("{path} answers that all is well")),
        Ok(answer) => {
            let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            let says = body["error"].as_str().unwrap_or(answer.body.as_str());
            Finding::fault(format!("{path} answers {}: {says}", answer.status), "look into the server's log")
        }
        Err(error) => {
            Finding::fault(format!("{path} was not answered: {error}"), "look into the server's log, or restart it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assemble::Gravity;

    #[test]
    fn a_server_that_does_not_answer_is_a_fault_and_an_unknown_one_a_warning() {
        let server = LocalServer { url: "http://127.0.0.1:1".to_owned(), token: String::new(), pid: 1 };
        let worst = |findings: Vec<Finding>| findings.into_iter().map(|finding| finding.gravity).max();
        assert_eq!(worst(examine(Some(&server))), Some(Gravity::Fault));
        assert_eq!(worst(examine(None)), Some(Gravity::Warning));
    }
}
