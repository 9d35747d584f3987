//! Messages that followers could do nothing with, kept with the place that follows them.
//!
//! Letters and place change in one commit, so that a message is either still to come or among the letters. Nothing that a
//! deletion hides gets in: what was deleted a moment ago is looked up under the lock that the removal of letters takes.

use std::ops::Bound;

use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::{
    byte_form::{Input, Malformed, Output},
    error::ReadError,
    follow::{Follower, Letter, LetterId, LetterPage, PageLimit},
};

use super::{
    book::there,
    place::{Entry, Place, letter_key, letters_prefix, parse_key, place_key},
};
use crate::{
    erase::screen::left,
    error::{damaged, state_failed},
    state::State,
    views::Views,
};

const VERSION: u8 = 1;

/// Keeps a follower's place and letters, and ends others; unless somebody else has moved the follower meanwhile.
pub fn keep(
    views: &Views,
    follower: &Follower,
    (moves, place): (u64, Place),
    ended: &[LetterId],
    kept: Vec<Letter>,
) -> Result<(), ReadError> {
    let book = &views.book;
    let _one_at_a_time = book.settling.lock();
    let known = there(book.known(follower.id))?;
    if known.moves != moves {
        return Ok(());
    }
    let state = &views.state;
    let (workspace, id) = (follower.workspace, follower.id);
    let _committing = views.committing.lock();
    let mut batch = state.batch();
    batch.insert(&state.followers, place_key(workspace, id), place.encode());
    let mut letters = known.letters;
    for letter in ended {
        let key = letter_key(workspace, id, *letter);
        if state.followers.contains_key(key).map_err(|error| state_failed(&error))? {
            batch.remove(&state.followers, key);
            letters = letters.saturating_sub(1);
        }
    }
    let deleted = views.tombstones.of(workspace);
    for letter in &kept {
        if let Some(record) = left(deleted.as_deref(), &letter.record, "a dead letter")? {
            let letter = Letter { record, ..letter.clone() };
            batch.insert(&state.followers, letter_key(workspace, id, letter.id), encode(&letter));
            letters += 1;
        }
    }
    if let Some(latest) = kept.iter().map(|letter| letter.id.kept_at).max() {
        letters -= trim(views, follower, (letters, latest), &mut batch)?;
    }
    batch.commit().map_err(|error| state_failed(&error))?;
    book.note(id, |known| (known.place, known.letters) = (place, letters));
    Ok(())
}

/// Drops letters that are too many or too old, oldest first; how many.
fn trim(
    views: &Views,
    follower: &Follower,
    (letters, now): (u64, Micros),
    batch: &mut fjall::OwnedWriteBatch,
) -> Result<u64, ReadError> {
    let bounds = *views.book.bounds.lock();
    let retention = i64::try_from(bounds.letters_retention.as_micros()).unwrap_or(i64::MAX);
    let oldest = now.0.saturating_sub(retention);
    let mut dropped = 0;
    for entry in views.state.followers.prefix(letters_prefix(follower.workspace, follower.id)) {
        let key = entry.key().map_err(|error| state_failed(&error))?;
        let Some(Entry::Letter(_, _, letter)) = parse_key(&key) else { return Err(damaged("a dead letter's key")) };
        if letters - dropped <= bounds.letters_max && letter.kept_at.0 >= oldest {
            break;
        }
        batch.remove(&views.state.followers, key);
        dropped += 1;
    }
    Ok(dropped)
}

/// Letters that are to be handed out again, oldest first.
pub fn due(views: &Views, follower: &Follower, limit: PageLimit) -> Result<Vec<Letter>, ReadError> {
    let (mut due, mut bytes) = (Vec::<Letter>::new(), 0);
    if there(views.book.known(follower.id))?.letters == 0 {
        return Ok(due);
    }
    let deleted = views.tombstones.of(follower.workspace);
    for letter in all(views, follower, None) {
        let mut letter = letter?;
        if !letter.due {
            continue;
        }
        // One that was deleted and is still on disk goes with the removal of bytes.
        let Some(record) = left(deleted.as_deref(), &letter.record, "a dead letter")? else { continue };
        bytes += record.len();
        if !due.is_empty() && (due.len() >= limit.messages || bytes > limit.bytes) {
            break;
        }
        letter.record = record;
        due.push(letter);
    }
    Ok(due)
}

