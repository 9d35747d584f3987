//! When files are merged, and putting what came of it in their place.
//!
//! A merge takes seconds of the thread that makes checkpoints. While messages come in so fast that the next checkpoint is due
//! before it would be done, memory would fill up and senders would wait; so files wait instead, up to a bound, and are merged once
//! there is time. Never decides which files are merged, or what comes of them.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use muster_history::{
    compact::{self, Bounds, Plan},
    manifest::{Manifest, Segment},
};
use muster_store::error::ReadError;
use tracing::{error, info, warn};

use super::Checkpointer;
use crate::{error::state_failed, history::manifest, options::Options};

/// For so long nothing comes in before the store counts as at rest.
const REST: Duration = Duration::from_secs(30);
/// What merges are taken to be as fast as until there was one.
const BYTES_PER_SECOND: u64 = 64 << 20;

/// How far the live overlay was filled, at some moment.
type Filled = (Instant, f64);

/// How fast files are merged and memory fills up.
#[derive(Debug)]
pub struct Forecast {
    bytes_per_second: u64,
    /// How often an overlay had been frozen when the live one began.
    freezes: u64,
    /// When that was, as an empty one.
    began: Filled,
    /// The last look at it.
    looked: Filled,
    /// Since when nothing came in, as far as was looked.
    quiet_since: Instant,
    /// Files may wait for a merge.
    waits: bool,
}

impl Forecast {
    /// After a start, when nobody knows what waits.
    pub fn new(freezes: u64, now: Instant) -> Forecast {
        let began = (now, 0.0);
        Forecast { bytes_per_second: BYTES_PER_SECOND, freezes, began, looked: began, quiet_since: now, waits: true }
    }

    /// A new overlay is live.
    pub fn begin(&mut self, freezes: u64, now: Instant) {
        self.freezes = freezes;
        self.began = (now, 0.0);
        self.looked = self.began;
        self.quiet_since = now;
    }

    /// How long it takes until the overlay is full, by how it filled up since it began and since the last look, whichever was faster;
    /// none when it does not fill up. If another one is live by now, a checkpoint is due already.
    fn time_left(&mut self, freezes: u64, filled: Filled) -> Option<Duration> {
        if freezes != self.freezes {
            self.quiet_since = filled.0;
            return Some(Duration::ZERO);
        }
        let looked = std::mem::replace(&mut self.looked, filled);
        if filled.1 > looked.1 {
            self.quiet_since = filled.0;
        }
        [self.began, looked].into_iter().filter_map(|since| time_left(since, filled)).min()
    }

    /// Whether nothing has come in for a while.
    fn is_at_rest(&self) -> bool {
        self.looked.0.saturating_duration_since(self.quiet_since) >= REST
    }

    /// Whether a merge may begin: it is likely to be done before the next checkpoint is due, or no more files may wait.
    fn lets_begin(&self, plan: &Plan, most: usize, left: Option<Duration>) -> bool {
        plan.waiting >= most || left.is_none_or(|left| self.expected(plan.bytes()) <= left)
    }

    /// How long it takes to merge so many bytes.
    fn expected(&self, bytes: u64) -> Duration {
        Duration::from_millis(bytes.saturating_mul(1_000) / self.bytes_per_second)
    }

    fn merged(&mut self, bytes: u64, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        self.bytes_per_second = (bytes.saturating_mul(1_000) / millis).max(1);
    }
}

fn time_left((since, before): Filled, (now, filled): Filled) -> Option<Duration> {
    let (took, grown) = (now.saturating_duration_since(since).as_secs_f64(), filled - before);
    (grown > 0.0).then(|| Duration::try_from_secs_f64(took * (1.0 - filled).max(0.0) / grown).unwrap_or(Duration::MAX))
}

/// Which files are worth merging.
fn bounds(options: &Options) -> Bounds {
    Bounds { files_min: options.compaction_files_min, file_bytes_max: options.compaction_file_bytes_max }
}

impl Checkpointer {
    /// Merges what waited for a time with less to do.
    pub(super) fn compact_what_waits(&mut self) {
        if self.forecast.waits {
            self.compact();
        }
    }

