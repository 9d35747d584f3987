//! Teams.

use super::{Desk, Pace, Subject, desk::START};
use crate::{
    credentials::Scopes,
    error::AdminError,
    team::{Member, NewMember, PasswordHash, SignIn, Teams},
};

async fn add<S: Subject>(desk: &Desk<'_, S>, name: &str, email: &str, second: i64) -> Result<Member, AdminError> {
    let added_at = START.plus_micros(second);
    let new = NewMember { name: name.to_owned(), email: email.to_owned(), added_at };
    desk.store().add_member(desk.workspace().id, new).await
}

fn emails<S: Subject>(desk: &Desk<'_, S>) -> Vec<String> {
    desk.store().team(desk.workspace().id).into_iter().map(|member| member.email).collect()
}

/// Members are listed from old to new, until they are removed; who comes back has the same id.
pub async fn members_come_and_go<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    assert!(emails(&desk).is_empty());
    let ada = add(&desk, "Ada", "Ada@example.com", 2).await.expect("she is new");
    add(&desk, "", "bea@example.com", 1).await.expect("a name may be empty");
    desk.pause().await;
    assert_eq!(emails(&desk), ["bea@example.com", "Ada@example.com"]);
    let removed = desk.store().remove_member(desk.workspace().id, ada.id).await;
    assert_eq!(removed, Ok(ada.clone()));
    desk.pause().await;
    assert_eq!(emails(&desk), ["bea@example.com"]);
    let again = desk.store().remove_member(desk.workspace().id, ada.id).await;
    assert!(matches!(again, Err(AdminError::NotFound(_))), "{again:?}");
    let back = add(&desk, "Ada L.", "ada@example.com", 3).await.expect("she was removed");
    assert_eq!(back.id, ada.id);
    desk.pause().await;
    assert_eq!(desk.store().team(desk.workspace().id)[1], back);
}

/// How a member signs in is kept until it is said anew, and goes with the member.
pub async fn members_sign_in<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let ada = add(&desk, "Ada", "ada@example.com", 1).await.expect("she is new");
    let bea = add(&desk, "Bea", "bea@example.com", 2).await.expect("she is new");
    assert_eq!((&ada.sign_in, &bea.sign_in), (&None, &None));
    let way = |text: &str| Some(SignIn { password: PasswordHash(text.to_owned()), scopes: Scopes::READ });
    for sign_in in [way("one"), way("two"), None, way("three")] {
        let workspace = desk.workspace().id;
        let changed = desk.store().set_sign_in(workspace, ada.id, sign_in.clone()).await.expect("she is listed");
        assert_eq!(changed, Member { sign_in, ..ada.clone() });
        desk.pause().await;
        assert_eq!(desk.store().team(workspace), [changed, bea.clone()]);
    }
    let other = desk.workspace().id;
    desk.enter("other").await;
    let elsewhere = desk.store().set_sign_in(desk.workspace().id, ada.id, None).await;
    assert!(matches!(elsewhere, Err(AdminError::NotFound(_))), "{elsewhere:?}");
    desk.store().remove_member(other, ada.id).await.expect("she is listed");
    desk.enter("default").await;
    let back = add(&desk, "Ada", "ada@example.com", 3).await.expect("she was removed");
    assert_eq!(back.sign_in, None);
}

/// One address is one member; what is no address is refused.
pub async fn addresses_are_checked<S: Subject>(subject: &S, pace: Pace) {
    let desk = Desk::open(subject, pace).await;
    add(&desk, "Ada", "ada@example.com", 1).await.expect("she is new");
    let twice = add(&desk, "Ada", "ADA@example.com", 2).await;
    assert!(matches!(twice, Err(AdminError::Exists(_))), "{twice:?}");
    for wrong in ["", "ada", "@example.com", "ada@", "a da@example.com", "a\n@b"] {
        let refused = add(&desk, "", wrong, 1).await;
        assert!(matches!(refused, Err(AdminError::Invalid(_))), "{wrong:?}: {refused:?}");
    }
    let refused = add(&desk, &"x".repeat(201), "b@example.com", 1).await;
    assert!(matches!(refused, Err(AdminError::Invalid(_))), "{refused:?}");
    assert_eq!(emails(&desk), ["ada@example.com"]);
}

/// Each workspace has a team of its own.
pub async fn workspaces_have_teams_of_their_own<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let ada = add(&desk, "Ada", "ada@example.com", 1).await.expect("she is new");
    desk.enter("other").await;
    assert!(emails(&desk).is_empty());
    let other = desk.store().remove_member(desk.workspace().id, ada.id).await;
    assert!(matches!(other, Err(AdminError::NotFound(_))), "{other:?}");
    let theirs = add(&desk, "Ada", "ada@example.com", 1).await.expect("another workspace's");
    assert_ne!(theirs.id, ada.id);
    desk.enter("default").await;
    assert_eq!(emails(&desk), ["ada@example.com"]);
    let nowhere = muster_model::id::WorkspaceId(4_000);
    let new = NewMember { name: String::new(), email: "a@b".to_owned(), added_at: START };
    let refused = desk.store().add_member(nowhere, new).await;
    assert!(matches!(refused, Err(AdminError::NotFound(_))), "{refused:?}");
}
