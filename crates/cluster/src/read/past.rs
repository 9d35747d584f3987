//! What was said of a trait, and what was true of a record at an instant.

use std::sync::Arc;

use muster_history::{
    statements::{self, Statements, Ties},
    wanted::{Wanted, heads},
};
use muster_model::{
    association::resolve,
    id::{RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    profile::{Profile, Span},
    time::Micros,
};
use muster_store::{
    Answer,
    deletion::Veil,
    error::ReadError,
    history::EventCursor,
    past::{Past, TraitPage, TraitQuery, fold::Fold},
    record,
};
use postgres::types::ToSql;

use super::{book::Book, candidates};
use crate::{
    cluster::Cluster,
    fault::Fault,
    sql::values::{At, Id},
};

/// Messages that one page looks at before it ends early.
const LOOKED_AT_MAX: usize = 20_000;

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
        let messages_max = self.inner.options.scan_max;
        self.with_book(workspace, move |book| trait_page(book, &query, messages_max))
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

fn trait_page(book: &Book<'_, '_>, query: &TraitQuery, messages_max: usize) -> Result<TraitPage, Fault> {
    let mut page = Statements::new(query);
    let Some((column, kinds)) = told(query.subject.0) else { return Ok(page.into_page(None)) };
    let sql = format!(
        "select record from message where workspace = $1 and {column} = $2 and {kinds} and (ordered_at, identity) < ($3, $4)
            order by ordered_at desc, identity desc"
    );
    let from =
        query.from.unwrap_or(EventCursor { timestamp: Micros::MAX, identity: muster_model::id::Identity(u128::MAX) });
    let (workspace, id) = (book.workspace(), Id::from(query.subject.1));
    let params: [&(dyn ToSql + Sync); 4] = [&workspace, &id, &At(from.timestamp), &Id::from(from.identity)];
    let (mut looked_at, mut in_table) = (0, None);
    book.transaction().each(&sql, &params, |row| {
        let message = record::decode(row.get(0))?;
        let at = message.ordered_at();
        if !page.may_take(at) {
            return Ok(false);
        }
        // Every page gets further, however much was said at one instant.
        if looked_at >= LOOKED_AT_MAX && at < from.timestamp {
            in_table = Some(at);
            return Ok(false);
        }
        looked_at += 1;
        page.offer(&message);
        Ok(true)
    })?;
    let (segments, ids) = (book.segments()?, book.ids()?);
    let veil = Veil::default();
    let footers = book.archive().footers();
    let in_files = page.offer_files(segments.iter().collect(), footers, (ids, &veil), messages_max)?;
    Ok(page.into_page(in_table.max(in_files)))
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
    let (ids, veil) = (book.ids()?, Veil::default());
    for segment in book.segments()? {
        let footer = book.archive().footers().of(&segment)?;
        statements::fold(&footer, (ids, &veil), (kind, id), at, &mut fold)?;
    }
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
    seen_in_files(book, now, at, &mut seen)?;
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

fn seen_in_files(book: &Book<'_, '_>, user: &Profile, at: Micros, seen: &mut Span) -> Result<(), Fault> {
    let segments = book.segments()?;
    if segments.is_empty() {
        return Ok(());
    }
    let candidates = candidates::of(book, (RecordKind::User, user.id))?;
    let wanted = Wanted { candidates, ..Wanted::default() };
    let (filter, ids) = (wanted.filter(), book.ids()?);
    let mut ties = Ties::new(*book, ids, at);
    for segment in segments {
        let footer = book.archive().footers().of(&segment)?;
        heads(&footer, ids, (&wanted, &filter), |_, head| {
            if ties.is_of(&head, user.id)? {
                seen.take_in(head.ordered_at());
            }
            Ok(())
        })?;
    }
    Ok(())
}
