//! Messages set aside. How long they are kept is each store's own setting, and tested there.

use muster_model::{
    kind::Kind,
    rejection::{Code, Rejection},
    time::Micros,
};

use super::{Desk, Pace, Subject};
use crate::{
    error::ReadError,
    refused::{Refusals, Refused, RefusedCursor, RefusedId, Way},
};

fn rejection() -> Rejection {
    Rejection::new(Code::UserNeedsParent, "/accountId", "send the account the user belongs to")
}

async fn set_aside<S: Subject>(desk: &mut Desk<'_, S>, bodies: &[String]) {
    let (rejection, now) = (rejection(), desk.now());
    let mut batch = desk.batch();
    for body in bodies {
        batch.refused(&Refused::new(&rejection, Way::Batch, 3, now, body.as_bytes()));
    }
    desk.append(batch.build()).await;
}

async fn read<S: Subject>(desk: &Desk<'_, S>, id: RefusedId) -> Result<Option<Refused<'static>>, ReadError> {
    desk.store().refused_message(desk.workspace().id, id).await
}

/// Several of one time, several times, several batches.
pub async fn pages_run_from_new_to_old<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    assert_eq!(desk.refused(5).await, []);
    let mut all = Vec::new();
    for second in [5, 1, 9, 5, 1] {
        desk.set_clock(second);
        let bodies: Vec<String> = (0..5).map(|n| format!("{{\"n\":{}}}", all.len() + n)).collect();
        all.extend(bodies.iter().map(|body| (desk.now(), RefusedId::of_body(Way::Batch, body.as_bytes()))));
        set_aside(&mut desk, &bodies).await;
    }
    all.sort();
    all.reverse();
    for limit in [1, 2, 5, 24, 25, 26] {
        let found: Vec<(Micros, RefusedId)> =
            desk.refused(limit).await.iter().map(|refused| (refused.received_at, refused.id)).collect();
        assert_eq!(found, all, "pages of {limit}");
    }
    // A place in the list need not be a message's.
    let from = Some(RefusedCursor { received_at: all[4].0, id: RefusedId(0) });
    let page = desk.store().refused(desk.workspace().id, from, 100).await.expect("any place can be read from");
    assert_eq!(page.refused.len(), all.iter().filter(|(at, _)| *at < all[4].0).count());
    assert_eq!(page.next, None);
    for dropped in [0, 12, 24] {
        let mut batch = desk.batch();
        batch.forget(all[dropped].1);
        desk.append(batch.build()).await;
    }
    let left: Vec<RefusedId> = desk.refused(4).await.iter().map(|refused| refused.id).collect();
    let expected: Vec<RefusedId> = (0..25).filter(|n| ![0, 12, 24].contains(n)).map(|n| all[n].1).collect();
    assert_eq!(left, expected);
}

/// The same as in the list; nothing for an id that nothing has.
pub async fn one_is_read_by_its_id<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    set_aside(&mut desk, &["{}".to_owned(), "[]".to_owned()]).await;
    for refused in desk.refused(10).await {
        assert_eq!(read(&desk, refused.id).await, Ok(Some(refused)));
    }
    assert_eq!(read(&desk, RefusedId(0)).await, Ok(None));
    assert_eq!(read(&desk, RefusedId(u128::MAX)).await, Ok(None));
}

/// Every field, and a body that is no text at all.
pub async fn bytes_are_kept_as_they_came<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let (rejection, now) = (rejection(), desk.now());
    let large = vec![b'x'; 300_000];
    let bodies: [&[u8]; 4] = [b"{\"a\":\"\xff\xfe\"}", b"", b"\0\n\"", &large];
    let ways = [Way::Batch, Way::Segment, Way::Kind(Kind::CustomObjectInstance), Way::Kind(Kind::Track)];
    let mut sent = Vec::new();
    let mut batch = desk.batch();
    for (number, (body, way)) in bodies.into_iter().zip(ways).enumerate() {
        let refused = Refused::new(&rejection, way, u64::MAX - number as u64, now, body);
        batch.refused(&refused);
        sent.push(refused.into_owned());
    }
    desk.append(batch.build()).await;
    for refused in &sent {
        assert_eq!(read(&desk, refused.id).await.as_ref(), Ok(&Some(refused.clone())));
    }
    sent.sort_by_key(|refused| std::cmp::Reverse((refused.received_at, refused.id)));
    assert_eq!(desk.refused(3).await, sent);
}

/// A sender that repeats its mistake does not fill the list. The path a body came by is part of what it is.
pub async fn the_same_bytes_again_are_kept_once<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let first = desk.now();
    let mut twice = desk.batch();
    let rejection = rejection();
    for way in [Way::Batch, Way::Batch, Way::Kind(Kind::User), Way::Segment] {
        twice.refused(&Refused::new(&rejection, way, 3, first, b"{}"));
    }
    desk.append(twice.build()).await;
    assert_eq!(desk.refused(10).await.len(), 3);
    set_aside(&mut desk, &["{}".to_owned()]).await;
    let kept = read(&desk, RefusedId::of_body(Way::Batch, b"{}")).await.expect("it can be read").expect("it is there");
    assert_eq!(kept.received_at, first, "the first one stays");
    assert_eq!(desk.refused(10).await.len(), 3);
}

/// Neither in the list nor by id.
pub async fn workspaces_do_not_see_each_others<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    set_aside(&mut desk, &["{}".to_owned()]).await;
    let id = RefusedId::of_body(Way::Batch, b"{}");
    desk.enter("other").await;
    assert_eq!(desk.refused(10).await, []);
    assert_eq!(read(&desk, id).await, Ok(None));
    set_aside(&mut desk, &["{}".to_owned(), "[]".to_owned()]).await;
    assert_eq!(desk.refused(10).await.len(), 2);
    let mut batch = desk.batch();
    batch.forget(id);
    desk.append(batch.build()).await;
    desk.enter("default").await;
    assert_eq!(desk.refused(10).await.len(), 1);
    assert!(read(&desk, id).await.is_ok_and(|found| found.is_some()));
}
