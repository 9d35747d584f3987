//! Where an export is written: standard output, or a file that gets its name once it is whole.
//!
//! Names that end in `.gz` or `.zst` are compressed. A file that is there already is not replaced unless that is wished.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};

use crate::output;

/// A file that is being written.
pub struct Written {
    path: PathBuf,
    unfinished: PathBuf,
    packer: Packer,
}

enum Packer {
    Plain(BufWriter<File>),
    Gzip(flate2::write::GzEncoder<BufWriter<File>>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

/// Where bytes go.
pub enum Place {
    Stdout,
    File(Box<Written>),
}

impl Place {
    /// Standard output, or a new file.
    pub fn open(path: Option<&Path>, replace: bool) -> anyhow::Result<Place> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else { return Ok(Place::Stdout) };
        if path.exists() && !replace {
            return Err(anyhow!("{} is there already; give another name, or --replace", path.display()));
        }
        let mut name = path.file_name().with_context(|| format!("{} is no file name", path.display()))?.to_owned();
        name.push(".unfinished");
        let unfinished = path.with_file_name(name);
        let file = File::create(&unfinished).with_context(|| format!("{} cannot be written", unfinished.display()))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        let packer = match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Packer::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::default())),
            Some("zst") => Packer::Zstd(zstd::Encoder::new(file, 0).context("zstd")?),
            _ => Packer::Plain(file),
        };
        Ok(Place::File(Box::new(Written { path: path.to_owned(), unfinished, packer })))
    }

    pub fn take(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Place::Stdout => output::bytes(bytes),
            Place::File(file) => {
                let says = || format!("{} cannot be written", file.unfinished.display());
                match &mut file.packer {
                    Packer::Plain(file) => file.write_all(bytes),
                    Packer::Gzip(file) => file.write_all(bytes),
                    Packer::Zstd(file) => file.write_all(bytes),
                }
                .with_context(says)
            }
        }
    }

    /// Removes what is not whole.
    pub fn discard(self) {
        if let Place::File(file) = self {
            // Where even that fails, its name says that it is unfinished.
            let _ = fs::remove_file(&file.unfinished);
        }
    }

    /// Gives a whole file its name, synced.
    pub fn finish(self) -> anyhow::Result<()> {
        let Place::File(file) = self else { return Ok(()) };
        let Written { path, unfinished, packer } = *file;
        let finished = || -> io::Result<()> {
            let file = match packer {
                Packer::Plain(file) => file,
                Packer::Gzip(file) => file.finish()?,
                Packer::Zstd(file) => file.finish()?,
            };
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            fs::rename(&unfinished, &path)
        };
        finished().with_context(|| format!("{} cannot be written", path.display()))
    }
}
