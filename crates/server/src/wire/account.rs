//! An account.

use std::sync::Arc;

use muster_model::profile::{Profile, Span};

use super::{object::Object, value};
use crate::{
    openapi::schema::{Field, Fields},
    settings::TraitNames,
};

/// What is shown of an account.
#[derive(Clone, Debug)]
pub(crate) struct AccountView {
    pub profile: Arc<Profile>,
    /// First and last track attributed to it.
    pub seen: Span,
}

impl AccountView {
    /// About how many bytes of customers' data go into the record.
    pub(crate) fn weight_bytes(&self) -> usize {
        self.profile.traits.text_bytes()
    }
}

/// Writes the record.
pub(crate) fn write(object: &mut Object<'_>, view: &AccountView, names: &TraitNames) {
    write_part(object, view, names, true);
}

/// Writes the record as it stands within a user.
pub(crate) fn write_within_user(object: &mut Object<'_>, view: &AccountView, names: &TraitNames) {
    write_part(object, view, names, false);
}

fn write_part(object: &mut Object<'_>, view: &AccountView, names: &TraitNames, key_roles: bool) {
    let profile = &view.profile;
    let traits = &profile.traits;
    let account = profile.as_account();
    object.id("id", profile.id);
    object.instant("createdAt", profile.created_at);
    object.instant("updatedAt", profile.updated_at);
    object.text("externalId", &profile.external_id);
    value::put_text(object, "name", traits, "name");
    object.members("traits", traits.iter());
    let organization = account.and_then(|account| account.parent());
    object.id_or_null("organizationId", organization.map(|parent| parent.id));
    object.null("accountOwnerId");
    value::put_number(object, "mrr", traits, &names.mrr);
    value::put_instant(object, "nextRenewalDate", traits, &names.next_renewal_date);
    value::put_instant(object, "churnedAt", traits, &names.churned_at);
    object.instant_or_null("firstSeenTimestamp", view.seen.first());
    object.instant_or_null("lastSeenTimestamp", view.seen.last());
    object.nulls(&["lastInboundMessageTimestamp", "lastOutboundMessageTimestamp"]);
    value::put_instant(object, "trialEndDate", traits, &names.trial_end_date);
    object.number("usersCount", account.map_or(0, |account| u64::from(account.users_count)));
    value::put_nps(object, account.map(|account| account.nps).unwrap_or_default());
    object.nulls(&["healthScore", "csmId", "accountExecutiveId"]);
    object.empty_list("segments");
    if key_roles {
        object.empty_list("keyRoles");
    }
    object.boolean("implied", !profile.stated);
}

/// The fields of the record, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Uuid),
    ("createdAt", Field::Instant),
    ("updatedAt", Field::Instant),
    ("externalId", Field::Text),
    ("name", Field::TextOrNull),
    ("traits", Field::Members),
    ("organizationId", Field::UuidOrNull),
    ("accountOwnerId", Field::NotYet),
    ("mrr", Field::NumberOrNull),
    ("nextRenewalDate", Field::InstantOrNull),
    ("churnedAt", Field::InstantOrNull),
    ("firstSeenTimestamp", Field::InstantOrNull),
    ("lastSeenTimestamp", Field::InstantOrNull),
    ("lastInboundMessageTimestamp", Field::NotYet),
    ("lastOutboundMessageTimestamp", Field::NotYet),
    ("trialEndDate", Field::InstantOrNull),
    ("usersCount", Field::Count),
    ("npsDetractorCount", Field::Count),
    ("npsPassiveCount", Field::Count),
    ("npsPromoterCount", Field::Count),
    ("npsScore", Field::NumberOrNull),
    ("healthScore", Field::NotYet),
    ("csmId", Field::NotYet),
    ("accountExecutiveId", Field::NotYet),
    ("segments", Field::NoneYet),
    ("keyRoles", Field::NoneYet),
    ("implied", Field::Boolean),
];
