//! A file of messages as they came: sorted, each filed under an account.

use std::{path::Path, sync::Arc};

use muster_model::{
    association::Answer,
    id::WorkspaceId,
    message::{Message, Named},
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

/// What a file is sorted by: account, user and time.
type SortKey = (Option<String>, Option<String>, Micros);

/// The account that a message is filed under, by what is known of its user; readers trust it for no more than where to look.
#[must_use]
pub fn account(message: &Message<'_>, user: Option<&Profile>) -> Option<String> {
    match &message.account {
        Some(account) => Some(text(account)),
        None => account_at(user?, message.ordered_at()),
    }
}

fn text(named: &Named<'_>) -> String {
    named.external_id.clone().into_owned()
}

/// The account that a user belonged to, as far as is known.
fn account_at(user: &Profile, at: Micros) -> Option<String> {
    let accounts = &user.as_user()?.accounts;
    let known = match accounts.at(at) {
        Answer::Known(known) => known,
        Answer::NeedsStatements => accounts.current(),
    };
    let link = accounts.links().iter().find(|link| Some(link.parent) == known)?;
    Some(link.external_id.to_string())
}

/// Writes messages into a file below a directory, each with how many had arrived with it and the account that it is filed under;
/// nothing when there are none.
pub fn write(
    directory: &Path,
    whose: (WorkspaceId, &str),
    (id, layout): (u64, Layout),
    messages: &[(Option<u64>, Message<'_>, Option<String>)],
) -> Result<Option<Arc<Segment>>, ReadError> {
    let key = |(_, message, account): &(_, Message<'_>, Option<String>)| -> SortKey {
        (account.clone(), message.user.as_ref().map(text), message.timestamp)
    };
    let mut order: Vec<(SortKey, usize)> = messages.iter().map(key).zip(0..).collect();
    order.sort_unstable();
    let mut writer =
        SegmentWriter::create(directory, whose, id, (None, layout)).map_err(|error| not_written(&error))?;
    for some in order.chunks(BATCH_ROWS) {
        let mut columns = Columns::new(some.len(), layout);
        for ((account, _, _), place) in some {
            let (arrived, message, _) = &messages[*place];
            columns.push(message, account.as_deref(), *arrived).map_err(|error| not_written(&error))?;
        }
        let batch = columns.finish().map_err(|error| not_written(&error))?;
        writer.write(&batch).map_err(|error| not_written(&error))?;
    }
    writer.finish().map_err(|error| not_written(&error))
}
