//! A user, with its accounts and organizations.

use std::sync::Arc;

use muster_model::{
    nps::FEEDBACK,
    profile::{Profile, Span},
};

use super::{
    account::{self, AccountView},
    object::Object,
    organization::{self, OrganizationView},
    value,
};
use crate::{
    openapi::schema::{Field, Fields},
    settings::TraitNames,
};

/// The trait that says whether a user wants no more conversations.
pub(crate) const UNSUBSCRIBED: &str = "unsubscribedFromConversations";

/// What is shown of a user.
#[derive(Clone, Debug)]
pub(crate) struct UserView {
    pub profile: Arc<Profile>,
    /// Accounts whose link stands, by external id.
    pub accounts: Vec<Arc<AccountView>>,
    /// Organizations whose link stands, by external id.
    pub organizations: Vec<Arc<OrganizationView>>,
    /// First and last track, exactly.
    pub seen: Span,
    /// The response with the user's last answer to an NPS survey.
    pub last_response: Option<Arc<Profile>>,
}

impl UserView {
    /// About how many bytes of customers' data go into the record.
    pub(crate) fn weight_bytes(&self) -> usize {
        let accounts = self.accounts.iter().map(|account| account.weight_bytes());
        let organizations = self.organizations.iter().map(|organization| organization.weight_bytes());
        // A record has some hundred bytes of its own, which count when there are thousands of them.
        let own = 512 * (1 + self.accounts.len() + self.organizations.len());
        self.profile.traits.text_bytes() + accounts.chain(organizations).sum::<usize>() + own
    }
}

/// Writes the record.
pub(crate) fn write(object: &mut Object<'_>, view: &UserView, names: &TraitNames) {
    let profile = &view.profile;
    let traits = &profile.traits;
    object.id("id", profile.id);
    object.instant("createdAt", profile.created_at);
    object.instant("updatedAt", profile.updated_at);
    object.text("externalId", &profile.external_id);
    object.list("accounts", |list| {
        for one in &view.accounts {
            list.object(|object| account::write_within_user(object, one, names));
        }
    });
    object.list("organizations", |list| {
        for one in &view.organizations {
            list.object(|object| organization::write(object, one, names));
        }
    });
    value::put_text(object, "name", traits, "name");
    value::put_text(object, "email", traits, "email");
    value::put_text(object, "avatar", traits, "avatar");
    object.members("traits", traits.iter());
    object.instant_or_null("firstKnown", value::known(profile.first_known));
    object.instant_or_null("lastSeenTimestamp", view.seen.last());
    object.nulls(&["lastInboundMessageTimestamp", "lastOutboundMessageTimestamp"]);
    write_last_answer(object, view);
    let unsubscribed = traits.get(UNSUBSCRIBED).and_then(value::boolean_of);
    match unsubscribed {
        Some(unsubscribed) => object.boolean(UNSUBSCRIBED, unsubscribed),
        None => object.null(UNSUBSCRIBED),
    }
    let since = traits.registers().find(|(key, ..)| *key == UNSUBSCRIBED).map(|(_, stamp, _)| stamp.at);
    object.instant_or_null("unsubscribedFromConversationsAt", since.filter(|_| unsubscribed == Some(true)));
    value::put_instant(object, "deactivatedAt", traits, "deactivatedAt");
    object.empty_list("segments");
    value::put_instant(object, "joinDate", traits, "createdAt");
    object.boolean("implied", !profile.stated);
}

fn write_last_answer(object: &mut Object<'_>, view: &UserView) {
    let last = view.profile.as_user().and_then(|user| user.nps.last);
    match last {
        Some(last) => object.number("npsLastScore", u64::from(last.score)),
        None => object.null("npsLastScore"),
    }
    match &view.last_response {
        Some(response) => value::put_text(object, "npsLastFeedback", &response.traits, FEEDBACK),
        None => object.null("npsLastFeedback"),
    }
    object.instant_or_null("npsLastRespondedAt", last.map(|last| last.responded_at));
}

/// The fields of the record, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Uuid),
    ("createdAt", Field::Instant),
    ("updatedAt", Field::Instant),
    ("externalId", Field::Text),
    ("accounts", Field::ListOf("Account")),
    ("organizations", Field::ListOf("Organization")),
    ("name", Field::TextOrNull),
    ("email", Field::TextOrNull),
    ("avatar", Field::TextOrNull),
    ("traits", Field::Members),
    ("firstKnown", Field::InstantOrNull),
    ("lastSeenTimestamp", Field::InstantOrNull),
    ("lastInboundMessageTimestamp", Field::NotYet),
    ("lastOutboundMessageTimestamp", Field::NotYet),
    ("npsLastScore", Field::NumberOrNull),
    ("npsLastFeedback", Field::TextOrNull),
    ("npsLastRespondedAt", Field::InstantOrNull),
    ("unsubscribedFromConversations", Field::BooleanOrNull),
    ("unsubscribedFromConversationsAt", Field::InstantOrNull),
    ("deactivatedAt", Field::InstantOrNull),
    ("segments", Field::NoneYet),
    ("joinDate", Field::InstantOrNull),
    ("implied", Field::Boolean),
];
