//! The history in a bucket.
//!
//! What is folded in lies in a table first. From time to time the oldest of it is written as a file, put into the bucket, and taken
//! out of the table in the transaction that makes the file count; files are merged into months later. So a transaction
//! sees every message once, in the table or in a file that the manifest names, and whoever reads looks at both. A file never
//! changes: what deletions leave of one is another, under another name. One that counts no more is removed once nobody can
//! read it any more.
//!
//! Without a bucket everything stays in the table.

/// Where the bucket is.
pub mod address;

/// The bucket itself.
mod bucket;

/// Which files count.
pub mod manifest;

/// From the table into files.
pub mod filing;

/// Merging files.
mod merging;

/// Removing files that count no more.
mod removal;

/// Looking whether they are what they should be.
pub mod examine;

/// The thread that does all this.
pub mod keeper;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use muster_history::{footers::Footers, manifest::Segment};
use muster_model::id::WorkspaceId;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tracing::warn;

use crate::{
    cluster::OpenError,
    fault::Fault,
    options::Options,
    sql::connection::{Connection, Mode, Transaction},
};
use bucket::Bucket;

/// The name in the bucket under which it says whose it is.
const MARK: &str = "muster-cluster";

const CLUSTER: &str = "insert into setting (name, value) values ('cluster', gen_random_uuid()::text)
    on conflict (name) do update set value = setting.value returning value";
const FILED: &str = "select exists (select from census where filed > 0)";

/// The bucket, if there is one, and what this node knows of what lies in it.
pub struct Archive {
    bucket: Option<Arc<Bucket>>,
    footers: Footers,
    /// The files that counted when somebody looked last.
    known: Mutex<FxHashMap<WorkspaceId, FxHashMap<u64, Arc<Segment>>>>,
    /// Where files are written before they go to the bucket.
    directory: PathBuf,
    /// What this cluster is called in the bucket, and whether the bucket was seen to say so.
    cluster: String,
    is_ours: AtomicBool,
}

/// What lies so long in the directory for parts was being written by a process that is gone.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3_600);

/// Removes what an earlier process was writing; others may be writing there now.
fn sweep(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|about| about.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age >= LEFT_BEHIND) {
            // What cannot be removed is in nobody's way.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Archive {
    /// Opens the bucket and makes sure that it is this cluster's.
    pub fn open(options: &Options, handle: &Handle, connection: &mut Connection) -> Result<Archive, OpenError> {
        let footers = Footers::default();
        footers.keep_within(options.footers_bytes_max);
        let known = Mutex::default();
        let directory = options.directory.clone();
        let Some(address) = &options.history else {
            if connection.ask(FILED, &[])?[0].get(0) {
                let says = "the history lies in a bucket; say which one, as it was when it was written";
                return Err(OpenError::Failed(says.to_owned()));
            }
            let is_ours = AtomicBool::new(false);
            return Ok(Archive { bucket: None, footers, known, directory, cluster: String::new(), is_ours });
        };
        sweep(&directory);
        let store = address.open().map_err(|says| OpenError::Failed(format!("the bucket: {says}")))?;
        let bucket = Some(Arc::new(Bucket::new(store, handle.clone(), options.pieces_bytes_max)));
        let mut transaction = connection.begin(Mode::Write, None)?;
        let cluster = transaction.query_one(CLUSTER, &[])?.get(0);
        transaction.commit()?;
        let archive = Archive { bucket, footers, known, directory, cluster, is_ours: AtomicBool::new(false) };
        match archive.check() {
            // Messages are taken all the same.
            Err(Fault::Bucket(says)) => warn!(error = says, "the bucket cannot be reached; this is tried again"),
            checked => checked?,
        }
        Ok(archive)
    }

    /// Makes sure that the bucket is this cluster's, before anything is put there.
    fn check(&self) -> Result<(), Fault> {
        if self.is_ours.load(Ordering::Acquire) {
            return Ok(());
        }
        let (bucket, ours) = (self.bucket()?, self.cluster.as_bytes());
        if !bucket.put_new(MARK, ours.to_vec())? && bucket.get(MARK)? != ours {
            return Err(Fault::OtherCluster);
        }
        self.is_ours.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether there is a bucket.
    pub fn is_there(&self) -> bool {
        self.bucket.is_some()
    }

    fn bucket(&self) -> Result<&Arc<Bucket>, Fault> {
        self.bucket.as_ref().ok_or(Fault::Damaged("the history, which lies in a bucket,"))
    }

    /// What files say of themselves.
    pub fn footers(&self) -> &Footers {
        &self.footers
    }

    /// The files of a workspace that count, as a transaction sees them.
    pub fn segments(
        &self,
        transaction: &mut Transaction<'_>,
        workspace: WorkspaceId,
    ) -> Result<Vec<Arc<Segment>>, Fault> {
        let Some(bucket) = &self.bucket else { return Ok(Vec::new()) };
        let ids = manifest::ids(transaction, workspace)?;
        let mut found = self.known.lock().get(&workspace).cloned().unwrap_or_default();
        let missing: Vec<u64> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
        for segment in manifest::segments(transaction, workspace, &missing, bucket)? {
            found.insert(segment.id, segment);
        }
        // One that is listed and not there must not be passed over.
        let listed = |id: &u64| found.get(id).cloned().ok_or(Fault::Damaged("the manifest of the history"));
        let segments: Vec<Arc<Segment>> = ids.iter().map(listed).collect::<Result<_, Fault>>()?;
        let now = segments.iter().map(|segment| (segment.id, Arc::clone(segment))).collect();
        self.known.lock().insert(workspace, now);
        Ok(segments)
    }

    /// Bytes of a workspace's files that count, as far as this node has looked.
    pub fn bytes(&self, workspace: WorkspaceId) -> u64 {
        let known = self.known.lock();
        known.get(&workspace).map_or(0, |segments| segments.values().map(|segment| segment.bytes).sum())
    }

    /// A directory for files that are being written; it goes with whoever writes them.
    pub fn room(&self) -> Result<TempDir, Fault> {
        let disk = |error: std::io::Error| Fault::Disk(error.to_string());
        std::fs::create_dir_all(&self.directory).map_err(disk)?;
        tempfile::tempdir_in(&self.directory).map_err(disk)
    }

    /// Puts a file that was written here into the bucket. It counts once the manifest names it.
    pub fn send(&self, segment: &Segment) -> Result<(), Fault> {
        self.check()?;
        let path = segment.path().ok_or(Fault::Damaged("a file that was written"))?;
        self.bucket()?.put_file(&segment.relative_path, path)
    }

    /// A copy of a file on this machine, for whoever reads all of it.
    pub fn fetch(&self, segment: &Arc<Segment>, room: &TempDir) -> Result<Arc<Segment>, Fault> {
        let to = room.path().join(format!("{}.fetched", segment.id));
        self.bucket()?.copy(&segment.relative_path, &to)?;
        Ok(Arc::new(segment.copied_to(to)))
    }
}
