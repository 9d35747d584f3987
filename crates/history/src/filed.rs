//! A file of messages as they came: sorted, each filed under an account. Never decides which files count.

use std::{path::Path, sync::Arc};

use muster_model::{
    association::{Answer, Link},
    id::WorkspaceId,
    message::Message,
    profile::Profile,
    time::Micros,
};
use muster_store::error::ReadError;

use super::{
    columns::{BATCH_ROWS, Columns},
    error::not_written,
    manifest::Segment,
    schema::Layout,
    segment::SegmentWriter,
};

/// The account that a message is filed under, by what is known of its user; readers trust it for no more than where to look.
#[must_use]
pub fn account(message: &Message<'_>, user: Option<&Profile>) -> Option<String> {
    match &message.account {
        Some(account) => Some(account.external_id.clone().into_owned()),
        None => link_at(user?, message.ordered_at()).map(|link| link.external_id.to_string()),
    }
}

/// The account that a user belonged to, as far as is known.
#[must_use]
pub fn link_at(user: &Profile, at: Micros) -> Option<&Link> {
    let accounts = &user.as_user()?.accounts;
    let known = match accounts.at(at) {
        Answer::Known(known) => known,
        Answer::NeedsStatements => accounts.current(),
    };
    accounts.links().iter().find(|link| Some(link.parent) == known)
}

/// Writes messages into a file below a directory, each with how many had arrived with it and the account that it is filed under;
/// nothing when there are none.
pub fn write(
    directory: &Path,
    whose: (WorkspaceId, &str),
    (id, layout): (u64, Layout),
    messages: &[(Option<u64>, Message<'_>, Option<String>)],
) -> Result<Option<Arc<Segment>>, ReadError> {
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_unstable_by_key(|place| {
        let (_, message, account) = &messages[*place];
        (account.as_deref(), message.user.as_ref().map(|user| &*user.external_id), message.timestamp, *place)
    });
    let mut writer =
        SegmentWriter::create(directory, whose, id, (None, layout)).map_err(|error| not_written(&error))?;
    for some in order.chunks(BATCH_ROWS) {
        let mut columns = Columns::new(some.len(), layout);
        for place in some {
            let (arrived, message, account) = &messages[*place];
            columns.push(message, account.as_deref(), *arrived).map_err(|error| not_written(&error))?;
        }
        let batch = columns.finish().map_err(|error| not_written(&error))?;
        writer.write(&batch).map_err(|error| not_written(&error))?;
    }
    writer.finish().map_err(|error| not_written(&error))
}
