//! First and last track of accounts and users, from the tracks themselves where a profile cannot tell.

use muster_model::{
    kind::Kind,
    profile::{Profile, Span},
};
use muster_store::{attribution::Attributor, lists::kept_seen, record};

use postgres::types::ToSql;

use super::{book::Book, candidates::Candidates, history::subject};
use crate::fault::Fault;

/// First and last track of a record.
pub fn of(book: &Book<'_, '_>, profile: &Profile) -> Result<Span, Fault> {
    match kept_seen(profile) {
        (seen, true) => Ok(seen),
        _ => counted(book, profile),
    }
}

/// The same by looking at every track that may belong to it.
fn counted(book: &Book<'_, '_>, profile: &Profile) -> Result<Span, Fault> {
    let record = (profile.kind(), profile.id);
    let candidates = Candidates::of(book, record)?;
    let mut attributor = Attributor::new(*book, book.ids()?);
    let mut seen = Span::default();
    for (by, wanted) in candidates.ways() {
        let sql = format!(
            "select record from message where workspace = $1 and message.{} = any($2) and kind = $3{}",
            by.column, by.only
        );
        let (workspace, track) = (book.workspace(), i16::from(Kind::Track as u8));
        let params: [&(dyn ToSql + Sync); 3] = [&workspace, &wanted, &track];
        let cursor = book.transaction().open_cursor(&sql, &params)?;
        loop {
            let rows = book.transaction().fetch(&cursor)?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let message = record::decode(row.get(0))?;
                if attributor.place(subject(&message))?.belongs_to(record) {
                    seen.take_in(message.ordered_at());
                }
            }
        }
    }
    Ok(seen)
}
