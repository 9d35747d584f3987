//! From the table into files: the messages of a workspace that arrived first.
//!
//! The file is written from a snapshot while messages go on coming in; the transaction that makes it count finds out whether
//! anything in the table was removed or changed meanwhile, and then the file is given up.

use std::{cell::RefCell, path::Path, sync::Arc};

use muster_history::{
    columns::{BATCH_ROWS, Columns},
    error::not_written,
    manifest::Segment,
    schema::Layout,
    segment::SegmentWriter,
};
use muster_model::{
    association::Answer,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    message::{Message, Named},
    profile::Profile,
    time::Micros,
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

/// What a file is sorted by: account, user and time.
type SortKey = (Option<String>, Option<String>, Micros);

/// Messages as they lie in the table, each with its number of arrival.
type Taken = Vec<(i64, Vec<u8>)>;

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

/// Writes messages as a file is sorted: by account, user and time.
fn write(book: &Book<'_, '_>, taken: &Taken, directory: &Path) -> Result<Option<Arc<Segment>>, Fault> {
    let messages = taken.iter().map(|(_, bytes)| record::decode(bytes)).collect::<Result<Vec<Message<'_>>, _>>()?;
    let users = users(book, &messages)?;
    let text = |named: &Named<'_>| named.external_id.clone().into_owned();
    let account = |message: &Message<'_>| match (&message.account, &message.user) {
        (Some(account), _) => Some(text(account)),
        (None, Some(user)) => users.get(&user.id).and_then(|user| account_at(user, message.ordered_at())),
        (None, None) => None,
    };
    let mut order: Vec<(SortKey, usize)> = messages
        .iter()
        .enumerate()
        .map(|(place, message)| ((account(message), message.user.as_ref().map(text), message.timestamp), place))
        .collect();
    order.sort_unstable();
    let failed = |error: &dyn std::fmt::Display| Fault::Read(not_written(error));
    let name = book.name()?;
    let id = manifest::new_id();
    let mut writer = SegmentWriter::create(directory, (book.of(), &name), id, (None, Layout::Numbered))
        .map_err(|error| failed(&error))?;
    for some in order.chunks(BATCH_ROWS) {
        let mut columns = Columns::new(some.len(), Layout::Numbered);
        for ((account, _, _), place) in some {
            let arrived = taken[*place].0 as u64;
            columns.push(&messages[*place], account.as_deref(), Some(arrived)).map_err(|error| failed(&error))?;
        }
        let batch = columns.finish().map_err(|error| failed(&error))?;
        writer.write(&batch).map_err(|error| failed(&error))?;
    }
    writer.finish().map_err(|error| failed(&error))
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

/// The account that a user belonged to, as far as is known; readers trust it for no more than where to look.
fn account_at(user: &Profile, at: Micros) -> Option<String> {
    let accounts = &user.as_user()?.accounts;
    let known = match accounts.at(at) {
        Answer::Known(known) => known,
        Answer::NeedsStatements => accounts.current(),
    };
    let link = accounts.links().iter().find(|link| Some(link.parent) == known)?;
    Some(link.external_id.to_string())
}
