//! A follower at its place.
//!
//! First what is left to be read of the history, then the journal, frame by frame. What deletions hide is left out at the
//! moment of each read. The place in memory runs ahead of the one on disk, which is moved now and then.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use muster_model::id::WorkspaceId;
use muster_store::{
    batch::{Batch, Entry},
    error::ReadError,
    follow::{FollowPage, Follower, FollowerId, Following, Letter, LetterId, PageLimit, Standing},
};
use tracing::warn;

use super::{
    book::{Known, there},
    frames::{self, NotFound, Walk},
    letters, past,
    place::{Past, Place, Spot},
};
use crate::{erase::screen::left, views::Views};

/// Bytes of frames that one read looks through without finding a message of its own.
const LOOK_BYTES_MAX: u64 = 64 << 20;
/// Between two looks whether somebody still takes everything over.
const HELD_LOOK: Duration = Duration::from_millis(100);

/// A place, and how many messages of the workspace were passed on the way there.
#[derive(Clone, Copy, Debug)]
struct Mark {
    place: Place,
    passed: u64,
}

/// The follower.
pub struct Follow {
    views: Arc<Views>,
    follower: Arc<Follower>,
    moves: u64,
    here: Mark,
    /// The place on disk, as far as this follower moved it.
    kept: Place,
    /// After each message of the page read last, and after all of it.
    marks: Vec<Mark>,
    end: Mark,
    /// Where the frame that is next was last seen.
    near: Option<frames::Spot>,
    /// What was read of the history and not handed out yet.
    piece: VecDeque<(Spot, Vec<u8>)>,
    /// Messages that were behind, and those accepted, when they were counted; and how many had been passed.
    counted: Option<(Standing, u64)>,
}

impl Follow {
    pub fn new(views: Arc<Views>, id: FollowerId) -> Result<Follow, ReadError> {
        let Known { follower, place, moves, .. } = there(views.book.known(id))?;
        let here = Mark { place, passed: 0 };
        let (marks, piece) = (Vec::new(), VecDeque::new());
        Ok(Follow { views, follower, moves, here, kept: place, marks, end: here, near: None, piece, counted: None })
    }

    /// Goes where somebody else has moved the follower to, if somebody has.
    fn catch_up(&mut self) -> Result<(), ReadError> {
        let known = there(self.views.book.known(self.follower.id))?;
        if known.moves != self.moves {
            self.moves = known.moves;
            self.here = Mark { place: known.place, passed: 0 };
            self.kept = known.place;
            self.near = None;
            self.piece.clear();
            self.counted = None;
        }
        self.marks.clear();
        self.end = self.here;
        Ok(())
    }

    fn read_past(&mut self, mut past: Past, limit: PageLimit) -> Result<FollowPage, ReadError> {
        if self.piece.is_empty() {
            self.piece = past::read(&self.views, self.follower.workspace, &mut past)?.into();
        }
        let deleted = self.views.tombstones.of(self.follower.workspace);
        let mut page = Page::new(limit);
        let mut end = self.here;
        for (spot, bytes) in self.piece.iter().filter(|(spot, _)| *spot > past.after) {
            let place = Place { past: Some(Past { after: *spot, ..past }), ..self.here.place };
            let mark = Mark { place, passed: end.passed + 1 };
            if let Some(left) = left(deleted.as_deref(), bytes, "the journal")?
                && !page.put(left, mark, &mut self.marks)
            {
                break;
            }
            end = mark;
        }
        if self.piece.is_empty() {
            end.place.past = None;
        }
        self.end = end;
        Ok(FollowPage { records: page.records, more: true })
    }

