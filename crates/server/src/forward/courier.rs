//! The thread of one destination.
//!
//! It reads a page from its place, sends what is to go, and moves on by what is decided; what is held up is read again,
//! so that what was deleted meanwhile does not go. Waits end as soon as the thread is told something. Never logs what is
//! sent or answered.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use muster_store::{
    Store,
    clock::Clock,
    error::ReadError,
    follow::{FollowPage, Follower, Following, Letter, LetterId, PageLimit},
};

use super::{
    control::{Control, Phase, Tally, Wish},
    deliver::{Delivered, Fate, deliver},
    judge::{Hold, Judged, judge},
    parcel::{Packed, Parcel, pack, pack_letter, request_limit},
    pause::{Rate, Retries},
    post::Post,
};

/// What is read at a time.
const PAGE: PageLimit = PageLimit { messages: 1_000, bytes: 8 << 20 };
/// The place on disk is at most so far behind the one in memory while messages go out.
const KEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How long a wait without end takes.
const LONG: Duration = Duration::from_secs(24 * 3_600);
/// Messages refused in a row, none taken between them, after which the receiver is to blame: it is asked once in a while
/// then, so that not everything becomes a dead letter.
const REFUSED_IN_A_ROW_MAX: u64 = 1_000;

/// What the thread works with.
pub(super) struct Courier {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub follower: Follower,
    pub control: Arc<Control>,
    pub tally: Arc<Tally>,
    pub retries: Retries,
    pub organization_trait: String,
}

/// Why a tour was interrupted.
enum Trouble {
    Held(Hold),
    Store(ReadError),
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        Trouble::Store(error)
    }
}

impl Courier {
    /// Works until it is told to stop, or its destination is no more.
    pub(super) fn run(self) {
        loop {
            let wish = self.control.look();
            if wish.stops {
                return;
            }
            let Err(fault) = self.tour(&wish) else { continue };
            if !self.store.followers().iter().any(|follower| follower.id == self.follower.id) {
                return;
            }
            self.tally.enter(Phase::Retrying, Some("the store could not be read".to_owned()));
            tracing::error!(destination = self.follower.id.0, error = %fault, "messages to forward could not be read");
            self.control.sleep(&wish, self.retries.longest);
        }
    }

    /// Works as wished until something else is.
    fn tour(&self, wish: &Wish) -> Result<(), ReadError> {
        let following = self.store.follow(self.follower.id)?;
        let mut tour = Tour {
            courier: self,
            wish,
            following,
            post: Post::new(&wish.destination),
            rate: Rate::new(wish.destination.messages_per_second),
            kept_at: Instant::now(),
            brought: false,
            failures: 0,
            refused_in_a_row: 0,
        };
        tour.tell()?;
        if wish.destination.paused {
            self.tally.enter(Phase::Paused, None);
            self.control.sleep(wish, LONG);
            return Ok(());
        }
        self.tally.enter(Phase::Delivering, None);
        while !self.control.is_told(wish) {
            match tour.step() {
                Ok(()) => {}
                Err(Trouble::Held(hold)) => tour.hold(hold)?,
                Err(Trouble::Store(fault)) => return Err(fault),
            }
        }
        tour.keep()
    }
}

/// One tour.
struct Tour<'c> {
    courier: &'c Courier,
    wish: &'c Wish,
    following: Box<dyn Following>,
    post: Post,
    rate: Rate,
    /// When the place was last kept on disk, and whether messages were decided since.
    kept_at: Instant,
    brought: bool,
    /// Requests in a row that brought nothing.
    failures: u32,
    refused_in_a_row: u64,
}

