//! A workspace, as operators see it: how much it holds, and nothing of what.

use super::object::Object;
use crate::{
    admin::workspaces::Overview,
    openapi::schema::{Field, Fields},
};

/// Writes the workspace.
pub(crate) fn write(object: &mut Object<'_>, overview: &Overview) {
    object.text("name", &overview.workspace.name);
    object.instant("createdAt", overview.workspace.created_at);
    object.number("keys", overview.keys);
    object.number("members", overview.members);
    object.number_or_null("organizations", overview.records.map(|records| records.organizations));
    object.number_or_null("accounts", overview.records.map(|records| records.accounts));
    object.number_or_null("users", overview.records.map(|records| records.users));
    object.number("messages", overview.size.messages);
    object.number("historyBytes", overview.size.history_bytes);
    object.instant_or_null("lastReceivedAt", overview.last_received);
}

/// The fields of the workspace, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("name", Field::Text),
    ("createdAt", Field::Instant),
    ("keys", Field::Count),
    ("members", Field::Count),
    ("organizations", Field::CountOrNull),
    ("accounts", Field::CountOrNull),
    ("users", Field::CountOrNull),
    ("messages", Field::Count),
    ("historyBytes", Field::Count),
    ("lastReceivedAt", Field::InstantOrNull),
];
