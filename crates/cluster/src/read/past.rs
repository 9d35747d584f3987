//! What was said of a trait, and what was true of a record at an instant.

use std::sync::Arc;

use muster_model::{
    association::resolve,
    id::{RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    profile::{Profile, Span},
    time::Micros,
};
use muster_store::{
    Answer,
    error::ReadError,
    history::EventCursor,
    past::{Past, TraitPage, TraitQuery, TraitStatement, fold::Fold},
    record,
};
use postgres::types::ToSql;

use super::book::Book;
use crate::{
    cluster::Cluster,
    fault::Fault,
    sql::values::{At, Id},
};

/// Messages that one page looks at before it ends early.
const LOOKED_AT_MAX: i64 = 20_000;

/// The column and the kinds of messages that tell of records of a kind.
fn told(kind: RecordKind) -> Option<(&'static str, &'static str)> {
    match kind {
        RecordKind::Organization => Some(("organization", "kind = 1")),
        RecordKind::Account => Some(("account", "kind in (2, 9)")),
        RecordKind::User => Some(("user_id", "kind in (3, 5, 9)")),
        RecordKind::Instance | RecordKind::CustomObject | RecordKind::NpsResponse | RecordKind::Anonymous => None,
    }
}

const _: () = assert!(
    Kind::Organization as u8 == 1
        && Kind::Account as u8 == 2
        && Kind::User as u8 == 3
        && Kind::Unlink as u8 == 5
        && Kind::Leave as u8 == 9
);

impl Past for Cluster {
    fn trait_history(&self, workspace: WorkspaceId, query: TraitQuery) -> Answer<'_, TraitPage, ReadError> {
        self.with_book(workspace, move |book| statements(book, &query))
    }

    fn as_of(
        &self,
        workspace: WorkspaceId,
        subject: (RecordKind, RecordId),
        at: Micros,
    ) -> Answer<'_, Option<Arc<Profile>>, ReadError> {
        self.with_book(workspace, move |book| as_of(book, subject, at))
    }
}

fn statements(book: &Book<'_, '_>, query: &TraitQuery) -> Result<TraitPage, Fault> {
    let (mut found, limit) = (Vec::new(), query.limit.max(1));
    let Some((column, kinds)) = told(query.subject.0) else { return Ok(TraitPage { statements: found, next: None }) };
    let sql = format!(
        "select record from message where workspace = $1 and {column} = $2 and {kinds} and (ordered_at, identity) < ($3, $4)
            order by ordered_at desc, identity desc limit $5"
    );
    let from =
        query.from.unwrap_or(EventCursor { timestamp: Micros::MAX, identity: muster_model::id::Identity(u128::MAX) });
    let (workspace, id) = (book.workspace(), Id::from(query.subject.1));
    let params: [&(dyn ToSql + Sync); 5] =
        [&workspace, &id, &At(from.timestamp), &Id::from(from.identity), &LOOKED_AT_MAX];
    let (mut looked_at, mut last) = (0, None);
    let (mut next, mut failed) = (None, Ok(()));
    book.transaction().each(&sql, &params, |row| {
        looked_at += 1;
        let bytes: &[u8] = row.get(0);
        let message = match record::decode(bytes) {
            Ok(message) => message,
            Err(fault) => {
                failed = Err(fault);
                return Ok(false);
            }
        };
        last = Some(EventCursor { timestamp: message.ordered_at(), identity: message.identity });
        if let Some(statement) = TraitStatement::of(&message, query.subject, &query.key) {
            if found.len() == limit {
                next = found.last().map(TraitStatement::place);
                return Ok(false);
            }
            found.push(statement);
        }
        Ok(true)
    })?;
    failed?;
    if next.is_none() && looked_at == LOOKED_AT_MAX {
        next = last;
    }
    Ok(TraitPage { statements: found, next })
}

fn as_of(book: &Book<'_, '_>, (kind, id): (RecordKind, RecordId), at: Micros) -> Result<Option<Arc<Profile>>, Fault> {
    let (Some(now), Some((column, kinds))) = (book.profile_of((kind, id))?, told(kind)) else { return Ok(None) };
    if now.first_known > at {
        return Ok(None);
    }
    let sql = format!(
        "select record from message where workspace = $1 and {column} = $2 and {kinds} and ordered_at <= $3
            order by ordered_at, identity"
    );
    let (workspace, wanted) = (book.workspace(), Id::from(id));
    let params: [&(dyn ToSql + Sync); 3] = [&workspace, &wanted, &At(at)];
    let mut fold = Fold::default();
    book.transaction().each(&sql, &params, |row| {
        let message = record::decode(row.get(0))?;
        if message.tells_of() == Some((kind, id)) {
            fold.take(&message)?;
        }
        Ok(true)
    })?;
    let seen = seen_until(book, &now, at)?;
    Ok(Some(Arc::new(fold.into_profile(&now, seen))))
}

const OWN: &str = "select min(ordered_at), max(ordered_at) from message
    where workspace = $1 and user_id = $2 and kind = $3 and ordered_at <= $4";
const ANONYMOUS: &str = "select ordered_at from message
    where workspace = $1 and other = $2 and kind = $3 and user_id is null and ordered_at <= $4";

/// First and last track of a user up to an instant, by what was said of the user's anonymous ids by then; of other records
/// nothing is told.
fn seen_until(book: &Book<'_, '_>, now: &Profile, at: Micros) -> Result<Span, Fault> {
    let mut seen = Span::default();
    let Some(user) = now.as_user() else { return Ok(seen) };
    let (workspace, track) = (book.workspace(), i16::from(Kind::Track as u8));
    let own = book.transaction().query_one(OWN, &[&workspace, &Id::from(now.id), &track, &At(at)])?;
    for column in [0, 1] {
        if let Some(At(at)) = own.get::<_, Option<At>>(column) {
            seen.take_in(at);
        }
    }
    if !user.tied {
        return Ok(seen);
    }
    for anonymous in book.children_of((RecordKind::User, now.id), RecordKind::Anonymous)? {
        let mut ties = book.statements_about(anonymous, RecordKind::User)?;
        ties.retain(|tie| tie.stamp.at <= at);
        let params: [&(dyn ToSql + Sync); 4] = [&workspace, &Id::from(anonymous), &track, &At(at)];
        book.transaction().each(ANONYMOUS, &params, |row| {
            let At(did_at) = row.get(0);
            if resolve(&ties, did_at) == Some(now.id) {
                seen.take_in(did_at);
            }
            Ok(true)
        })?;
    }
    Ok(seen)
}
