//! What only comes from writing records: leaving a parent, custom objects, NPS responses and how they count.

use muster_model::{
    kind::RecordKind::{Account, CustomObject, Instance, NpsResponse, Organization, User},
    profile::Profile,
};

use super::{
    Desk, Pace, Subject,
    desk::children,
    phrases::{account_of, joins, joins_organization, leaves},
};
use crate::profiles::Children;

/// `members` leave something, in the words of a message.
fn leave(members: &str, day: u32) -> String {
    format!(r#"{{"type":"leave",{members},"timestamp":"2024-01-{day:02}"}}"#)
}

/// `user` gives a score in `response`, on a day of February.
fn scores(response: &str, user: &str, score: &str, answered: u32, day: u32) -> String {
    format!(
        r#"{{"type":"npsresponse","externalId":"{response}","userId":"{user}","timestamp":"2024-01-{day:02}","traits":{{"score":{score},"respondedAt":"2024-02-{answered:02}"}}}}"#
    )
}

/// Detractors, passives, promoters.
fn counts(profile: &Profile) -> [u32; 3] {
    let tally = match (profile.as_account(), profile.as_organization()) {
        (Some(account), _) => account.nps,
        (None, Some(organization)) => organization.nps,
        (None, None) => panic!("{profile:?} counts nobody"),
    };
    [tally.detractors, tally.passives, tally.promoters]
}

/// The latest statement about a user and an organization stands, and so does the one about an account.
pub async fn whoever_leaves_an_organization_is_out_of_it<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let standing = async |desk: &Desk<'_, S>| {
        let profile = desk.profile(User, "u").await;
        let user = profile.as_user().expect("a user's profile has a user's body");
        user.organizations.standing().len()
    };
    desk.send(&[leave(r#""userId":"u","organizationId":"o""#, 5), joins_organization("u", "o", 4)]).await;
    assert_eq!(standing(&desk).await, 0);
    desk.send(&[joins_organization("u", "o", 6)]).await;
    assert_eq!(standing(&desk).await, 1);
    let organization = async |desk: &Desk<'_, S>| {
        let profile = desk.profile(Account, "a").await;
        let parent = profile.as_account().and_then(|account| account.parent());
        parent.map(|parent| parent.external_id.as_ref().to_owned())
    };
    desk.send(&[account_of("a", "o", 3), leave(r#""accountId":"a","organizationId":"o""#, 5)]).await;
    desk.send(&[account_of("a", "p", 4)]).await;
    assert_eq!(organization(&desk).await, None);
    desk.send(&[account_of("a", "p", 6)]).await;
    assert_eq!(organization(&desk).await.as_deref(), Some("p"));
    for (name, count) in [("o", 0), ("p", 1)] {
        let profile = desk.profile(Organization, name).await;
        assert_eq!(profile.as_organization().map(|one| one.accounts_count), Some(count), "{name}");
    }
}

/// By its name or by the UUID that follows from it, whichever came first; its instances are found from it.
pub async fn a_custom_object_has_one_name<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let id = desk.ids().custom_object("deals");
    let uuid = id.to_string().to_uppercase();
    let instance = |object: &str, fields: &str, day: u32| {
        format!(
            r#"{{"type":"customobjectinstance","externalId":"x","customObjectId":"{object}",{fields},"timestamp":"2024-01-{day:02}"}}"#
        )
    };
    desk.send(&[instance(&uuid, r#""accountId":"a""#, 1)]).await;
    assert_eq!(desk.find_id(CustomObject, id).await.expect("it was named").external_id.as_ref(), id.to_string());
    desk.send(&[
        r#"{"type":"customobject","customObjectId":"deals","timestamp":"2024-01-02","traits":{"label":"Deal"}}"#,
    ])
    .await;
    desk.send(&[instance(&uuid, r#""organizationId":"o""#, 3)]).await;
    let object = desk.find_id(CustomObject, id).await.expect("it was named");
    assert_eq!((object.external_id.as_ref(), object.traits.get("label")), ("deals", Some("\"Deal\"")));
    let of_object = children(desk.store(), desk.workspace().id, Children::of((CustomObject, id), Instance)).await;
    assert_eq!(of_object, [desk.ids().instance("deals", "x")]);
    desk.send(&[leave(r#""externalId":"x","customObjectId":"deals","accountId":"a""#, 4)]).await;
    desk.send(&[instance("deals", r#""accountId":"b""#, 2)]).await;
    let found = desk.find_id(Instance, desk.ids().instance("deals", "x")).await.expect("it was named");
    let parents = found.as_instance().map(|one| (one.account().cloned(), one.organization().is_some()));
    assert_eq!(parents, Some((None, true)));
}

/// Of one user the answer given last, whenever it is heard; one that is withdrawn gives way to the one before.
pub async fn the_last_answer_of_a_user_counts<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1)]).await;
    desk.send(&[scores("r", "u", "9", 5, 1)]).await;
    desk.send(&[scores("q", "u", "2", 3, 2)]).await;
    assert_eq!(counts(&*desk.profile(Account, "a").await), [0, 0, 1]);
    desk.send(&[scores("r", "u", "7", 5, 3)]).await;
    assert_eq!(counts(&*desk.profile(Account, "a").await), [0, 1, 0]);
    desk.send(&[scores("r", "u", "null", 5, 4)]).await;
    assert_eq!(counts(&*desk.profile(Account, "a").await), [1, 0, 0]);
    desk.send(&[scores("q", "v", "2", 3, 5), joins("v", "b", 1)]).await;
    assert_eq!(counts(&*desk.profile(Account, "a").await), [0, 0, 0]);
    assert_eq!(counts(&*desk.profile(Account, "b").await), [1, 0, 0]);
    let last = async |desk: &Desk<'_, S>, user: &str| {
        let profile = desk.profile(User, user).await;
        profile.as_user().and_then(|user| user.nps.last).map(|last| last.score)
    };
    assert_eq!((last(&desk, "u").await, last(&desk, "v").await), (None, Some(2)));
    let parent = [desk.children((Account, "a"), NpsResponse).await, desk.children((User, "u"), NpsResponse).await];
    assert_eq!(parent.map(|responses| responses.len()), [2, 2], "who ever answered is found from its parents");
}

/// A user counts once in an organization, by however many ways, as long as one is left.
pub async fn counts_of_answers_follow_links_and_accounts<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let of = async |desk: &Desk<'_, S>, name: &str| counts(&*desk.profile(Organization, name).await);
    desk.send(&[scores("r", "u", "10", 1, 1), joins("u", "a", 1), joins("u", "b", 1)]).await;
    desk.send(&[account_of("a", "o", 2), account_of("b", "o", 2), joins_organization("u", "o", 2)]).await;
    assert_eq!(of(&desk, "o").await, [0, 0, 1]);
    desk.send(&[leaves("u", "a", 3), account_of("b", "p", 3)]).await;
    assert_eq!((of(&desk, "o").await, of(&desk, "p").await), ([0, 0, 1], [0, 0, 1]));
    desk.send(&[leave(r#""userId":"u","organizationId":"o""#, 4)]).await;
    assert_eq!((of(&desk, "o").await, of(&desk, "p").await), ([0, 0, 0], [0, 0, 1]));
    desk.send(&[leave(r#""accountId":"b","organizationId":"p""#, 5)]).await;
    assert_eq!(of(&desk, "p").await, [0, 0, 0]);
    assert_eq!(counts(&*desk.profile(Account, "b").await), [0, 0, 1]);
    desk.send(&[joins("u", "a", 6)]).await;
    assert_eq!(of(&desk, "o").await, [0, 0, 1], "the account is still there");
}
