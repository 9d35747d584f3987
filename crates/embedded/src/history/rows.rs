//! Turning applied messages into sorted rows.
//!
//! Rows are sorted by account, user and time, so that what is read together lies together and compresses well. The
//! account is the one a message names or, for a user's message without one, the one the user belonged to as far as was
//! known; readers never trust it for more than where to look.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{BooleanBuilder, FixedSizeBinaryBuilder, StringBuilder, TimestampMicrosecondBuilder},
};
use arrow_schema::ArrowError;
use muster_model::{
    association::Answer,
    id::{Identity, RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    message::Message,
    time::Micros,
};
use muster_store::record::{self, NotARecord};
use rustc_hash::FxHashMap;

use super::schema;
use crate::{
    keys::ProfileKey,
    overlay::{Overlay, Row},
};

/// Rows handed to the writer at a time.
pub const BATCH_ROWS: usize = 8 * 1024;

/// A workspace's rows in the order of the file, with the account each is filed under.
pub struct Sorted<'a> {
    overlay: &'a Overlay,
    rows: Vec<(Row, Option<&'a str>)>,
}

/// What a row is sorted by, names as ranks.
type RowKey = (u32, u32, Micros, Identity);

/// Sorts the rows of one workspace.
pub fn sort(overlay: &Overlay, workspace: WorkspaceId) -> Result<Sorted<'_>, NotARecord> {
    let mut accounts = Names::default();
    let mut users = Names::default();
    let mut keyed: Vec<(RowKey, Row)> = Vec::with_capacity(overlay.rows().len());
    for row in overlay.rows().iter().filter(|row| row.workspace == workspace) {
        let message = record::decode(overlay.row_slice(*row))?;
        let account = filed_under(overlay, workspace, &message);
        let account = account.map_or(0, |(id, name)| accounts.number(id, || name));
        let user = message.user.as_ref().map_or(0, |user| {
            let key = ProfileKey::new(workspace, RecordKind::User, user.id);
            users.number(user.id, || overlay.profiles.get(&key).map_or("", |slot| slot.profile.external_id.as_ref()))
        });
        keyed.push(((account, user, message.timestamp, message.identity), *row));
    }
    let (account_ranks, user_ranks) = (accounts.ranks(), users.ranks());
    for ((account, user, _, _), _) in &mut keyed {
        (*account, *user) = (account_ranks[*account as usize], user_ranks[*user as usize]);
    }
    keyed.sort_unstable();
    let mut by_rank = accounts.names;
    by_rank.sort_unstable();
    let name = |rank: u32| rank.checked_sub(1).map(|at| by_rank[at as usize]);
    let rows = keyed.into_iter().map(|((account, _, _, _), row)| (row, name(account))).collect();
    Ok(Sorted { overlay, rows })
}

/// Names numbered from 1 as they are met; 0 stands for none.
#[derive(Default)]
struct Names<'a> {
    numbers: FxHashMap<RecordId, u32>,
    names: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn number(&mut self, id: RecordId, name: impl FnOnce() -> &'a str) -> u32 {
        *self.numbers.entry(id).or_insert_with(|| {
            self.names.push(name());
            self.names.len() as u32
        })
    }

    /// The place of each number's name in alphabetical order, from 1; 0 stays 0.
    fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (1..=self.names.len() as u32).collect();
        order.sort_unstable_by_key(|number| self.names[*number as usize - 1]);
        let mut ranks = vec![0; self.names.len() + 1];
        for (rank, number) in (1..).zip(order) {
            ranks[number as usize] = rank;
        }
        ranks
    }
}