    /// Merges files as long as there is something to merge and nothing more urgent to do.
    pub(super) fn compact(&mut self) {
        while self.has_time() {
            // While files are written anew without what was deleted, none is merged.
            let views = Arc::clone(&self.views);
            let Some(_files) = views.files.try_lock().filter(|_| !views.is_rewriting()) else { return };
            let manifest = Arc::clone(&self.views.look().manifest);
            let left = self.time_left();
            let (workspaces, at_rest) = (self.registry.workspace_ids(), self.forecast.is_at_rest());
            let plan = |at_rest| compact::plan(&manifest, &workspaces, bounds(&self.options), at_rest);
            let Some(plan) = plan(at_rest) else {
                self.forecast.waits = !at_rest && plan(true).is_some();
                return;
            };
            if !self.room.spares(plan.bytes()) {
                warn!(bytes = plan.bytes(), "the disk has no room to merge history files; they are merged once it has");
                self.forecast.waits = false;
                return;
            }
            self.forecast.waits = !self.forecast.lets_begin(&plan, self.options.compaction_files_max, left);
            if self.forecast.waits {
                return;
            }
            let started = Instant::now();
            match self.try_compact(&plan) {
                Ok(true) => {
                    self.counters.compacted(started.elapsed());
                    self.forecast.merged(plan.bytes(), started.elapsed());
                    info!(files = plan.inputs.len(), millis = started.elapsed().as_millis() as u64, "compaction");
                }
                Ok(false) => return,
                Err(fault) => {
                    error!(error = %fault, "a compaction failed; its input files stay as they are");
                    return;
                }
            }
        }
    }

    /// How long it takes until the next checkpoint is due, if one is in sight.
    pub(super) fn time_left(&mut self) -> Option<Duration> {
        let (freezes, filled) = self.filled();
        self.forecast.time_left(freezes, (Instant::now(), filled))
    }

    /// How much of what starts the next checkpoint is there, and how often an overlay was frozen before.
    fn filled(&self) -> (u64, f64) {
        let (current, options) = (self.views.look(), &self.options);
        let rows = current.live.rows().len() as f64 / options.checkpoint_rows_max as f64;
        (current.freezes, rows.max(current.live.bytes() as f64 / options.checkpoint_bytes_max as f64))
    }

    /// Merges the files of a plan; `false` when the store closed before that was done, and nothing happened.
    fn try_compact(&mut self, plan: &Plan) -> Result<bool, ReadError> {
        let name = self.workspace_name(plan.workspace)?;
        let (dir, closing) = (self.history_dir.clone(), Arc::clone(&self.closing));
        let goes_on = || !closing.load(Ordering::Acquire);
        let merged = compact::merge(plan, (&dir, &name), || self.next_id(), &goes_on);
        let Some(outputs) = merged.inspect_err(|_| self.clear())? else {
            self.clear();
            return Ok(false);
        };
        self.replace(&plan.inputs, outputs)?;
        Ok(true)
    }

