//! The command: which way, and what is printed.

use std::path::PathBuf;

use anyhow::anyhow;

use super::{
    beside, offline,
    order::{Order, Shown},
    shown::Answer,
};
use crate::{
    args,
    assemble::{self, NotOpened},
    client::{Client, Trust},
    config::{environment, settings::Settings},
    exit::{Exit, Failure},
    local::LocalServer,
    output,
};

/// Asks and shows the answer.
pub fn run(settings: &Settings, args: &args::Query) -> anyhow::Result<Exit> {
    let order = Order::read(args)?;
    match order.shown {
        Shown::As(_) => carry_out(settings, args, &order, &mut output::bytes)?,
        Shown::Table => {
            let mut answer = Vec::new();
            carry_out(settings, args, &order, &mut |piece| {
                answer.extend_from_slice(piece);
                Ok(())
            })?;
            let answer = Answer::read(&answer)?;
            output::data(&answer.table())?;
            if let Some(error) = answer.error {
                return Err(anyhow!("the table is not whole: {}", error.message));
            }
            if answer.truncated {
                output::talk("there are more rows; add a LIMIT, or see [query] in the settings");
            }
        }
    }
    Ok(Exit::Success)
}

/// Of a server that is named; else in the data directory if it is free; else of the server that has it.
fn carry_out(
    settings: &Settings,
    args: &args::Query,
    order: &Order,
    take: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let token = args.token.clone().or_else(|| variable(environment::TOKEN));
    if let Some(url) = args.url.clone().or_else(|| variable(environment::URL)) {
        let token = token.ok_or_else(|| {
            let says = "no token: give one with --token or in MUSTER_TOKEN; `muster keys create --scope read --name query` \
                        makes one";
            Failure::error(Exit::Usage, says)
        })?;
        let authorities = args.ca.clone().or_else(|| variable(environment::CA).map(PathBuf::from));
        let trust = authorities.as_deref().map_or(Trust::Public, Trust::Authorities);
        let client = Client::trusting(trust, &url, Some(&token), beside::TIMEOUT)?;
        return beside::carry_out(&client, order, None, take);
    }
    let data_dir = &settings.place.data_dir;
    if !data_dir.exists() {
        let says = format!("there is no data directory {}; give the right one with --data-dir", data_dir.display());
        return Err(Failure::error(Exit::Failure, says));
    }
    match assemble::open(settings) {
        Ok(opened) => {
            if opened.dropped {
                output::talk(&opened.recovery);
            }
            offline::carry_out(&opened.store, &settings.server, order, take)
        }
        Err(NotOpened::InUse) => {
            let server = LocalServer::read(data_dir)?.ok_or_else(|| {
                let says = format!(
                    "another process uses {} and does not say where it can be asked; it may be starting or stopping: try \
                     again in a moment",
                    data_dir.display()
                );
                Failure::error(Exit::InUse, says)
            })?;
            let client = Client::trusting(Trust::Local, &server.url, Some(&server.token), beside::TIMEOUT)?;
            beside::carry_out(&client, order, Some(&order.workspace), take)
        }
        Err(error) => Err(error.into_error(data_dir)),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
