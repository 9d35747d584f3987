//! The command: what is asked, and what is said.

use std::{io::Read, path::Path};

use anyhow::anyhow;
use serde_json::{Map, Value, json};

use super::{
    super::{
        reach::{Reached, reach, target, unanswered},
        way,
    },
    directory::{self, Directory},
    file::Place,
    follow,
};
use crate::{
    args::{self, ExportFormat},
    config::settings::Settings,
    exit::{Exit, Failure},
    output::{self, Progress, Unit},
};

const PATH: &str = "/export";
const PIECE_BYTES: usize = 256 << 10;
const ERROR_BYTES_MAX: u64 = 1 << 20;

/// Writes the file, or the directory.
pub fn run(settings: &Settings, args: &args::Export) -> anyhow::Result<Exit> {
    match (args.follow, args.forget) {
        (true, _) => return follow::run(settings, args),
        (false, true) => return follow::forget(settings, args),
        (false, false) if args.position.is_some() => {
            let says = "a position is kept with --follow, and ended with --forget".to_owned();
            return Err(Failure::error(Exit::Usage, says));
        }
        (false, false) => {}
    }
    match args.out.as_deref() {
        Some(path) if directory::is_meant(path) => to_directory(settings, args, path),
        _ => to_file(settings, args),
    }
}

fn to_file(settings: &Settings, args: &args::Export) -> anyhow::Result<Exit> {
    let mut place = Place::open(args.out.as_deref(), args.replace)?;
    let written = reach(settings, &args.reach, "read --name export", |reached| {
        let mut answer = ask(reached, args, &[])?;
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

fn to_directory(settings: &Settings, args: &args::Export, path: &Path) -> anyhow::Result<Exit> {
    // Parquet is compressed as it is.
    let mut directory = Directory::open(path, args.format != ExportFormat::Parquet, args.replace)?;
    let filled = reach(settings, &args.reach, "read --name export", |reached| {
        let layout = [("layout", "directory".to_owned()), ("partBytes", args.part_bytes.to_string())];
        let mut answer = ask(reached, args, &layout)?;
        let progress = Progress::new(None, Unit::Bytes);
        let whole = directory.fill(&mut answer, &mut |bytes| progress.advance(bytes));
        progress.finish();
        whole
    });
    let whole = match filled {
        Ok(whole) => whole,
        Err(error) => {
            directory.discard();
            return Err(error);
        }
    };
    let told = directory.finish(whole, about(args))?;
    output::talk(&format!(
        "{}: {} messages in {} files of {} bytes, as of {}",
        path.display(),
        told.messages,
        told.files,
        told.bytes,
        told.as_of
    ));
    Ok(Exit::Success)
}

/// What was asked for, as the manifest says it.
fn about(args: &args::Export) -> Map<String, Value> {
    let asked = args.selection().into_iter().filter(|(_, value)| !value.is_empty());
    let selection: Map<String, Value> = asked.map(|(name, value)| (name.to_owned(), value.into())).collect();
    Map::from_iter([
        ("format".to_owned(), json!(args.format.name())),
        ("selection".to_owned(), Value::Object(selection)),
    ])
}

/// The answer to an export, once it has begun.
fn ask(reached: &Reached, args: &args::Export, more: &[(&'static str, String)]) -> anyhow::Result<impl Read + use<>> {
    let mut parameters = args.selection();
    parameters.push(("format", args.format.name().to_owned()));
    parameters.extend_from_slice(more);
    parameters.extend(reached.workspace(&args.reach.workspace));
    let (status, answer) = reached.client.download(&target(PATH, &parameters)).map_err(unanswered)?;
    if status == 200 {
        return Ok(answer);
    }
    let mut text = String::new();
    answer.take(ERROR_BYTES_MAX).read_to_string(&mut text)?;
    Err(anyhow!("the server refused: {}", way::sentence(&text)))
}
