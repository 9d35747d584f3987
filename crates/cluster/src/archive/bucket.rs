//! The bucket: bytes of files go in and come out.
//!
//! A file is put there whole, under a name that no other ever has, and never changes; so what was read of it once may be kept. It
//! is read in pieces, the last of which stay in memory within a bound. Every call waits, on whatever thread it is made.

use std::{io, path::Path as FilePath, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use muster_history::manifest::{NOT_FETCHED, Remote, Segment};
use muster_model::id::WorkspaceId;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, WriteMultipart, path::Path};
use quick_cache::{Weighter, sync::Cache};
use tokio::runtime::Handle;

use crate::{cluster::elsewhere, fault::Fault};

/// Bytes that are fetched at a time, at least.
const PIECE_BYTES: u64 = 1 << 20;
/// Pieces that tables are made for; they grow.
const PIECES: usize = 64;
/// Bytes of a part in which a large file is sent, and parts on their way at once.
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 2;

type PieceKey = (WorkspaceId, u64, u64);

#[derive(Clone, Debug)]
struct Weigh;

impl Weighter<PieceKey, Bytes> for Weigh {
    fn weight(&self, _: &PieceKey, bytes: &Bytes) -> u64 {
        bytes.len() as u64
    }
}

/// The bucket.
#[derive(Debug)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    handle: Handle,
    pieces: Cache<PieceKey, Bytes, Weigh>,
}

/// Something that lies in the bucket, and since when.
pub struct Lying {
    pub path: String,
    pub age: std::time::Duration,
}

fn fault(error: object_store::Error) -> Fault {
    Fault::Bucket(error.to_string())
}

impl Bucket {
    /// Behind a store, with so many bytes of memory.
    pub fn new(store: Arc<dyn ObjectStore>, handle: Handle, kept_bytes_max: u64) -> Bucket {
        Bucket { store, handle, pieces: Cache::with_weighter(PIECES, kept_bytes_max, Weigh) }
    }

    fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        elsewhere(&self.handle, future)?
    }

    /// Puts a file of this machine into the bucket.
    pub fn put_file(&self, path: &str, file: &FilePath) -> Result<(), Fault> {
        let (store, to) = (Arc::clone(&self.store), Path::from(path));
        let mut file = std::fs::File::open(file).map_err(|error| Fault::Disk(error.to_string()))?;
        let next = move || -> io::Result<Bytes> {
            let mut part = Vec::new();
            io::Read::read_to_end(&mut io::Read::take(&mut file, PART_BYTES as u64), &mut part)?;
            Ok(Bytes::from(part))
        };
        self.wait(async move { send(&*store, &to, next).await })
    }

    /// Puts a few bytes under a name that nothing has yet; `false` when something has it.
    pub fn put_new(&self, path: &str, bytes: Vec<u8>) -> Result<bool, Fault> {
        let (store, to) = (Arc::clone(&self.store), Path::from(path));
        self.wait(async move {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match store.put_opts(&to, PutPayload::from(bytes), options).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                Err(error) => Err(fault(error)),
            }
        })
    }

    /// All of a small file.
    pub fn get(&self, path: &str) -> Result<Bytes, Fault> {
        let (store, from) = (Arc::clone(&self.store), Path::from(path));
        self.wait(async move {
            let found = store.get(&from).await.map_err(fault)?;
            found.bytes().await.map_err(fault)
        })
    }

    /// Copies a file to this machine.
    pub fn copy(&self, path: &str, to: &FilePath) -> Result<(), Fault> {
        let (store, from) = (Arc::clone(&self.store), Path::from(path));
        let disk = |error: io::Error| Fault::Disk(error.to_string());
        let mut file = std::fs::File::create(to).map_err(disk)?;
        self.wait(async move {
            let mut parts = store.get(&from).await.map_err(fault)?.into_stream();
            while let Some(part) = parts.try_next().await.map_err(fault)? {
                // A part is small, and the disk is this machine's.
                io::Write::write_all(&mut file, &part).map_err(disk)?;
            }
            Ok(())
        })
    }

    /// Removes a file; one that is gone is gone.
    pub fn remove(&self, path: &str) -> Result<(), Fault> {
        let (store, what) = (Arc::clone(&self.store), Path::from(path));
        self.wait(async move {
            match store.delete(&what).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(fault(error)),
            }
        })
    }

    /// Everything below a name.
    pub fn list(&self, below: &str) -> Result<Vec<Lying>, Fault> {
        let (store, below) = (Arc::clone(&self.store), Path::from(below));
        self.wait(async move {
            let found: Vec<_> = store.list(Some(&below)).try_collect().await.map_err(fault)?;
            let now = std::time::SystemTime::now();
            let age = |at: std::time::SystemTime| now.duration_since(at).unwrap_or_default();
            let lying = |meta: object_store::ObjectMeta| Lying {
                path: meta.location.to_string(),
                age: age(meta.last_modified.into()),
            };
            Ok(found.into_iter().map(lying).collect())
        })
    }

    fn piece(&self, segment: &Segment, piece: u64) -> io::Result<Bytes> {
        let key = (segment.workspace, segment.id, piece);
        self.pieces.get_or_insert_with(&key, || {
            let (store, from) = (Arc::clone(&self.store), Path::from(segment.relative_path.as_str()));
            let start = piece * PIECE_BYTES;
            let range = start..(start + PIECE_BYTES).min(segment.bytes);
            let got = self.wait(async move { store.get_range(&from, range).await.map_err(fault) });
            got.map_err(|fault| io::Error::other(format!("{NOT_FETCHED}: {fault}")))
        })
    }
}

async fn send(store: &dyn ObjectStore, to: &Path, mut next: impl FnMut() -> io::Result<Bytes>) -> Result<(), Fault> {
    let mut next = || next().map_err(|error| Fault::Disk(error.to_string()));
    let first = next()?;
    if first.len() < PART_BYTES {
        return store.put(to, first.into()).await.map(drop).map_err(fault);
    }
    let upload = store.put_multipart(to).await.map_err(fault)?;
    let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
    let mut part = first;
    while !part.is_empty() {
        writer.wait_for_capacity(PARTS_AT_ONCE).await.map_err(fault)?;
        writer.put(part);
        part = next()?;
    }
    writer.finish().await.map(drop).map_err(fault)
}

impl Remote for Bucket {
    fn read(&self, segment: &Segment, start: u64, length: usize) -> io::Result<Bytes> {
        let end = start + length as u64;
        let (first, last) = (start / PIECE_BYTES, end.saturating_sub(1) / PIECE_BYTES);
        let within = |piece: u64, bytes: &Bytes| -> io::Result<Bytes> {
            let at = piece * PIECE_BYTES;
            let from = usize::try_from(start.max(at) - at).map_err(io::Error::other)?;
            let until = usize::try_from(end.min(at + PIECE_BYTES) - at).map_err(io::Error::other)?;
            if until > bytes.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(bytes.slice(from..until))
        };
        if first == last {
            return within(first, &self.piece(segment, first)?);
        }
        let mut all = BytesMut::with_capacity(length);
        for piece in first..=last {
            all.extend_from_slice(&within(piece, &self.piece(segment, piece)?)?);
        }
        Ok(all.freeze())
    }
}
