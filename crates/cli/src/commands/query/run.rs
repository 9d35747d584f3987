//! The command: which way, and what is printed.

use anyhow::anyhow;

use super::{
    super::{
        reach::{of_name, over},
        way,
    },
    beside, offline,
    order::{Order, Shown},
    shown::Answer,
};
use crate::{
    args,
    assemble::{self, NotOpened},
    config::settings::Settings,
    exit::Exit,
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
    if let Some(client) = of_name(&args.reach.at, "read --name query", beside::TIMEOUT)? {
        return beside::carry_out(&client, order, None, take);
    }
    let data_dir = &settings.place.data_dir;
    way::require_directory(settings)?;
    match assemble::open_to_read(settings) {
        Ok(opened) => offline::carry_out(&opened.store, &settings.server(), order, take),
        Err(NotOpened::InUse) => {
            let client = over(data_dir, beside::TIMEOUT)?;
            beside::carry_out(&client, order, Some(&order.workspace), take)
        }
        Err(error) => Err(error.into_error(data_dir)),
    }
}
