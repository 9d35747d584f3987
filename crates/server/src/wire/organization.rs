//! An organization.

use std::sync::Arc;

use muster_model::profile::Profile;

use super::{object::Object, value};
use crate::{
    openapi::schema::{Field, Fields},
    settings::TraitNames,
};

/// What is shown of an organization.
#[derive(Clone, Debug)]
pub(crate) struct OrganizationView {
    pub profile: Arc<Profile>,
}

impl OrganizationView {
    /// About how many bytes of customers' data go into the record.
    pub(crate) fn weight_bytes(&self) -> usize {
        self.profile.traits.text_bytes()
    }
}

/// Writes the record.
pub(crate) fn write(object: &mut Object<'_>, view: &OrganizationView, names: &TraitNames) {
    let profile = &view.profile;
    let traits = &profile.traits;
    object.id("id", profile.id);
    object.instant("createdAt", profile.created_at);
    object.instant("updatedAt", profile.updated_at);
    object.text("externalId", &profile.external_id);
    value::put_text(object, "name", traits, "name");
    object.members("traits", traits.iter());
    object.null("organizationOwnerId");
    value::put_number(object, "mrr", traits, &names.mrr);
    object.null("firstPaidDate");
    value::put_instant(object, "nextRenewalDate", traits, &names.next_renewal_date);
    value::put_instant(object, "churnedAt", traits, &names.churned_at);
    value::put_instant(object, "trialEndDate", traits, &names.trial_end_date);
    let organization = profile.as_organization();
    object.number("usersCount", organization.map_or(0, |organization| u64::from(organization.users_count)));
    object.number("accountsCount", organization.map_or(0, |organization| u64::from(organization.accounts_count)));
    object.nulls(&["healthScore", "csmId", "accountExecutiveId"]);
    object.empty_list("segments");
    object.empty_list("keyRoles");
    value::put_nps(object, profile.as_organization().map(|organization| organization.nps).unwrap_or_default());
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
    ("organizationOwnerId", Field::NotYet),
    ("mrr", Field::NumberOrNull),
    ("firstPaidDate", Field::NotYet),
    ("nextRenewalDate", Field::InstantOrNull),
    ("churnedAt", Field::InstantOrNull),
    ("trialEndDate", Field::InstantOrNull),
    ("usersCount", Field::Count),
    ("accountsCount", Field::Count),
    ("healthScore", Field::NotYet),
    ("csmId", Field::NotYet),
    ("accountExecutiveId", Field::NotYet),
    ("segments", Field::NoneYet),
    ("keyRoles", Field::NoneYet),
    ("npsDetractorCount", Field::Count),
    ("npsPassiveCount", Field::Count),
    ("npsPromoterCount", Field::Count),
    ("npsScore", Field::NumberOrNull),
    ("implied", Field::Boolean),
];
