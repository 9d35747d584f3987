//! Following what is accepted: a place is how many messages had arrived.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use muster_model::id::WorkspaceId;
use parking_lot::{Condvar, Mutex};

use super::{MemoryStore, twin::Held};
use crate::{
    Answer,
    error::{AdminError, ReadError},
    follow::{
        FollowPage, Follower, FollowerId, Followers, Following, Letter, LetterId, LetterPage, NewFollower, PageLimit,
        Standing, Start, check_new, check_settings, gone, unknown, unknown_letter,
    },
};

/// Every follower.
#[derive(Debug, Default)]
pub struct Follows {
    followers: BTreeMap<FollowerId, Followed>,
    /// Those whose next wait is over before it begins.
    woken: BTreeSet<FollowerId>,
    latest: u64,
}

#[derive(Debug)]
struct Followed {
    follower: Follower,
    /// Messages that had arrived where it stands, and where what is before the place was let go of.
    arrived: u64,
    kept: u64,
    letters: BTreeMap<LetterId, Letter>,
}

impl Held {
    fn arrived(&self, workspace: WorkspaceId) -> u64 {
        self.workspaces.get(&workspace).map_or(0, |accepted| accepted.arrived())
    }

    /// The letters that deletions leave.
    fn letters(&self, id: FollowerId) -> Vec<Letter> {
        let Some(followed) = self.follows.followers.get(&id) else { return Vec::new() };
        let accepted = self.workspaces.get(&followed.follower.workspace);
        let left = |letter: &Letter| {
            let record = accepted.map_or(Some(letter.record.clone()), |accepted| accepted.left(&letter.record))?;
            Some(Letter { record, ..letter.clone() })
        };
        followed.letters.values().filter_map(left).collect()
    }

    fn followed(&mut self, id: FollowerId) -> Result<&mut Followed, AdminError> {
        self.follows.followers.get_mut(&id).ok_or_else(unknown)
    }

    /// Does something to a letter, or to all of them.
    fn each_letter(
        &mut self,
        id: FollowerId,
        letter: Option<LetterId>,
        mut act: impl FnMut(&mut BTreeMap<LetterId, Letter>, LetterId),
    ) -> Result<u64, AdminError> {
        let there: Vec<LetterId> = self.letters(id).iter().map(|letter| letter.id).collect();
        let followed = self.followed(id)?;
        let meant: Vec<LetterId> = there.into_iter().filter(|one| letter.is_none_or(|letter| letter == *one)).collect();
        if letter.is_some() && meant.is_empty() {
            return Err(unknown_letter());
        }
        meant.iter().for_each(|id| act(&mut followed.letters, *id));
        Ok(meant.len() as u64)
    }
}

impl Followers for MemoryStore {
    fn followers(&self) -> Vec<Follower> {
        self.held.lock().follows.followers.values().map(|followed| followed.follower.clone()).collect()
    }

    fn add_follower(&self, new: NewFollower) -> Answer<'_, Follower, AdminError> {
        Box::pin(async move {
            let known = self.followers();
            let mut held = self.held.lock();
            if !held.registry.workspaces.iter().any(|workspace| workspace.id == new.workspace) {
                return Err(AdminError::NotFound("there is no such workspace".to_owned()));
            }
            check_new(&known, &new)?;
            held.follows.latest += 1;
            let id = FollowerId(held.follows.latest);
            let NewFollower { workspace, name, settings, start, created_at } = new;
            let arrived = if start == Start::Now { held.arrived(workspace) } else { 0 };
            let follower = Follower { id, workspace, name, settings, created_at };
            let followed = Followed { follower: follower.clone(), arrived, kept: arrived, letters: BTreeMap::new() };
            held.follows.followers.insert(id, followed);
            Ok(follower)
        })
    }

    fn change_follower(&self, id: FollowerId, settings: Vec<u8>) -> Answer<'_, Follower, AdminError> {
        Box::pin(async move {
            check_settings(&settings)?;
            let mut held = self.held.lock();
            let followed = held.followed(id)?;
            followed.follower.settings = settings;
            Ok(followed.follower.clone())
        })
    }

    fn remove_follower(&self, id: FollowerId) -> Answer<'_, (), AdminError> {
        Box::pin(async move { self.held.lock().follows.followers.remove(&id).map(drop).ok_or_else(unknown) })
    }

    fn follow(&self, id: FollowerId) -> Result<Box<dyn Following>, ReadError> {
        let (held, grown) = (Arc::clone(&self.held), Arc::clone(&self.grown));
        if !held.lock().follows.followers.contains_key(&id) {
            return Err(gone());
        }
        Ok(Box::new(TwinsFollowing { held, grown, id, page: Vec::new() }))
    }

    fn wake_follower(&self, id: FollowerId) {
        self.held.lock().follows.woken.insert(id);
        self.grown.notify_all();
    }

    fn accepted(&self, workspace: WorkspaceId) -> u64 {
        self.held.lock().arrived(workspace)
    }

    fn letter_count(&self, id: FollowerId) -> u64 {
        self.held.lock().letters(id).len() as u64
    }

    fn letters(&self, id: FollowerId, after: Option<LetterId>, limit: usize) -> Answer<'_, LetterPage, ReadError> {
        Box::pin(async move {
            let all = self.held.lock().letters(id);
            let mut rest = all.into_iter().filter(|letter| after.is_none_or(|after| letter.id > after));
            let letters: Vec<Letter> = rest.by_ref().take(limit).collect();
            let next = rest.next().and_then(|_| letters.last()).map(|letter| letter.id);
            Ok(LetterPage { letters, next })
        })
    }

    fn resend_letters(&self, id: FollowerId, letter: Option<LetterId>) -> Answer<'_, u64, AdminError> {
        Box::pin(async move {
            let due = |letters: &mut BTreeMap<LetterId, Letter>, id| {
                if let Some(letter) = letters.get_mut(&id) {
                    letter.due = true;
                }
            };
            let count = self.held.lock().each_letter(id, letter, due)?;
            self.wake_follower(id);
            Ok(count)
        })
    }

    fn drop_letters(&self, id: FollowerId, letter: Option<LetterId>) -> Answer<'_, u64, AdminError> {
        Box::pin(async move {
            self.held.lock().each_letter(id, letter, |letters, id| {
                letters.remove(&id);
            })
        })
    }
}