    fn read_journal(&mut self, limit: PageLimit) -> Result<FollowPage, ReadError> {
        let views = Arc::clone(&self.views);
        let deleted = views.tombstones.of(self.follower.workspace);
        let mut walk = Walk::new(&views.book, self.here.place.sequence, self.near.clone());
        let mut page = Page::new(limit);
        let (mut end, mut looked) = (self.here, 0);
        while looked < LOOK_BYTES_MAX {
            let batches = match walk.step() {
                Ok(Some(batches)) => batches,
                Ok(None) => break,
                Err(NotFound::Failed(fault)) => return Err(fault),
                Err(NotFound::Gone { next }) => return self.lost(end.place.sequence, next),
            };
            self.near.clone_from(walk.near());
            looked += batches.iter().map(|batch| batch.bytes().len() as u64).sum::<u64>();
            for (workspace, entry) in entries(&batches).skip(end.place.entry as usize) {
                let place = Place { entry: end.place.entry + 1, ..end.place };
                let mut mark = Mark { place, passed: end.passed };
                if let Entry::Message(bytes) = entry
                    && workspace == self.follower.workspace
                {
                    mark.passed += 1;
                    if let Some(left) = left(deleted.as_deref(), bytes, "the journal")?
                        && !page.put(left, mark, &mut self.marks)
                    {
                        self.end = end;
                        return Ok(FollowPage { records: page.records, more: true });
                    }
                }
                end = mark;
            }
            end.place = Place { past: end.place.past, ..Place::at(end.place.sequence + 1) };
        }
        self.end = end;
        Ok(FollowPage { records: page.records, more: end.place.sequence <= walk.last() })
    }

    /// Frames are not there that should be, as after a backup was put in place of a directory: what they held is read
    /// from the history, as nobody knows which part of it they were.
    fn lost(&mut self, wanted: u64, next: u64) -> Result<FollowPage, ReadError> {
        let (id, name) = (self.follower.id.0, &self.follower.name);
        warn!(
            follower = id,
            name, wanted, next, "what a follower has not had is gone from the journal; it gets the whole history"
        );
        let place = Place { past: Some(Past::ALL), ..Place::at(next.max(wanted)) };
        letters::keep(&self.views, &self.follower, (self.moves, place), &[], Vec::new())?;
        self.here = Mark { place, passed: self.here.passed };
        self.kept = place;
        (self.near, self.counted) = (None, None);
        self.marks.clear();
        self.end = self.here;
        Ok(FollowPage { records: Vec::new(), more: true })
    }

    /// Messages of the workspace in the journal from the place on.
    fn count(&self) -> Result<u64, ReadError> {
        let place = self.here.place;
        let mut walk = Walk::new(&self.views.book, place.sequence, self.near.clone());
        let (mut pending, mut skip) = (0, place.entry as usize);
        loop {
            let batches = match walk.step() {
                Ok(Some(batches)) => batches,
                Ok(None) | Err(NotFound::Gone { .. }) => return Ok(pending),
                Err(NotFound::Failed(fault)) => return Err(fault),
            };
            let own = |(workspace, entry): &(_, Entry<'_>)| {
                *workspace == self.follower.workspace && matches!(entry, Entry::Message(_))
            };
            pending += entries(&batches).skip(skip).filter(own).count() as u64;
            skip = 0;
        }
    }
}

/// The entries of a frame, as a place counts them.
pub fn entries(batches: &[Batch]) -> impl Iterator<Item = (WorkspaceId, Entry<'_>)> {
    batches.iter().flat_map(|batch| batch.entries().map(|entry| (batch.workspace(), entry)))
}

/// A page being filled.
struct Page {
    limit: PageLimit,
    records: Vec<Vec<u8>>,
    bytes: usize,
}

impl Page {
    fn new(limit: PageLimit) -> Page {
        Page { limit, records: Vec::new(), bytes: 0 }
    }

    /// Adds a message, unless the page is full; one comes in any case.
    fn put(&mut self, record: Vec<u8>, mark: Mark, marks: &mut Vec<Mark>) -> bool {
        let bytes = self.bytes + record.len();
        let full = self.records.len() >= self.limit.messages || bytes > self.limit.bytes;
        if full && !self.records.is_empty() {
            return false;
        }
        self.bytes = bytes;
        self.records.push(record);
        marks.push(mark);
        true
    }
}

