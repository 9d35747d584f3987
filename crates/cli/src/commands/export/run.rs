//! The command: what is asked, and what is said.

use std::io::Read;

use anyhow::anyhow;

use super::{
    super::{
        reach::{reach, target, unanswered},
        way,
    },
    file::Place,
};
use crate::{
    args,
    config::settings::Settings,
    exit::Exit,
    output::{self, Progress, Unit},
};

const PATH: &str = "/export";
const PIECE_BYTES: usize = 256 << 10;
const ERROR_BYTES_MAX: u64 = 1 << 20;

/// Writes the file.
pub fn run(settings: &Settings, args: &args::Export) -> anyhow::Result<Exit> {
    let mut place = Place::open(args.out.as_deref(), args.replace)?;
    let written = reach(settings, &args.reach, "read --name export", |reached| {
        let given = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut parameters = vec![
            ("format", args.format.name().to_owned()),
            ("kind", args.kind.join(",")),
            ("organization", given(&args.organization)),
            ("account", given(&args.account)),
            ("user", given(&args.user)),
            ("event", given(&args.event)),
            ("after", given(&args.after)),
            ("before", given(&args.before)),
        ];
        parameters.extend(reached.workspace(&args.reach.workspace));
        let (status, mut answer) = reached.client.download(&target(PATH, &parameters)).map_err(unanswered)?;
        if status != 200 {
            let mut text = String::new();
            answer.take(ERROR_BYTES_MAX).read_to_string(&mut text)?;
            return Err(anyhow!("the server refused: {}", way::sentence(&text)));
        }
        let progress = Progress::new(None, Unit::Bytes);
        let mut piece = vec![0; PIECE_BYTES];
        let mut bytes = 0;
        loop {
            let count = answer.read(&mut piece).map_err(|error| {
                anyhow!("the export broke off ({error}) and is not whole; the server's log says why, ask again")
            })?;
            if count == 0 {
                progress.finish();
                return Ok(bytes);
            }
            place.take(&piece[..count])?;
            bytes += count as u64;
            progress.advance(count as u64);
        }
    });
    let bytes = match written {
        Ok(bytes) => bytes,
        Err(error) => {
            place.discard();
            return Err(error);
        }
    };
    place.finish()?;
    if let Some(path) = args.out.as_deref() {
        output::talk(&format!("{}: {bytes} bytes exported", path.display()));
    }
    Ok(Exit::Success)
}
