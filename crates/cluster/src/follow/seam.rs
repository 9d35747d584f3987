//! Followers through the seam.

use std::sync::Arc;

use muster_model::id::WorkspaceId;
use muster_store::{
    Answer,
    error::{AdminError, ReadError},
    follow::{
        Follower, FollowerId, Followers, Following, LetterId, LetterPage, NewFollower, Start, check_new,
        check_settings, gone, unknown, unknown_letter,
    },
};

use super::{
    following::Follow,
    letters::{self, Order},
};
use crate::{
    cluster::{Cluster, Inner},
    fault::Fault,
    fold::census::Census,
    registry::{change, held::Held},
    sql::{
        connection::{Connection, Mode, Transaction},
        values::At,
    },
    stream::told::{Told, Whom},
};

/// Numbers of followers are those of no workspace.
const NUMBER: &str = "insert into counter (workspace, name, last) values (0, 'follower', 1)
    on conflict (workspace, name) do update set last = counter.last + 1 returning last";
const ADD: &str =
    "insert into follower (id, workspace, name, settings, created_at, place) values ($1, $2, $3, $4, $5, $6)";

impl Inner {
    pub(super) fn follower(&self, id: FollowerId) -> Option<Follower> {
        self.registry.held().followers.iter().find(|follower| follower.id == id).cloned()
    }
}

impl Cluster {
    fn order(&self, id: FollowerId, letter: Option<LetterId>, order: Order) -> Answer<'_, u64, AdminError> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let follower = inner.follower(id).ok_or_else(unknown)?;
            let act = move |connection: &mut Connection| {
                let mut transaction = connection.begin(Mode::Write, Some(follower.workspace))?;
                let count = letters::order(&mut transaction, &follower, letter, order)?;
                transaction.commit()?;
                Ok(count)
            };
            let count = inner.pool.ask(act).await?.ok_or_else(unknown)?;
            if letter.is_some() && count == 0 {
                return Err(unknown_letter());
            }
            if order == Order::Resend {
                wake_everywhere(&inner, id);
            }
            Ok(count)
        })
    }
}

/// Ends a follower's wait, whichever node it waits on.
fn wake_everywhere(inner: &Arc<Inner>, id: FollowerId) {
    inner.bells.ring(id);
    let (stream, told) = (inner.stream.clone(), Told::Woken { follower: id.0 }.encode());
    // Whoever misses it looks again after its wait.
    inner.handle.spawn(async move { stream.tell(Whom::All, told).await });
}

fn add(
    held: &Held,
    transaction: &mut Transaction<'_>,
    new: &NewFollower,
) -> Result<Result<Follower, AdminError>, Fault> {
    let id: i64 = transaction.query_one(NUMBER, &[])?.get(0);
    let NewFollower { workspace, name, settings, start, created_at } = new.clone();
    if held.workspace(workspace).is_none() {
        return Ok(Err(AdminError::NotFound("there is no such workspace".to_owned())));
    }
    if let Err(refused) = check_new(&held.followers, new) {
        return Ok(Err(refused));
    }
    let place = match start {
        Start::Now => Census::look(transaction, workspace)?.unwrap_or_default().arrived,
        Start::Beginning => 0,
    };
    transaction.execute(ADD, &[&id, &(workspace.0 as i32), &name, &settings, &At(created_at), &place])?;
    Ok(Ok(Follower { id: FollowerId(id as u64), workspace, name, settings, created_at }))
}

impl Followers for Cluster {
    fn followers(&self) -> Vec<Follower> {
        self.inner.registry.held().followers.clone()
    }

    fn add_follower(&self, new: NewFollower) -> Answer<'_, Follower, AdminError> {
        Box::pin(async move {
            let add = move |held: &Held, transaction: &mut Transaction<'_>| add(held, transaction, &new)?;
            change(&self.inner.pool, Arc::clone(&self.inner.registry), add).await
        })
    }

    fn change_follower(&self, id: FollowerId, settings: Vec<u8>) -> Answer<'_, Follower, AdminError> {
        Box::pin(async move {
            check_settings(&settings)?;
            let alter = move |held: &Held, transaction: &mut Transaction<'_>| {
                let known = held.followers.iter().find(|follower| follower.id == id).ok_or_else(unknown)?;
                transaction.execute("update follower set settings = $2 where id = $1", &[&(id.0 as i64), &settings])?;
                Ok(Follower { settings: settings.clone(), ..known.clone() })
            };
            change(&self.inner.pool, Arc::clone(&self.inner.registry), alter).await
        })
    }

    fn remove_follower(&self, id: FollowerId) -> Answer<'_, (), AdminError> {
        Box::pin(async move {
            let remove = move |_: &Held, transaction: &mut Transaction<'_>| {
                // Its letters go with it.
                match transaction.execute("delete from follower where id = $1", &[&(id.0 as i64)])? {
                    0 => Err(unknown()),
                    _ => Ok(()),
                }
            };
            change(&self.inner.pool, Arc::clone(&self.inner.registry), remove).await?;
            // Whoever waits for it finds that it is gone.
            wake_everywhere(&self.inner, id);
            let registry = self.inner.registry.held();
            self.inner.bells.retain(|id| registry.followers.iter().any(|follower| follower.id == id));
            Ok(())
        })
    }

    fn follow(&self, id: FollowerId) -> Result<Box<dyn Following>, ReadError> {
        let follower = self.inner.follower(id).ok_or_else(gone)?;
        Ok(Box::new(Follow::new(Arc::clone(&self.inner), follower)?))
    }

    fn wake_follower(&self, id: FollowerId) {
        if self.inner.follower(id).is_some() {
            wake_everywhere(&self.inner, id);
        }
    }

    fn accepted(&self, workspace: WorkspaceId) -> u64 {
        // By whichever node they came: what is pending is counted from it.
        self.inner.counters.census(workspace).arrived as u64
    }

    fn letter_count(&self, id: FollowerId) -> u64 {
        let Some(follower) = self.inner.follower(id) else { return 0 };
        let workspace = follower.workspace;
        let count = move |transaction: &mut Transaction<'_>| letters::count(transaction, &follower);
        let counted = self.inner.wait_for(self.inner.pool.read(workspace, count));
        // A number to show; whoever reads the letters hears what is wrong.
        counted.and_then(|counted| counted).unwrap_or(0)
    }

    fn letters(&self, id: FollowerId, after: Option<LetterId>, limit: usize) -> Answer<'_, LetterPage, ReadError> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let workspace = inner.follower(id).ok_or_else(gone)?.workspace;
            let read =
                move |transaction: &mut Transaction<'_>| letters::page(transaction, (workspace, id), after, limit);
            Ok(inner.pool.read(workspace, read).await?)
        })
    }

    fn resend_letters(&self, id: FollowerId, letter: Option<LetterId>) -> Answer<'_, u64, AdminError> {
        self.order(id, letter, Order::Resend)
    }

    fn drop_letters(&self, id: FollowerId, letter: Option<LetterId>) -> Answer<'_, u64, AdminError> {
        self.order(id, letter, Order::Drop)
    }
}
