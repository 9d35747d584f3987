//! Followers through the seam.

use std::sync::Arc;

use muster_model::id::WorkspaceId;
use muster_store::{
    Answer,
    error::{AdminError, ReadError},
    follow::{
        Follower, FollowerId, Followers, Following, LetterId, LetterPage, NewFollower, gone, unknown, unknown_letter,
    },
};

use super::{
    change,
    following::Follow,
    letters::{self, Order},
};
use crate::{Embedded, views::Views};

impl Embedded {
    fn order(&self, id: FollowerId, letter: Option<LetterId>, order: Order) -> Answer<'_, u64, AdminError> {
        let views = Arc::clone(&self.views);
        self.admin(move |_| {
            let follower = views.book.known(id).ok_or_else(unknown)?.follower;
            let count = letters::order(&views, &follower, letter, order);
            let count = count.map_err(|error| AdminError::Failed(error.to_string()))?;
            if letter.is_some() && count == 0 {
                return Err(unknown_letter());
            }
            if order == Order::Resend {
                views.book.wake(id);
            }
            Ok(count)
        })
    }
}

/// Fails while somebody takes everything over, who has been told of the followers that there are.
fn check_not_held(views: &Views) -> Result<(), AdminError> {
    if views.book.is_held() {
        let says = "everything is being moved elsewhere; destinations are changed when that is done";
        return Err(AdminError::Busy(says.to_owned()));
    }
    Ok(())
}

impl Followers for Embedded {
    fn followers(&self) -> Vec<Follower> {
        self.views.book.all().iter().map(|known| Follower::clone(&known.follower)).collect()
    }

    fn add_follower(&self, new: NewFollower) -> Answer<'_, Follower, AdminError> {
        let views = Arc::clone(&self.views);
        self.admin(move |registry| {
            check_not_held(&views)?;
            let workspace = registry.workspace(new.workspace).map(|workspace| workspace.id);
            change::add(&views, workspace, new)
        })
    }

    fn change_follower(&self, id: FollowerId, settings: Vec<u8>) -> Answer<'_, Follower, AdminError> {
        let views = Arc::clone(&self.views);
        self.admin(move |_| check_not_held(&views).and_then(|()| change::change(&views, id, settings)))
    }

    fn remove_follower(&self, id: FollowerId) -> Answer<'_, (), AdminError> {
        let views = Arc::clone(&self.views);
        self.admin(move |_| check_not_held(&views).and_then(|()| change::remove(&views, id)))
    }

    fn follow(&self, id: FollowerId) -> Result<Box<dyn Following>, ReadError> {
        Ok(Box::new(Follow::new(Arc::clone(&self.views), id)?))
    }

    fn wake_follower(&self, id: FollowerId) {
        self.views.book.wake(id);
    }

    fn accepted(&self, workspace: WorkspaceId) -> u64 {
        self.views.book.accepted(workspace)
    }

    fn letter_count(&self, id: FollowerId) -> u64 {
        self.views.book.known(id).map_or(0, |known| known.letters)
    }

    fn letters(&self, id: FollowerId, after: Option<LetterId>, limit: usize) -> Answer<'_, LetterPage, ReadError> {
        self.blocking(move |reader| {
            let follower = reader.views.book.known(id).ok_or_else(gone)?.follower;
            letters::page(&reader.views, &follower, after, limit)
        })
    }

    fn resend_letters(&self, id: FollowerId, letter: Option<LetterId>) -> Answer<'_, u64, AdminError> {
        self.order(id, letter, Order::Resend)
    }

    fn drop_letters(&self, id: FollowerId, letter: Option<LetterId>) -> Answer<'_, u64, AdminError> {
        self.order(id, letter, Order::Drop)
    }
}