impl Tour<'_> {
    /// Sends what is next, or waits for something.
    fn step(&mut self) -> Result<(), Trouble> {
        let due = self.following.due(PAGE)?;
        if !due.is_empty() {
            return self.send_letters(due);
        }
        let page = self.following.read(PAGE)?;
        if !page.records.is_empty() {
            return self.send_page(&page);
        }
        self.settle(0, Vec::new(), !page.more)?;
        if !page.more {
            self.tell()?;
            self.courier.tally.say(|said| said.oldest = None);
            // What moved past messages of others alone is kept once it is quiet.
            self.following.wait(if self.following.is_kept() { LONG } else { KEEP_INTERVAL });
        }
        Ok(())
    }

    fn send_page(&mut self, page: &FollowPage) -> Result<(), Trouble> {
        let limit = request_limit(self.wish.destination.kind);
        let (mut parcels, mut bytes, mut first) = (Vec::<Parcel>::new(), 0, true);
        for (place, record) in page.records.iter().enumerate() {
            let (packed, received_at) = pack(&self.wish.destination, &self.courier.organization_trait, record, place);
            if std::mem::take(&mut first) {
                self.courier.tally.say(|said| said.oldest = received_at);
            }
            let Some(parcel) = self.sorted(packed) else { continue };
            if !parcels.is_empty() && (parcels.len() >= limit.messages || bytes + parcel.body.len() > limit.bytes) {
                self.send_parcels(page, std::mem::take(&mut parcels), place)?;
                bytes = 0;
            }
            bytes += parcel.body.len();
            parcels.push(parcel);
        }
        self.send_parcels(page, parcels, page.records.len())
    }

    /// A message that goes; the others are counted.
    fn sorted(&self, packed: Packed) -> Option<Parcel> {
        let tally = &self.courier.tally;
        match packed {
            Packed::Goes(parcel) => return Some(parcel),
            Packed::Filtered => Tally::add(&tally.filtered, 1),
            Packed::Wordless => Tally::add(&tally.wordless, 1),
            Packed::Unreadable => {
                Tally::add(&tally.wordless, 1);
                tracing::error!(
                    destination = self.courier.follower.id.0,
                    "a message to forward has bytes that are none"
                );
            }
        }
        None
    }

    /// Sends messages and moves on to what is decided: to `through` when all of it is.
    fn send_parcels(&mut self, page: &FollowPage, parcels: Vec<Parcel>, through: usize) -> Result<(), Trouble> {
        let Delivered { fates, held } = self.deliver(&parcels);
        let letters = self.letters(&parcels, &fates, |parcel| page.records[parcel.place].clone());
        let done = parcels.get(fates.len()).map_or(through, |undecided| undecided.place);
        self.settle(done, letters, held.is_some())?;
        held.map_or(Ok(()), |hold| Err(Trouble::Held(hold)))
    }

    /// Sends letters again; those that are refused again are kept with the new reason.
    fn send_letters(&mut self, due: Vec<Letter>) -> Result<(), Trouble> {
        let limit = request_limit(self.wish.destination.kind);
        let pack = |(place, letter): (usize, &Letter)| {
            pack_letter(&self.wish.destination, &self.courier.organization_trait, letter, place)
        };
        let parcels: Vec<Parcel> = due.iter().enumerate().filter_map(pack).collect();
        let wordless: Vec<LetterId> = due.iter().map(|letter| letter.id).collect();
        let goes = |id: &LetterId| parcels.iter().any(|parcel| parcel.letter == Some(*id));
        let wordless: Vec<LetterId> = wordless.into_iter().filter(|id| !goes(id)).collect();
        if !wordless.is_empty() {
            self.following.settle_due(&wordless, Vec::new())?;
        }
        for part in parcels.chunks(limit.messages) {
            let Delivered { fates, held } = self.deliver(part);
            let ended: Vec<LetterId> = part[..fates.len()].iter().filter_map(|parcel| parcel.letter).collect();
            let kept = self.letters(part, &fates, |parcel| due[parcel.place].record.clone());
            self.following.settle_due(&ended, kept)?;
            if let Some(hold) = held {
                return Err(Trouble::Held(hold));
            }
        }
        Ok(())
    }

    fn deliver(&mut self, parcels: &[Parcel]) -> Delivered {
        if parcels.is_empty() {
            return Delivered { fates: Vec::new(), held: None };
        }
        let delivered = deliver(parcels, |of_request| self.request(of_request));
        let taken = delivered.fates.iter().filter(|fate| **fate == Fate::Taken).count() as u64;
        let refused = delivered.fates.len() as u64 - taken;
        Tally::add(&self.courier.tally.sent, taken);
        Tally::add(&self.courier.tally.refused, refused);
        self.refused_in_a_row = if taken > 0 { 0 } else { self.refused_in_a_row + refused };
        delivered
    }

    fn letters(&self, parcels: &[Parcel], fates: &[Fate], record: impl Fn(&Parcel) -> Vec<u8>) -> Vec<Letter> {
        let now = self.courier.clock.now();
        // Their ids have the order of the messages.
        let letter = |(nth, (parcel, fate)): (i64, (&Parcel, &Fate))| match fate {
            Fate::Taken => None,
            Fate::Refused(says) => Some(Letter::new(record(parcel), parcel.identity, says, now.plus_micros(nth))),
        };
        (0..).zip(parcels.iter().zip(fates)).filter_map(letter).collect()
    }

    /// One request, when it may be made.
    fn request(&mut self, parcels: &[&Parcel]) -> Judged {
        let control = &self.courier.control;
        if self.refused_in_a_row >= REFUSED_IN_A_ROW_MAX {
            // The next try is one request.
            self.refused_in_a_row = REFUSED_IN_A_ROW_MAX - 1;
            let says = format!("the last {REFUSED_IN_A_ROW_MAX} messages were all refused; see the dead letters");
            return Judged::Held(Hold::Blocked { says });
        }
        let mut left = u32::try_from(parcels.len()).unwrap_or(u32::MAX);
        while let Some((rest, wait)) = self.rate.take(left) {
            left = rest;
            if control.sleep(self.wish, wait) {
                return Judged::Held(Hold::Told);
            }
        }
        if let Some(wait) = self.post.not_before.take().and_then(|at| at.checked_duration_since(Instant::now()))
            && control.sleep(self.wish, wait)
        {
            return Judged::Held(Hold::Told);
        }
        let answer = self.post.send(parcels, self.courier.clock.now().0.div_euclid(1_000_000));
        if let Ok(answer) = &answer {
            self.post.not_before = answer.exhausted.map(|wait| Instant::now() + wait);
        }
        let judged = judge(self.wish.destination.kind, &answer);
        if !matches!(judged, Judged::Held(_)) {
            self.failures = 0;
            self.courier.tally.enter(Phase::Delivering, None);
        }
        judged
    }

    /// Waits as long as it is held up.
    fn hold(&mut self, hold: Hold) -> Result<(), ReadError> {
        let (number, tally) = (self.courier.follower.id.0, &self.courier.tally);
        let wait = match hold {
            Hold::Told => return Ok(()),
            Hold::Later { says, wait } => {
                self.failures = self.failures.saturating_add(1);
                if tally.enter(Phase::Retrying, Some(says)) {
                    tracing::warn!(destination = number, "a destination takes nothing for now; it is tried again");
                }
                wait.unwrap_or_else(|| self.courier.retries.wait(self.failures))
            }
            Hold::Blocked { says } => {
                if tally.enter(Phase::Blocked, Some(says)) {
                    tracing::warn!(destination = number, "a destination refuses everything; its state says why");
                }
                self.courier.retries.longest
            }
        };
        Tally::add(&tally.failures, 1);
        self.tell()?;
        self.courier.control.sleep(self.wish, wait);
        Ok(())
    }

    fn settle(&mut self, done: usize, letters: Vec<Letter>, durably: bool) -> Result<(), ReadError> {
        self.brought |= done > 0;
        let due = self.kept_at.elapsed() >= KEEP_INTERVAL && (self.brought || !self.following.is_kept());
        let durably = due || (durably && self.brought);
        let kept = durably || !letters.is_empty();
        self.following.settle(done, letters, durably)?;
        if kept {
            self.brought = false;
            self.kept_at = Instant::now();
            self.tell()?;
        }
        Ok(())
    }

    /// Keeps the place on disk.
    fn keep(&mut self) -> Result<(), ReadError> {
        if self.following.is_kept() { Ok(()) } else { self.following.settle(0, Vec::new(), true) }
    }

    /// Tells how far behind it is.
    fn tell(&mut self) -> Result<(), ReadError> {
        let standing = self.following.standing()?;
        self.courier.tally.say(|said| said.standing = Some(standing));
        Ok(())
    }
}