fn filed_under<'a>(overlay: &'a Overlay, workspace: WorkspaceId, message: &Message<'_>) -> Option<(RecordId, &'a str)> {
    let external_id = |id: RecordId| {
        let key = ProfileKey::new(workspace, RecordKind::Account, id);
        overlay.profiles.get(&key).map(|slot| (id, slot.profile.external_id.as_ref()))
    };
    if let Some(account) = &message.account {
        return external_id(account.id);
    }
    let key = ProfileKey::new(workspace, RecordKind::User, message.user.as_ref()?.id);
    let accounts = &overlay.profiles.get(&key)?.profile.as_user()?.accounts;
    let id = match accounts.at(message.ordered_at()) {
        Answer::Known(known) => known?,
        Answer::NeedsStatements => accounts.current()?,
    };
    let link = accounts.links().iter().find(|link| link.parent == id)?;
    Some((id, link.external_id.as_ref()))
}

impl Sorted<'_> {
    /// The rows as batches of columns.
    pub fn batches(&self) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        self.rows.chunks(BATCH_ROWS).map(|rows| {
            let mut columns = Columns::new(rows.len());
            for (row, account) in rows {
                let message = record::decode(self.overlay.row_slice(*row))
                    .map_err(|fault| ArrowError::ExternalError(Box::new(fault)))?;
                columns.push(&message, *account)?;
            }
            columns.finish()
        })
    }
}

struct Columns {
    kind: StringBuilder,
    timestamp: TimestampMicrosecondBuilder,
    received_at: TimestampMicrosecondBuilder,
    timestamp_given: BooleanBuilder,
    /// From [`schema::ATTRIBUTED_ACCOUNT_ID`] to [`schema::OTHER`].
    texts: [StringBuilder; TEXTS],
    identity: FixedSizeBinaryBuilder,
}

const TEXTS: usize = schema::OTHER - schema::ATTRIBUTED_ACCOUNT_ID + 1;

impl Columns {
    fn new(rows: usize) -> Self {
        Columns {
            kind: StringBuilder::with_capacity(rows, rows * 8),
            timestamp: TimestampMicrosecondBuilder::with_capacity(rows),
            received_at: TimestampMicrosecondBuilder::with_capacity(rows),
            timestamp_given: BooleanBuilder::with_capacity(rows),
            texts: std::array::from_fn(|_| StringBuilder::with_capacity(rows, rows * 8)),
            identity: FixedSizeBinaryBuilder::with_capacity(rows, 16),
        }
    }

    fn push(&mut self, message: &Message<'_>, account: Option<&str>) -> Result<(), ArrowError> {
        let track = message.kind == Kind::Track;
        let data = Some(message.data).filter(|data| !data.is_empty());
        let name = message.name.as_deref();
        self.kind.append_value(message.kind.as_str());
        self.timestamp.append_value(message.timestamp.0);
        self.received_at.append_value(message.received_at.0);
        self.timestamp_given.append_value(message.timestamp_given);
        let texts: [Option<&str>; TEXTS] = [
            account,
            message.organization.as_ref().map(|named| named.external_id.as_ref()),
            message.account.as_ref().map(|named| named.external_id.as_ref()),
            message.user.as_ref().map(|named| named.external_id.as_ref()),
            message.instance.as_ref().or(message.response.as_ref()).map(|named| named.external_id.as_ref()),
            message.custom_object.as_ref().map(|named| named.external_id.as_ref()),
            name.filter(|_| track),
            name.filter(|_| !track),
            message.message_id.as_deref(),
            data.filter(|_| track),
            data.filter(|_| !track),
            Some(message.rest.as_ref()).filter(|rest| !rest.is_empty()),
        ];
        for (builder, text) in self.texts.iter_mut().zip(texts) {
            builder.append_option(text);
        }
        // With a messageId the identity follows from the other columns.
        match message.message_id {
            Some(_) => self.identity.append_null(),
            None => self.identity.append_value(message.identity.0.to_be_bytes())?,
        }
        Ok(())
    }

    fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.kind.finish()),
            Arc::new(self.timestamp.finish().with_timezone("UTC")),
            Arc::new(self.received_at.finish().with_timezone("UTC")),
            Arc::new(self.timestamp_given.finish()),
        ];
        columns.extend(self.texts.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.identity.finish()));
        RecordBatch::try_new(schema::WRITTEN.clone(), columns)
    }
}