/// A follower at its place.
struct TwinsFollowing {
    held: Arc<Mutex<Held>>,
    grown: Arc<Condvar>,
    id: FollowerId,
    /// How many messages had arrived with each message of the page read last.
    page: Vec<u64>,
}

impl Following for TwinsFollowing {
    fn read(&mut self, limit: PageLimit) -> Result<FollowPage, ReadError> {
        let held = self.held.lock();
        let followed = held.follows.followers.get(&self.id).ok_or_else(gone)?;
        self.page.clear();
        let mut page = FollowPage::default();
        let Some(accepted) = held.workspaces.get(&followed.follower.workspace) else { return Ok(page) };
        let mut bytes = 0;
        for (arrived, record) in accepted.after(followed.arrived) {
            bytes += record.len();
            page.more = !page.records.is_empty() && (page.records.len() >= limit.messages || bytes > limit.bytes);
            if page.more {
                break;
            }
            page.records.push(record.to_vec());
            self.page.push(arrived);
        }
        Ok(page)
    }

    fn settle(&mut self, done: usize, letters: Vec<Letter>, durably: bool) -> Result<(), ReadError> {
        let mut held = self.held.lock();
        let followed = held.followed(self.id).map_err(|_| gone())?;
        if let Some(arrived) = done.checked_sub(1).and_then(|last| self.page.get(last)) {
            followed.arrived = *arrived;
        }
        if durably || !letters.is_empty() {
            followed.kept = followed.arrived;
        }
        followed.letters.extend(letters.into_iter().map(|letter| (letter.id, letter)));
        Ok(())
    }

    fn is_kept(&self) -> bool {
        true
    }

    fn place(&self) -> Vec<u8> {
        let held = self.held.lock();
        held.follows.followers.get(&self.id).map_or(0, |followed| followed.arrived).to_be_bytes().to_vec()
    }

    fn go_to(&mut self, place: &[u8]) -> Result<bool, ReadError> {
        let Ok(arrived) = place.try_into().map(u64::from_be_bytes) else { return Ok(false) };
        let mut held = self.held.lock();
        let workspace = held.followed(self.id).map_err(|_| gone())?.follower.workspace;
        let there = held.arrived(workspace);
        let followed = held.followed(self.id).map_err(|_| gone())?;
        let kept = (followed.kept..=there).contains(&arrived);
        if kept {
            (followed.arrived, followed.kept) = (arrived, arrived);
            self.page.clear();
        }
        Ok(kept)
    }

    fn due(&mut self, limit: PageLimit) -> Result<Vec<Letter>, ReadError> {
        let due = self.held.lock().letters(self.id).into_iter().filter(|letter| letter.due);
        let mut bytes = 0;
        let fits = |(place, letter): &(usize, Letter)| {
            bytes += letter.record.len();
            *place == 0 || (*place < limit.messages && bytes <= limit.bytes)
        };
        Ok(due.enumerate().take_while(fits).map(|(_, letter)| letter).collect())
    }

    fn settle_due(&mut self, ended: &[LetterId], kept: Vec<Letter>) -> Result<(), ReadError> {
        let mut held = self.held.lock();
        let followed = held.followed(self.id).map_err(|_| gone())?;
        followed.letters.retain(|id, _| !ended.contains(id));
        followed.letters.extend(kept.into_iter().map(|letter| (letter.id, letter)));
        Ok(())
    }

    fn wait(&mut self, at_most: Duration) {
        let mut held = self.held.lock();
        let until = std::time::Instant::now() + at_most;
        loop {
            let Some(followed) = held.follows.followers.get(&self.id) else { return };
            if held.arrived(followed.follower.workspace) > followed.arrived || held.follows.woken.remove(&self.id) {
                return;
            }
            if self.grown.wait_until(&mut held, until).timed_out() {
                return;
            }
        }
    }

    fn standing(&mut self) -> Result<Standing, ReadError> {
        let held = self.held.lock();
        let followed = held.follows.followers.get(&self.id).ok_or_else(gone)?;
        let accepted = held.workspaces.get(&followed.follower.workspace);
        let pending = accepted.map_or(0, |accepted| accepted.after(followed.arrived).count() as u64);
        Ok(Standing { pending, accepted: accepted.map_or(0, |accepted| accepted.arrived()) })
    }
}
