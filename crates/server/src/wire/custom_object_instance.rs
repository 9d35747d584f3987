//! An instance of a custom object.

use std::{borrow::Cow, sync::Arc};

use muster_model::profile::Profile;

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

/// The trait that says since when an instance is archived.
pub(crate) const ARCHIVED_AT: &str = "archivedAt";

/// What is shown of an instance.
#[derive(Clone, Debug)]
pub(crate) struct InstanceView {
    pub profile: Arc<Profile>,
    /// The account it belongs to.
    pub account: Option<Arc<AccountView>>,
    /// The organization it belongs to.
    pub organization: Option<Arc<OrganizationView>>,
}

impl InstanceView {
    /// About how many bytes of customers' data go into the record.
    pub(crate) fn weight_bytes(&self) -> usize {
        let account = self.account.as_ref().map_or(0, |account| account.weight_bytes());
        let organization = self.organization.as_ref().map_or(0, |organization| organization.weight_bytes());
        self.profile.traits.text_bytes() + account + organization + 1_536
    }
}

/// Writes the record.
pub(crate) fn write(object: &mut Object<'_>, view: &InstanceView, names: &TraitNames) {
    let profile = &view.profile;
    let traits = &profile.traits;
    let instance = profile.as_instance();
    object.id("id", profile.id);
    object.instant("createdAt", profile.created_at);
    object.instant("updatedAt", profile.updated_at);
    object.text_or_null("name", name(profile).as_deref());
    object.text("externalId", &profile.external_id);
    object.id_or_null("customObjectId", instance.and_then(|instance| instance.custom_object));
    object.id_or_null("customerId", instance.and_then(|instance| instance.account()).map(|parent| parent.id));
    object.id_or_null("organizationId", instance.and_then(|instance| instance.organization()).map(|parent| parent.id));
    match &view.account {
        Some(view) => object.object("customer", |object| account::write(object, view, names)),
        None => object.null("customer"),
    }
    match &view.organization {
        Some(view) => object.object("organization", |object| organization::write(object, view, names)),
        None => object.null("organization"),
    }
    object.members("traits", traits.iter());
    value::put_instant(object, "archivedAt", traits, ARCHIVED_AT);
    object.nulls(&["createdByVitallyUserId", "ownedByVitallyUserId"]);
}

/// The name that was given to it, or the trait of that name.
pub(crate) fn name(profile: &Profile) -> Option<Cow<'_, str>> {
    let given = profile.as_instance().and_then(|instance| instance.name.as_ref());
    given.map(|name| Cow::Borrowed(name.value().as_ref())).or_else(|| value::text(&profile.traits, "name"))
}

/// The fields of the record, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Uuid),
    ("createdAt", Field::Instant),
    ("updatedAt", Field::Instant),
    ("name", Field::TextOrNull),
    ("externalId", Field::Text),
    ("customObjectId", Field::UuidOrNull),
    ("customerId", Field::UuidOrNull),
    ("organizationId", Field::UuidOrNull),
    ("customer", Field::RecordOrNull("Account")),
    ("organization", Field::RecordOrNull("Organization")),
    ("traits", Field::Members),
    ("archivedAt", Field::InstantOrNull),
    ("createdByVitallyUserId", Field::NotYet),
    ("ownedByVitallyUserId", Field::NotYet),
];
