//! Making, changing and ending followers.
//!
//! Durable before it is answered. A new follower is known before it is on disk, so that nothing it is to have is let go
//! of meanwhile.

use std::sync::Arc;

use muster_model::id::WorkspaceId;
use muster_store::{
    error::AdminError,
    follow::{Follower, FollowerId, NewFollower, Start, check_new, check_settings, unknown},
};

use super::{
    book::{Known, there},
    letters,
    place::{Past, Place, encode_follower, follower_key, letter_key, place_key},
};
use crate::views::Views;

fn failed(error: &dyn std::fmt::Display) -> AdminError {
    AdminError::Failed(error.to_string())
}

/// Makes a follower.
pub fn add(views: &Views, workspace: Option<WorkspaceId>, new: NewFollower) -> Result<Follower, AdminError> {
    let workspace = workspace.ok_or_else(|| AdminError::NotFound("there is no such workspace".to_owned()))?;
    let book = &views.book;
    let _one_at_a_time = book.settling.lock();
    let known: Vec<Follower> = book.all().iter().map(|known| Follower::clone(&known.follower)).collect();
    check_new(&known, &new)?;
    let latest = known.iter().map(|follower| follower.id.0).max().unwrap_or(0);
    let id = FollowerId(u64::try_from(new.created_at.0).unwrap_or(0).max(latest + 1));
    let NewFollower { name, settings, start, created_at, .. } = new;
    let follower = Arc::new(Follower { id, workspace, name, settings, created_at });
    let known = book.enter(id, |last, covered| {
        let place = match start {
            Start::Now => Place::at(last + 1),
            // What the state covers is in the history, all of it.
            Start::Beginning => Place { past: Some(Past::ALL), ..Place::at(covered + 1) },
        };
        Known { follower: Arc::clone(&follower), place, moves: 0, letters: 0 }
    });
    let state = &views.state;
    let mut batch = state.batch();
    batch.insert(&state.followers, follower_key(workspace, id), encode_follower(&follower));
    batch.insert(&state.followers, place_key(workspace, id), known.place.encode());
    match batch.commit() {
        Ok(()) => Ok(Follower::clone(&follower)),
        Err(error) => {
            book.strike(id);
            Err(failed(&error))
        }
    }
}

/// Keeps other settings with a follower.
pub fn change(views: &Views, id: FollowerId, settings: Vec<u8>) -> Result<Follower, AdminError> {
    check_settings(&settings)?;
    let _one_at_a_time = views.book.settling.lock();
    let known = views.book.known(id).ok_or_else(unknown)?;
    let follower = Arc::new(Follower { settings, ..Follower::clone(&known.follower) });
    let state = &views.state;
    let mut batch = state.batch();
    batch.insert(&state.followers, follower_key(follower.workspace, id), encode_follower(&follower));
    batch.commit().map_err(|error| failed(&error))?;
    views.book.note(id, |known| known.follower = Arc::clone(&follower));
    Ok(Follower::clone(&follower))
}

/// Ends a follower, with its place and its letters.
pub fn remove(views: &Views, id: FollowerId) -> Result<(), AdminError> {
    {
        let _one_at_a_time = views.book.settling.lock();
        let follower = there(views.book.known(id)).map_err(|_| unknown())?.follower;
        let state = &views.state;
        let mut batch = state.batch();
        for letter in letters::all(views, &follower, None) {
            let letter = letter.map_err(|error| failed(&error))?;
            batch.remove(&state.followers, letter_key(follower.workspace, id, letter.id));
        }
        batch.remove(&state.followers, follower_key(follower.workspace, id));
        batch.remove(&state.followers, place_key(follower.workspace, id));
        batch.commit().map_err(|error| failed(&error))?;
        views.book.strike(id);
    }
    views.book.trim(&views.names);
    Ok(())
}
