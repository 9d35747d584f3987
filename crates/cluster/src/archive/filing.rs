//! From the table into files: the messages of a workspace that arrived first.
//!
//! The file is written from a snapshot while messages go on coming in; the transaction that makes it count finds out whether
//! anything in the table was removed or changed meanwhile, and then the file is given up.

use std::{cell::RefCell, path::Path, sync::Arc};

use muster_history::{filed, manifest::Segment, schema::Layout};
use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    message::Message,
    profile::Profile,
};
use muster_store::record;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Archive, manifest};
use crate::{
    fault::Fault,
    fold::census::Census,
    read::{
        book::Book,
        cursor::{Cursor, RECORDS},
    },
    sql::connection::{Connection, Mode},
};

/// Users that are looked up together.
const USERS_AT_ONCE: usize = 5_000;

const TAKE_OUT: &str = "delete from message where workspace = $1 and arrived <= $2";

/// How much goes into one file.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub rows_max: usize,
    pub bytes_max: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filed {
    /// Some messages lie in a file now.
    Some,
    /// There were none.
    Nothing,
    /// Something was removed meanwhile; nothing has changed.
    Overtaken,
}

/// Messages as they lie in the table, each with its number of arrival.
pub type Taken = Vec<(i64, Vec<u8>)>;

/// Writes the messages of a workspace that arrived first into a file.
pub fn file(
    archive: &Archive,
    connection: &mut Connection,
    workspace: WorkspaceId,
    bounds: Bounds,
) -> Result<Filed, Fault> {
    let transaction = RefCell::new(connection.begin(Mode::Read, Some(workspace))?);
    let seen = Census::look(&mut transaction.borrow_mut(), workspace)?.ok_or(Fault::NoWorkspace)?;
    if seen.arrived == seen.filed {
        return Ok(Filed::Nothing);
    }
    let book = Book::new(&transaction, workspace, archive);
    let taken = take(&book, bounds)?;
    let last = taken.last().map_or(seen.arrived, |(arrived, _)| *arrived);
    let room = archive.room()?;
    let written = if taken.is_empty() { None } else { write(&book, &taken, room.path())? };
    drop(transaction);
    if let Some(segment) = &written {
        archive.send(segment)?;
    }
    let mut transaction = connection.begin(Mode::Write, Some(workspace))?;
    let mut census = Census::hold(&mut transaction, workspace)?;
    if (census.filed, census.erasures) != (seen.filed, seen.erasures) {
        if let Some(segment) = &written {
            // What is left behind is found later.
            let _ = archive.bucket()?.remove(&segment.relative_path);
        }
        return Ok(Filed::Overtaken);
    }
    let removed = transaction.execute(TAKE_OUT, &[&census.workspace, &last])?;
    if removed != taken.len() as u64 {
        return Err(Fault::Damaged("the table of messages, of which others were seen before,"));
    }
    if let Some(segment) = &written {
        manifest::add(&mut transaction, segment)?;
    }
    census.filed = last;
    census.keep(&mut transaction)?;
    transaction.commit()?;
    Ok(if written.is_some() { Filed::Some } else { Filed::Nothing })
}

fn take(book: &Book<'_, '_>, bounds: Bounds) -> Result<Taken, Fault> {
    let sql = format!("select {RECORDS} from message where workspace = $1 order by arrived limit $2");
    let params: [&(dyn postgres::types::ToSql + Sync); 2] = [&book.workspace(), &(bounds.rows_max as i64)];
    let mut cursor = Cursor::open(&mut book.transaction(), "filing", &sql, &params)?;
    let (mut taken, mut bytes) = (Taken::new(), 0);
    while bytes < bounds.bytes_max {
        let some = cursor.records(&mut book.transaction(), book.of())?;
        if some.is_empty() {
            break;
        }
        bytes += some.iter().map(|(_, record)| record.len()).sum::<usize>();
        taken.extend(some);
    }
    Ok(taken)
}

/// Writes messages into a file, each filed under an account.
pub fn write(book: &Book<'_, '_>, taken: &Taken, directory: &Path) -> Result<Option<Arc<Segment>>, Fault> {
    let messages = taken.iter().map(|(_, bytes)| record::decode(bytes)).collect::<Result<Vec<Message<'_>>, _>>()?;
    let users = users(book, &messages)?;
    let mut rows = Vec::with_capacity(taken.len());
    for ((arrived, _), message) in taken.iter().zip(messages) {
        let user = message.user.as_ref().and_then(|user| users.get(&user.id));
        let account = filed::account(&message, user.map(|user| &**user));
        rows.push((Some(*arrived as u64), message, account));
    }
    let name = book.name()?;
    let layout = (manifest::new_id(), Layout::Numbered);
    filed::write(directory, (book.of(), &name), layout, &rows).map_err(Fault::Read)
}

/// The users of messages that name no account.
fn users(book: &Book<'_, '_>, messages: &[Message<'_>]) -> Result<FxHashMap<RecordId, Arc<Profile>>, Fault> {
    let loose = messages.iter().filter(|message| message.account.is_none());
    let wanted: FxHashSet<RecordId> = loose.filter_map(|message| Some(message.user.as_ref()?.id)).collect();
    let wanted: Vec<(RecordKind, RecordId)> = wanted.into_iter().map(|id| (RecordKind::User, id)).collect();
    let mut found = FxHashMap::default();
    for some in wanted.chunks(USERS_AT_ONCE) {
        found.extend(book.profiles(some)?.into_iter().map(|profile| (profile.id, profile)));
    }
    Ok(found)
}
