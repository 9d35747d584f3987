//! Reading what was said, and what was true.

use std::{cmp::Reverse, sync::Arc};

use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    kinds::fields::named,
    message::Message,
    profile::{Account, Body, Organization, Profile, User},
    time::Micros,
};

use super::{
    MemoryStore,
    accepted::Accepted,
    fold::{describes, fold},
};
use crate::{
    Answer,
    error::ReadError,
    history::EventCursor,
    past::{Past, TraitPage, TraitQuery, TraitStatement},
};

impl Past for MemoryStore {
    fn trait_history(&self, workspace: WorkspaceId, query: TraitQuery) -> Answer<'_, TraitPage, ReadError> {
        Box::pin(async move {
            let all = |accepted: &mut Accepted| statements(accepted, &query);
            let mut statements = self.accepted(workspace, all).unwrap_or_default();
            let place = |one: &TraitStatement| EventCursor { timestamp: one.ordered_at, identity: one.identity };
            statements.sort_by_key(|one| Reverse(place(one)));
            statements.retain(|one| query.from.is_none_or(|from| place(one) < from));
            let limit = query.limit.max(1);
            let next = (statements.len() > limit).then(|| place(&statements[limit - 1]));
            statements.truncate(limit);
            Ok(TraitPage { statements, next })
        })
    }

    fn as_of(
        &self,
        workspace: WorkspaceId,
        subject: (RecordKind, RecordId),
        at: Micros,
    ) -> Answer<'_, Option<Arc<Profile>>, ReadError> {
        Box::pin(async move { Ok(self.accepted(workspace, |accepted| as_of(accepted, subject, at)).flatten()) })
    }
}

/// Whether a record has a past of its own: instances and the like are read as they are now only.
fn has_past(kind: RecordKind) -> bool {
    matches!(kind, RecordKind::Organization | RecordKind::Account | RecordKind::User)
}

fn names(message: &Message<'_>, subject: (RecordKind, RecordId)) -> bool {
    named(message).any(|(kind, id, _)| (kind, id) == subject)
}

fn statements(accepted: &Accepted, query: &TraitQuery) -> Vec<TraitStatement> {
    let said = |message: &Message<'_>| {
        let stated = message.traits.iter().find(|stated| stated.key == query.key)?;
        Some(TraitStatement {
            identity: message.identity,
            timestamp: message.timestamp,
            ordered_at: message.ordered_at(),
            received_at: message.received_at,
            message_id: message.message_id.as_deref().map(str::to_owned),
            value: (stated.value != "null").then(|| stated.value.to_owned()),
        })
    };
    let about = |message: &Message<'_>| {
        has_past(query.subject.0) && describes(message.kind) == Some(query.subject.0) && names(message, query.subject)
    };
    accepted.messages().into_iter().filter(about).filter_map(|message| said(&message)).collect()
}

/// What the messages up to an instant say, folded as all messages are.
fn as_of(accepted: &Accepted, subject: (RecordKind, RecordId), at: Micros) -> Option<Arc<Profile>> {
    let messages: Vec<Message<'_>> =
        accepted.messages().into_iter().filter(|message| message.ordered_at() <= at).collect();
    let folded = fold(&messages, accepted.receipts());
    let mut profile = Profile::clone(folded.profiles.get(&subject).filter(|_| has_past(subject.0))?);
    let tells = |message: &&Message<'_>| match (subject.0, message.kind) {
        (RecordKind::Account, Kind::Leave) => message.user.is_none() && message.instance.is_none(),
        (RecordKind::User, Kind::Unlink | Kind::Leave) => true,
        (kind, told) => describes(told) == Some(kind),
    };
    let told = messages.iter().filter(tells).filter(|message| names(message, subject));
    profile.updated_at = told.map(|message| message.received_at).max().unwrap_or(profile.created_at);
    profile.body = match profile.body {
        Body::Account(body) => Body::Account(Account { organization: body.organization, ..Account::default() }),
        Body::User(User { accounts, organizations, seen, .. }) => {
            Body::User(User { accounts, organizations, seen, ..User::default() })
        }
        _ => Body::Organization(Organization::default()),
    };
    Some(Arc::new(profile))
}