    fn replace(&self, inputs: &[Arc<Segment>], outputs: Vec<Arc<Segment>>) -> Result<(), ReadError> {
        let state = &self.views.state;
        let mut batch = state.batch();
        inputs.iter().for_each(|segment| batch.remove(&state.manifest, manifest::key(segment)));
        outputs
            .iter()
            .for_each(|segment| batch.insert(&state.manifest, manifest::key(segment), manifest::value(segment)));
        batch.commit().map_err(|error| self.stop(state_failed(&error)))?;
        self.views.change(|current| {
            let mut manifest = Manifest::clone(&current.manifest);
            inputs.iter().for_each(|segment| manifest.remove(segment));
            outputs.into_iter().for_each(|segment| manifest.add(segment));
            current.manifest = Arc::new(manifest);
        });
        let _names = self.views.names.lock();
        for segment in inputs {
            // Whoever still reads it has it open.
            if let Err(fault) = segment.remove() {
                warn!(error = %fault, file = segment.relative_path, "a merged file could not be removed; the next start removes it");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use muster_history::manifest::Written;
    use muster_model::{
        id::{IdSpace, WorkspaceId},
        time::Micros,
    };
    use muster_store::{batch::BatchBuilder, journal::Journal, status::Status, suite::Sent};

    use super::*;
    use crate::{checkpoint::tests::workspace, engine::Embedded, options::Options};

    fn at(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn the_time_until_memory_is_full_follows_what_comes_in() {
        let start = Instant::now();
        let mut forecast = Forecast::new(3, start);
        let mut left = |seconds, filled| {
            let left = forecast.time_left(3, (at(start, seconds), filled));
            left.map(|left| left.as_secs_f64().round() as u64)
        };
        assert_eq!(left(1.0, 0.0), None, "nothing came");
        assert_eq!(left(2.0, 0.1), Some(9), "a tenth in a second, the last one");
        assert_eq!(left(4.0, 0.5), Some(3), "two tenths a second");
        assert_eq!(left(16.0, 0.5), Some(16), "nothing more; half of it in sixteen seconds");
        assert_eq!(left(17.0, 1.2), Some(0), "more than full");
        let another = forecast.time_left(4, (at(start, 20.0), 0.0));
        assert_eq!(another, Some(Duration::ZERO), "it is not the one that was looked at");
        forecast.begin(4, at(start, 20.0));
        assert_eq!(forecast.time_left(4, (at(start, 20.0), 0.0)), None);
    }

    #[test]
    fn it_is_at_rest_once_nothing_came_for_a_while() {
        let start = Instant::now();
        let mut forecast = Forecast::new(0, start);
        let mut rests = |seconds, freezes, filled| {
            forecast.time_left(freezes, (at(start, seconds), filled));
            forecast.is_at_rest()
        };
        assert!(!rests(29.0, 0, 0.0));
        assert!(rests(30.0, 0, 0.0));
        assert!(!rests(31.0, 0, 0.1), "something came");
        assert!(!rests(60.0, 0, 0.1) && rests(61.0, 0, 0.1));
        assert!(!rests(62.0, 1, 0.0), "a checkpoint is due");
        forecast.begin(1, at(start, 62.0));
        let later = (at(start, 92.0), 0.0);
        assert_eq!((forecast.time_left(1, later), forecast.is_at_rest()), (None, true));
    }

    #[test]
    fn what_a_merge_takes_is_judged_by_the_last_one() {
        let mut forecast = Forecast::new(0, Instant::now());
        assert_eq!(forecast.expected(128 << 20), Duration::from_secs(2));
        forecast.merged(10 << 20, Duration::from_secs(10));
        assert_eq!(forecast.expected(5 << 20), Duration::from_secs(5));
        forecast.merged(0, Duration::ZERO);
        assert!(forecast.expected(u64::MAX) > Duration::from_secs(1));
    }

    fn recent(id: u64, bytes: u64) -> Segment {
        let span = (Micros(0), Micros(1));
        let written = Written { rows: 1, bytes, span, arrivals: None, checksums: vec![] };
        Segment::on_disk("history".as_ref(), (WorkspaceId(1), id), id.to_string(), None, written)
    }

    /// A merge of one file of so many bytes, while so many wait.
    fn plan(waiting: usize, bytes: u64) -> Plan {
        Plan { workspace: WorkspaceId(1), inputs: vec![Arc::new(recent(1, bytes))], waiting }
    }

    #[test]
    fn files_wait_while_memory_fills_up_faster_than_they_are_merged() {
        let start = Instant::now();
        let mut forecast = Forecast::new(3, start);
        forecast.begin(3, start);
        let mut lets = |seconds, filled, waiting, bytes| {
            let left = forecast.time_left(3, (at(start, seconds), filled));
            forecast.lets_begin(&plan(waiting, bytes), 64, left)
        };
        assert!(!lets(2.0, 0.5, 8, 256 << 20), "two seconds are left, and it takes four");
        assert!(lets(2.0, 0.5, 64, 256 << 20), "no more may wait");
        assert!(lets(2.1, 0.5, 8, 64 << 20), "it takes one");
        assert!(lets(5.0, 0.5, 8, 256 << 20), "nothing came for three seconds");
        assert!(!lets(5.5, 0.8, 8, 256 << 20), "it comes faster than before");
    }

    async fn with_two_files(dir: &Path) -> (Embedded, WorkspaceId) {
        let user = |user| vec![format!(r#"{{"type":"user","userId":"{user}","accountId":null,"messageId":"{user}"}}"#)];
        with_files(dir, &["u", "v"].map(user)).await
    }

    /// A file for each of these, with their messages.
    async fn with_files(dir: &Path, files: &[Vec<String>]) -> (Embedded, WorkspaceId) {
        let (engine, _) = Embedded::open(Options::new(dir), Micros(0)).unwrap();
        let workspace = workspace(&engine, "default").await;
        for messages in files {
            let mut batch = BatchBuilder::new(workspace, 64);
            let sent = messages.iter().map(|message| Sent::new(message, Micros(1_700_000_000_000_000)));
            sent.for_each(|sent| sent.add_to(&mut batch, IdSpace::new("default")));
            engine.append(batch.build()).await.unwrap();
            engine.checkpoint().await;
        }
        (engine, workspace)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_merge_that_is_to_go_on_no_more_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let (engine, workspace) = with_two_files(dir.path()).await;
        let options = Options { compaction_files_min: 2, ..Options::new(dir.path()) };
        let manifest = Arc::clone(&engine.views.look().manifest);
        let plan = compact::plan(&manifest, &[workspace], bounds(&options), false).expect("two files");
        assert_eq!((plan.inputs.len(), plan.waiting), (2, 2));
        let place = (&*dir.path().join("history"), "default");
        assert!(compact::merge(&plan, place, || 77, &|| false).unwrap().is_none());
        assert!(plan.inputs.iter().all(|input| input.path().is_some_and(Path::exists)));
        let merged = compact::merge(&plan, place, || 78, &|| true).unwrap().expect("a file");
        assert_eq!(merged.iter().map(|segment| (segment.id, segment.rows)).collect::<Vec<_>>(), [(78, 2)]);
        engine.close().await.unwrap();
    }

    /// Two years and a half are more than are written at once.
    #[tokio::test(flavor = "multi_thread")]
    async fn every_month_becomes_a_file_in_order() {
        const MONTHS: u64 = 30;
        const USERS: u64 = 7;
        let dir = tempfile::tempdir().unwrap();
        let track = |file: u64, number: u64| {
            let (month, user) = (number % MONTHS, number % USERS);
            let at = format!("{}-{:02}-{:02}T00:00:00Z", 2020 + month / 12, month % 12 + 1, number % 28 + 1);
            format!(
                r#"{{"type":"track","userId":"{user}","event":"e","messageId":"{file}-{number}","timestamp":"{at}"}}"#
            )
        };
        let files = [0, 1].map(|file| (0..MONTHS * 50).map(|number| track(file, number)).collect::<Vec<_>>());
        let (engine, workspace) = with_files(dir.path(), &files).await;
        let options = Options { compaction_files_min: 2, ..Options::new(dir.path()) };
        let manifest = Arc::clone(&engine.views.look().manifest);
        let plan = compact::plan(&manifest, &[workspace], bounds(&options), false).expect("two files");
        let (mut ids, place) = (77.., (&*dir.path().join("history"), "default"));
        let merged = compact::merge(&plan, place, || ids.next().unwrap(), &|| true).unwrap().expect("files");
        assert_eq!(merged.len() as u64, MONTHS);
        for segment in &merged {
            let (first, until) = segment.first.month();
            assert!(segment.month == Some(first) && first <= segment.first && segment.last < until, "{segment:?}");
            assert_eq!(segment.rows, 100);
            assert!(compact::is_in_order(segment).unwrap(), "{segment:?}");
        }
        engine.close().await.unwrap();
    }

    #[test]
    fn at_rest_a_few_files_are_merged_if_they_are_large() {
        let planned = |files: u64, bytes, at_rest| {
            let mut manifest = Manifest::default();
            (0..files).for_each(|id| manifest.add(Arc::new(recent(id, bytes))));
            let plan = compact::plan(&manifest, &[WorkspaceId(1)], bounds(&Options::new("history")), at_rest);
            plan.map(|plan| plan.inputs.len())
        };
        assert_eq!(planned(2, 20 << 20, false), None);
        assert_eq!(planned(2, 20 << 20, true), Some(2));
        assert_eq!(planned(1, 40 << 20, true), Some(1));
        assert_eq!(planned(7, 1 << 20, true), None, "they are small");
        assert_eq!(planned(8, 1 << 20, false), Some(8));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_merge_takes_the_oldest_files_and_a_bound_of_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (engine, workspace) = with_two_files(dir.path()).await;
        let manifest = Arc::clone(&engine.views.look().manifest);
        let all: Vec<_> = manifest.of(workspace).cloned().collect();
        let most = all.iter().map(|segment| segment.bytes).max().unwrap();
        let many: Vec<_> = (0..10).flat_map(|_| all.clone()).collect();
        let taken = |files_min, bytes| {
            let options = Options {
                compaction_files_min: files_min,
                compaction_file_bytes_max: bytes,
                ..Options::new(dir.path())
            };
            let plan = Plan::new(workspace, many.clone(), bounds(&options));
            assert!(plan.waiting == 20 && plan.inputs.iter().zip(&many).all(|(one, other)| Arc::ptr_eq(one, other)));
            plan.inputs.len()
        };
        assert_eq!(taken(8, 1), 8, "as many as are worth a merge");
        assert_eq!(taken(8, 3 * most), 12, "as many as fit into four large files");
        assert_eq!(taken(8, u64::MAX), 16, "twice as many as are worth it");
        assert_eq!(taken(30, u64::MAX), 20);
        engine.close().await.unwrap();
    }
}
