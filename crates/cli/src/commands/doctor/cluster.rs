//! By looking at a cluster as one more node that folds nothing in.

use std::collections::HashSet;

use muster_store::{Store, deletion::receipt, error::ReadError, status::Health};

use super::run::Finding;
use crate::{
    assemble::{self, NotOpened, Opened},
    config::settings::Settings,
};

/// Deletions that are read at a time.
const PAGE: usize = 1_000;

/// What was found, and what is to be said of receipts that somebody kept.
pub struct Examined {
    pub findings: Vec<Finding>,
    /// The texts of all receipts, if they could be read.
    pub receipts: Option<HashSet<String>>,
}

/// Joins the cluster of the settings and looks whether it does its work.
pub fn examine(settings: &Settings) -> anyhow::Result<Examined> {
    let opened = match assemble::open_to_look(settings) {
        Ok(opened) => opened,
        Err(NotOpened::Failed(error)) => {
            let advice = "mend what the sentence names: PostgreSQL and JetStream have to be reached by every node";
            return Ok(Examined { findings: vec![Finding::fault(format!("{error:#}"), advice)], receipts: None });
        }
        Err(error) => return Err(error.into_error(&settings.place.data_dir)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut examined = runtime.block_on(look(&opened));
    match assemble::examine_bucket(&opened) {
        Ok(found) => examined.findings.extend(found.into_iter().map(Finding::from)),
        Err(error) => {
            let what = format!("the history in the bucket: {error}");
            examined.findings.push(Finding::fault(what, "try again when all of it can be reached"));
        }
    }
    Ok(examined)
}

async fn look(opened: &Opened) -> Examined {
    let store = opened.store.as_ref();
    let mut findings = vec![Finding::note("PostgreSQL has the tables of this program, and JetStream answers")];
    // Any read would do: it is answered once everything that was accepted before is folded in.
    let fresh = store.scheduled().await;
    let is_fresh = fresh.is_ok();
    findings.push(match fresh {
        Ok(_) => Finding::note("all that was accepted is folded in"),
        Err(error) => {
            Finding::fault(error.to_string(), "look into the log of the nodes whose roles include apply, or start one")
        }
    });
    if let Health::Hindered { reason } | Health::Stopped { reason } = store.health() {
        findings.push(Finding::fault(reason, "look into the logs of PostgreSQL and JetStream"));
    }
    let receipts = if is_fresh { read_receipts(store, &mut findings).await } else { None };
    // What was found stands, whatever comes of the end.
    let _ = store.close().await;
    Examined { findings, receipts }
}

async fn read_receipts(store: &dyn Store, findings: &mut Vec<Finding>) -> Option<HashSet<String>> {
    match receipts(store).await {
        Ok((texts, found)) => {
            findings.extend(found);
            Some(texts)
        }
        Err(error) => {
            findings.push(Finding::fault(format!("receipts could not be read: {error}"), "try again"));
            None
        }
    }
}

/// The texts of all receipts that are sealed, and what is wrong with their chains.
async fn receipts(store: &dyn Store) -> Result<(HashSet<String>, Vec<Finding>), ReadError> {
    let (mut texts, mut findings) = (HashSet::new(), Vec::new());
    for workspace in store.workspaces() {
        let (mut sealed, mut from) = (Vec::new(), None);
        loop {
            let page = store.deletions(workspace.id, from, PAGE).await?;
            sealed.extend(page.deletions.into_iter().filter(|deletion| deletion.seal().is_some()));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        sealed.sort_by_key(|deletion| deletion.seal().map(|seal| seal.number));
        if let Err(broken) = receipt::verify(&sealed) {
            let what = format!("receipts of workspace {}: {broken}", workspace.name);
            findings.push(Finding::fault(what, "compare them with those that were printed"));
        }
        texts.extend(sealed.iter().map(receipt::text));
    }
    if findings.is_empty() {
        findings.push(Finding::note(format!("{} receipts are whole", texts.len())));
    }
    Ok((texts, findings))
}
