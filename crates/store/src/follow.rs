//! Following what is accepted, one message after the other, from a place that outlives the process.
//!
//! A follower is somebody who wants every message of a workspace handed out, such as a destination that messages are
//! forwarded to. Its place moves only when it says so. The store never waits for a follower, and keeps what followers
//! have not had within a bound; one that fell further behind is handed older messages from the history, so that it gets
//! some of them again, and none never.

use std::time::Duration;

use muster_model::{
    id::{Identity, WorkspaceId},
    time::Micros,
};

use crate::{
    Answer,
    credentials::check_workspace_name,
    error::{AdminError, ReadError},
};

/// Followers that a store has at the most, all workspaces together.
pub const FOLLOWERS_MAX: usize = 16;
/// Bytes of what a follower's owner keeps with it.
pub const SETTINGS_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the reason that is kept with a letter; longer ones are cut.
pub const REASON_BYTES_MAX: usize = 1_000;

/// Bytes of a place that its reader keeps.
pub const PLACE_BYTES_MAX: usize = 64;

/// A follower's number; another follower never has it, also not after this one is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FollowerId(pub u64);

/// Somebody who follows a workspace.
#[derive(Clone, PartialEq, Eq)]
pub struct Follower {
    pub id: FollowerId,
    pub workspace: WorkspaceId,
    /// Its name; the workspace has no other follower of that name.
    pub name: String,
    /// Whatever its owner keeps with it; may hold secrets.
    pub settings: Vec<u8>,
    pub created_at: Micros,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where a new follower starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what is accepted from now on.
    Now,
    /// With everything the workspace holds, and then what is accepted from now on.
    Beginning,
}

/// What a new follower is made of.
#[derive(Clone)]
pub struct NewFollower {
    pub workspace: WorkspaceId,
    pub name: String,
    pub settings: Vec<u8>,
    pub start: Start,
    pub created_at: Micros,
}

/// How much one read hands out at the most. One message comes in any case.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    pub messages: usize,
    pub bytes: usize,
}

/// Messages in the order in which a follower gets them, each in its byte form ([`crate::record`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowPage {
    pub records: Vec<Vec<u8>>,
    /// Whether there is more right after it. A page may be empty and yet have more after it.
    pub more: bool,
}

/// How far a follower is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Messages of the workspace that it is not done with; where it reads from the history, rather too many.
    pub pending: u64,
    /// The workspace's messages accepted by this process when they were counted. What was accepted since is pending too.
    pub accepted: u64,
}

/// The id of a letter: when it was kept, and the message's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId {
    pub kept_at: Micros,
    pub identity: Identity,
}

impl LetterId {
    /// Reads the 48 hexadecimal digits that [`std::fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<LetterId> {
        let digits = text.len() == 48 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (at, identity) = digits.then(|| text.split_at(16))?;
        let at = u64::from_str_radix(at, 16).ok()? ^ (1 << 63);
        Some(LetterId { kept_at: Micros(at as i64), identity: Identity(u128::from_str_radix(identity, 16).ok()?) })
    }
}

impl std::fmt::Display for LetterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}{:032x}", (self.kept_at.0 as u64) ^ (1 << 63), self.identity.0)
    }
}

/// A message that its follower could do nothing with: a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub id: LetterId,
    /// Why, in a sentence.
    pub reason: String,
    /// Whether it is to be handed out again.
    pub due: bool,
    /// The message in its byte form.
    pub record: Vec<u8>,
}

impl Letter {
    /// A letter about a message; a reason that is too long is cut.
    #[must_use]
    pub fn new(record: Vec<u8>, identity: Identity, reason: &str, kept_at: Micros) -> Letter {
        let mut end = reason.len().min(REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Letter { id: LetterId { kept_at, identity }, reason: reason[..end].to_owned(), due: false, record }
    }
}

/// A page of letters, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterPage {
    pub letters: Vec<Letter>,
    /// Where the next page starts: after this one; `None` at the end.
    pub next: Option<LetterId>,
}

/// A follower at its place. Only one is open for a follower at a time; all calls may wait for a disk.
pub trait Following: Send {
    /// The next messages after the place. Nothing that a deletion hides is among them, at the moment of the call. Reading
    /// again without having moved on brings the same messages, less what was deleted meanwhile.
    fn read(&mut self, limit: PageLimit) -> Result<FollowPage, ReadError>;

    /// Moves on: the first `done` messages of the page read last are done with, those counted in that were done with
    /// before. `letters` are kept, durably, together with the new place; so is the place alone when `durably`. Otherwise
    /// a crash may bring back an earlier place.
    fn settle(&mut self, done: usize, letters: Vec<Letter>, durably: bool) -> Result<(), ReadError>;

    /// Whether a crash would bring back the place where it stands, and no earlier one.
    fn is_kept(&self) -> bool;

    /// The place where it stands, for a reader that keeps it: at most [`PLACE_BYTES_MAX`] bytes that
    /// [`Following::go_to`] reads.
    fn place(&self) -> Vec<u8>;