/// A page of letters.
pub fn page(
    views: &Views,
    follower: &Follower,
    after: Option<LetterId>,
    limit: usize,
) -> Result<LetterPage, ReadError> {
    let deleted = views.tombstones.of(follower.workspace);
    let mut page = LetterPage::default();
    for letter in all(views, follower, after) {
        let mut letter = letter?;
        let Some(record) = left(deleted.as_deref(), &letter.record, "a dead letter")? else { continue };
        if page.letters.len() == limit {
            page.next = page.letters.last().map(|letter| letter.id);
            break;
        }
        letter.record = record;
        page.letters.push(letter);
    }
    Ok(page)
}

/// What is to become of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// They are handed out again.
    Resend,
    Drop,
}

/// Does something to a letter, or to all; how many there were.
pub fn order(views: &Views, follower: &Follower, letter: Option<LetterId>, order: Order) -> Result<u64, ReadError> {
    let _one_at_a_time = views.book.settling.lock();
    let _committing = views.committing.lock();
    let state = &views.state;
    let mut batch = state.batch();
    let mut count = 0;
    for found in all(views, follower, None) {
        let found = found?;
        if letter.is_some_and(|letter| letter != found.id) {
            continue;
        }
        let key = letter_key(follower.workspace, follower.id, found.id);
        match order {
            Order::Resend => batch.insert(&state.followers, key, encode(&Letter { due: true, ..found })),
            Order::Drop => batch.remove(&state.followers, key),
        }
        count += 1;
    }
    batch.commit().map_err(|error| state_failed(&error))?;
    if order == Order::Drop {
        views.book.note(follower.id, |known| known.letters = known.letters.saturating_sub(count));
    }
    Ok(count)
}

/// All letters of a follower after one, as they lie on disk.
pub fn all(
    views: &Views,
    follower: &Follower,
    after: Option<LetterId>,
) -> impl Iterator<Item = Result<Letter, ReadError>> + use<> {
    let prefix = letters_prefix(follower.workspace, follower.id);
    let from = match after {
        Some(after) => Bound::Excluded(letter_key(follower.workspace, follower.id, after).to_vec()),
        None => Bound::Included(prefix.to_vec()),
    };
    let entries = views.state.followers.range((from, Bound::<Vec<u8>>::Unbounded));
    let read = move |entry: fjall::Guard| {
        let (key, value) = match entry.into_inner() {
            Ok(entry) => entry,
            Err(error) => return Some(Err(state_failed(&error))),
        };
        if !key.starts_with(&prefix) {
            return None;
        }
        let id = parse_key(&key).and_then(|entry| if let Entry::Letter(_, _, id) = entry { Some(id) } else { None });
        let letter = id.ok_or(Malformed).and_then(|id| decode(id, &value));
        Some(letter.map_err(|Malformed| damaged("a dead letter")))
    };
    entries.map_while(read)
}

/// Every letter of every follower.
pub fn each(state: &State, look: &mut dyn FnMut(WorkspaceId, &Letter)) -> Result<(), ReadError> {
    for entry in state.followers.iter() {
        let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
        if let Some(Entry::Letter(workspace, _, id)) = parse_key(&key) {
            look(workspace, &decode(id, &value).map_err(|Malformed| damaged("a dead letter"))?);
        }
    }
    Ok(())
}

/// The value of a letter.
pub fn encode(letter: &Letter) -> Vec<u8> {
    let mut value = Vec::with_capacity(letter.record.len() + letter.reason.len() + 16);
    value.put_u8(VERSION);
    value.put_flag(letter.due);
    value.put_text(&letter.reason);
    value.extend_from_slice(&letter.record);
    value
}

/// Reads it back.
pub fn decode(id: LetterId, value: &[u8]) -> Result<Letter, Malformed> {
    let mut input = Input::new(value);
    if input.u8()? != VERSION {
        return Err(Malformed);
    }
    let (due, reason) = (input.flag()?, input.text()?.to_owned());
    let record = input.take(input.left())?.to_vec();
    Ok(Letter { id, reason, due, record })
}
