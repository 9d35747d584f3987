//! Workspaces and keys.

use std::sync::Arc;

use muster_model::time::Micros;

use super::{
    Desk, Pace, Subject,
    desk::{START, token_hash},
};
use crate::{
    credentials::{Credentials, Key, NewKey, Scopes},
    error::AdminError,
};

fn new_key(workspace: &str, name: &str, at: i64) -> NewKey {
    NewKey {
        workspace_name: workspace.to_owned(),
        name: name.to_owned(),
        scopes: Scopes::READ.union(Scopes::WRITE),
        token_hash: token_hash(name),
        created_at: START.plus_micros(at),
    }
}

/// Makes a key and lets the store pause.
async fn create<S: Subject>(desk: &mut Desk<'_, S>, new: NewKey) -> Arc<Key> {
    let key = desk.store().create_key(new).await.expect("a key with a new token can be made");
    desk.pause().await;
    key
}

/// Everything about the key is what it was made of.
pub async fn a_key_opens_its_workspace<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    assert_eq!(desk.store().authenticate(&token_hash("k")), None);
    let made = create(&mut desk, new_key("shop", "k", 5)).await;
    assert_eq!((made.name.as_str(), made.workspace.name.as_str()), ("k", "shop"));
    assert_eq!((made.created_at, made.workspace.created_at), (START.plus_micros(5), START.plus_micros(5)));
    assert_eq!((made.scopes, made.revoked_at), (Scopes::READ.union(Scopes::WRITE), None));
    assert_eq!(desk.store().authenticate(&token_hash("k")).as_ref(), Some(&made));
    assert_eq!(desk.store().authenticate(&token_hash("K")), None);
    assert_eq!(desk.store().authenticate(&[0; 32]), None);
    assert_eq!(desk.store().live_key(made.id), Some((made, token_hash("k"))));
    assert_eq!(desk.store().live_key(u64::MAX), None);
}

/// A workspace is made once, by the first key that names it.
pub async fn keys_of_one_name_share_a_workspace<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let first = create(&mut desk, new_key("shop", "k1", 1)).await;
    let second = create(&mut desk, new_key("shop", "k2", 2)).await;
    let third = create(&mut desk, new_key("bank", "k3", 3)).await;
    assert_eq!(first.workspace, second.workspace);
    assert_ne!(first.workspace.id, third.workspace.id);
    assert_ne!(first.id, second.id);
    let names: Vec<String> = desk.store().workspaces().into_iter().map(|workspace| workspace.name).collect();
    assert_eq!(names, ["default", "shop", "bank"], "oldest first");
}

/// Not even a key of another workspace, or one that was ended, gives its token away.
pub async fn a_token_has_one_key<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let made = create(&mut desk, new_key("shop", "k", 1)).await;
    for workspace in ["shop", "bank"] {
        let again = desk.store().create_key(new_key(workspace, "k", 2)).await;
        assert!(matches!(again, Err(AdminError::Exists(_))), "{again:?}");
    }
    desk.store().revoke_key(made.id, START).await.expect("a key that exists can be ended");
    desk.pause().await;
    let again = desk.store().create_key(new_key("shop", "k", 3)).await;
    assert!(matches!(again, Err(AdminError::Exists(_))), "{again:?}");
    assert!(desk.store().workspaces().iter().all(|workspace| workspace.name != "bank"), "nothing of it was made");
}

/// From the moment the answer is there, and for ever.
pub async fn a_revoked_key_opens_nothing<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let made = create(&mut desk, new_key("shop", "k", 1)).await;
    let other = create(&mut desk, new_key("shop", "l", 2)).await;
    let ended = desk.store().revoke_key(made.id, Micros(9)).await.expect("a key that exists can be ended");
    assert_eq!((ended.id, ended.revoked_at), (made.id, Some(Micros(9))));
    assert_eq!(desk.store().authenticate(&token_hash("k")), None);
    desk.pause().await;
    assert_eq!(desk.store().authenticate(&token_hash("k")), None);
    assert_eq!(desk.store().authenticate(&token_hash("l")).as_ref(), Some(&other));
    assert_eq!(desk.store().live_key(made.id), None);
    assert_eq!(desk.store().live_key(other.id), Some((other, token_hash("l"))));
    let again = desk.store().revoke_key(made.id, Micros(11)).await.expect("ending a key twice changes nothing");
    assert_eq!(again, ended);
    let unknown = desk.store().revoke_key(u64::MAX, Micros(9)).await;
    assert!(matches!(unknown, Err(AdminError::NotFound(_))), "{unknown:?}");
}

/// A workspace's name stands in paths and file names.
pub async fn names_are_checked<S: Subject>(subject: &S, pace: Pace) {
    let desk = Desk::open(subject, pace).await;
    for name in ["", "Shop", "a b", "a/b", "..", &"x".repeat(65), "ö"] {
        let refused = desk.store().create_key(new_key(name, "k", 1)).await;
        assert!(matches!(refused, Err(AdminError::Invalid(_))), "{name}: {refused:?}");
    }
    assert_eq!(desk.store().workspaces().len(), 1, "nothing was made");
    assert_eq!(desk.store().authenticate(&token_hash("k")), None);
    let fits = desk.store().create_key(new_key(&"x".repeat(64), "k", 1)).await;
    assert!(fits.is_ok(), "{fits:?}");
}

/// Revoked ones at their place, more than a few of them.
pub async fn all_are_listed_from_old_to_new<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let mut expected: Vec<Arc<Key>> = desk.store().keys();
    assert_eq!(expected.len(), 1, "the desk's own");
    for n in 0..12 {
        let workspace = ["shop", "bank", "mill"][n % 3];
        expected.push(create(&mut desk, new_key(workspace, &format!("k{n}"), n as i64)).await);
    }
    for at in [5, 1, 12] {
        expected[at] = desk.store().revoke_key(expected[at].id, Micros(7)).await.expect("a key can be ended");
    }
    desk.pause().await;
    assert_eq!(desk.store().keys(), expected);
    let names: Vec<String> = desk.store().workspaces().into_iter().map(|workspace| workspace.name).collect();
    assert_eq!(names, ["default", "shop", "bank", "mill"]);
}