impl Following for Follow {
    fn read(&mut self, limit: PageLimit) -> Result<FollowPage, ReadError> {
        self.catch_up()?;
        match self.here.place.past {
            // A place in the history means nothing to whoever takes everything over; where it is once this is done, it goes on.
            Some(_) if self.views.book.is_held() => Ok(FollowPage { records: Vec::new(), more: false }),
            Some(past) => self.read_past(past, limit),
            None => self.read_journal(limit),
        }
    }

    fn settle(&mut self, done: usize, kept: Vec<Letter>, durably: bool) -> Result<(), ReadError> {
        if done >= self.marks.len() {
            self.here = self.end;
        } else if let Some(last) = done.checked_sub(1) {
            self.here = self.marks[last];
        }
        if let Some(past) = self.here.place.past {
            while self.piece.front().is_some_and(|(spot, _)| *spot <= past.after) {
                self.piece.pop_front();
            }
        }
        if durably || !kept.is_empty() {
            letters::keep(&self.views, &self.follower, (self.moves, self.here.place), &[], kept)?;
            self.kept = self.here.place;
            self.views.book.trim(&self.views.names);
        }
        Ok(())
    }

    fn is_kept(&self) -> bool {
        self.kept == self.here.place
    }

    fn place(&self) -> Vec<u8> {
        self.here.place.encode()
    }

    fn go_to(&mut self, place: &[u8]) -> Result<bool, ReadError> {
        let Ok(wanted) = Place::decode(place) else { return Ok(false) };
        let known = there(self.views.book.known(self.follower.id))?;
        let ahead = wanted.sequence > self.views.book.last() + 1;
        let Some(place) = known.place.resumed(wanted).filter(|_| !ahead) else { return Ok(false) };
        letters::keep(&self.views, &self.follower, (known.moves, place), &[], Vec::new())?;
        self.views.book.trim(&self.views.names);
        // Somebody may have moved it just now; then it stands where it was moved to.
        let known = there(self.views.book.known(self.follower.id))?;
        self.moves = known.moves;
        self.here = Mark { place: known.place, passed: 0 };
        (self.kept, self.end) = (known.place, self.here);
        (self.near, self.counted) = (None, None);
        self.piece.clear();
        self.marks.clear();
        Ok(true)
    }

    fn due(&mut self, limit: PageLimit) -> Result<Vec<Letter>, ReadError> {
        letters::due(&self.views, &self.follower, limit)
    }

    fn settle_due(&mut self, ended: &[LetterId], kept: Vec<Letter>) -> Result<(), ReadError> {
        letters::keep(&self.views, &self.follower, (self.moves, self.here.place), ended, kept)?;
        self.kept = self.here.place;
        Ok(())
    }

    fn wait(&mut self, at_most: Duration) {
        if self.here.place.past.is_none() {
            self.views.book.wait(self.follower.id, self.here.place.sequence, at_most);
        } else if self.views.book.is_held() {
            std::thread::sleep(at_most.min(HELD_LOOK));
        }
    }

    fn standing(&mut self) -> Result<Standing, ReadError> {
        let accepted = self.views.book.accepted(self.follower.workspace);
        let (counted, passed) = match self.counted {
            Some(counted) => counted,
            None => {
                let past = self.here.place.past.map_or(0, |_| past::rows(&self.views, self.follower.workspace));
                // What is accepted between the two counts is counted twice, which corrects itself with the next count.
                let pending = self.count()? + past;
                *self.counted.insert((Standing { pending, accepted }, self.here.passed))
            }
        };
        let pending = (counted.pending + accepted - counted.accepted).saturating_sub(self.here.passed - passed);
        let at_end = self.here.place.past.is_none() && self.here.place.sequence > self.views.book.last();
        if at_end {
            // Whatever the counts say.
            self.counted = None;
        }
        Ok(Standing { pending: if at_end { 0 } else { pending }, accepted })
    }
}