    /// Goes on from a place where it stood before, or where a [`Moment`](crate::scan::Moment) ended that was taken after
    /// the follower was made. Durable: what is before the place may be let go of. Where the store had to move the
    /// follower meanwhile it goes on from there, and some of it comes again. `false`, and nothing is changed, when
    /// what comes after the place is not kept any more, or the bytes are no place.
    fn go_to(&mut self, place: &[u8]) -> Result<bool, ReadError>;

    /// Letters that are to be handed out again, oldest first.
    fn due(&mut self, limit: PageLimit) -> Result<Vec<Letter>, ReadError>;

    /// Ends letters that were due, and keeps others in their place. Durable.
    fn settle_due(&mut self, ended: &[LetterId], kept: Vec<Letter>) -> Result<(), ReadError>;

    /// Waits until there may be something to read, somebody calls [`Followers::wake_follower`], or so long.
    fn wait(&mut self, at_most: Duration);

    /// How far behind it is.
    fn standing(&mut self) -> Result<Standing, ReadError>;
}

/// Followers of all workspaces. Changes are durable when answered.
pub trait Followers: Send + Sync {
    /// All followers, oldest first.
    fn followers(&self) -> Vec<Follower>;

    /// Makes a follower. A name that the workspace's followers have already is [`AdminError::Exists`]. Messages that are
    /// acknowledged after the answer are handed to it, each at least once.
    fn add_follower(&self, new: NewFollower) -> Answer<'_, Follower, AdminError>;

    /// Keeps other settings with it; its place stays.
    fn change_follower(&self, id: FollowerId, settings: Vec<u8>) -> Answer<'_, Follower, AdminError>;

    /// Ends a follower, with its place and its letters.
    fn remove_follower(&self, id: FollowerId) -> Answer<'_, (), AdminError>;

    /// Opens a follower at its place.
    fn follow(&self, id: FollowerId) -> Result<Box<dyn Following>, ReadError>;

    /// Ends a wait of the follower, now or the next one.
    fn wake_follower(&self, id: FollowerId);

    /// Messages of a workspace that this process accepted.
    fn accepted(&self, workspace: WorkspaceId) -> u64;

    /// How many letters a follower has.
    fn letter_count(&self, id: FollowerId) -> u64;

    /// At most `limit` letters after one, oldest first.
    fn letters(&self, id: FollowerId, after: Option<LetterId>, limit: usize) -> Answer<'_, LetterPage, ReadError>;

    /// Has a letter handed out again, or all of them; how many that are.
    fn resend_letters(&self, id: FollowerId, letter: Option<LetterId>) -> Answer<'_, u64, AdminError>;

    /// Drops a letter, or all of them; how many that were.
    fn drop_letters(&self, id: FollowerId, letter: Option<LetterId>) -> Answer<'_, u64, AdminError>;
}

/// Checks a follower to be made, beside those that there are.
pub fn check_new(followers: &[Follower], new: &NewFollower) -> Result<(), AdminError> {
    if check_workspace_name(&new.name).is_err() {
        let says = "a destination's name has 1 to 64 lower-case letters, digits, hyphens and underscores";
        return Err(AdminError::Invalid(says.to_owned()));
    }
    check_settings(&new.settings)?;
    if followers.iter().any(|known| known.workspace == new.workspace && known.name == new.name) {
        return Err(AdminError::Exists("the workspace has a destination of this name already".to_owned()));
    }
    if followers.len() >= FOLLOWERS_MAX {
        return Err(AdminError::Invalid(format!("there are at most {FOLLOWERS_MAX} destinations; remove one first")));
    }
    Ok(())
}

/// Checks what is to be kept with a follower.
pub fn check_settings(settings: &[u8]) -> Result<(), AdminError> {
    if settings.len() <= SETTINGS_BYTES_MAX {
        return Ok(());
    }
    Err(AdminError::Invalid(format!("the settings of a destination have at most {SETTINGS_BYTES_MAX} bytes")))
}

/// A follower that is not there.
#[must_use]
pub fn unknown() -> AdminError {
    AdminError::NotFound("there is no such destination in this workspace".to_owned())
}

/// A letter that is not there.
#[must_use]
pub fn unknown_letter() -> AdminError {
    AdminError::NotFound("the destination has no such dead letter".to_owned())
}

/// A read of a follower that is not there.
#[must_use]
pub fn gone() -> ReadError {
    ReadError::Failed { what: "the follower was removed".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_letters_read_back_and_sort_by_time() {
        let id = |at| LetterId { kept_at: Micros(at), identity: Identity(7 << 100) };
        for at in [i64::MIN, -1, 0, 1_700_000_000_000_000] {
            assert_eq!(LetterId::parse(&id(at).to_string()), Some(id(at)));
        }
        assert!(id(-1).to_string() < id(2).to_string());
        for wrong in ["", "7", &"+".repeat(48), &"é".repeat(24)] {
            assert_eq!(LetterId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_letters() {
        let letter = Letter::new(vec![], Identity(1), &"é".repeat(REASON_BYTES_MAX), Micros(0));
        assert_eq!(letter.reason.len(), REASON_BYTES_MAX);
        let odd = Letter::new(vec![], Identity(1), &format!("x{}", "é".repeat(REASON_BYTES_MAX)), Micros(0));
        assert_eq!(odd.reason.len(), REASON_BYTES_MAX - 1);
    }
}
