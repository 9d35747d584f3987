//! A response to an NPS survey.

use std::sync::Arc;

use muster_model::{
    nps::{DISMISSED_AT, FEEDBACK, RESPONDED_AT, SCORE},
    profile::Profile,
};

use super::{
    object::Object,
    user::{self, UserView},
    value,
};
use crate::{
    openapi::schema::{Field, Fields},
    settings::TraitNames,
};

/// What is shown of a response.
#[derive(Clone, Debug)]
pub(crate) struct NpsResponseView {
    pub profile: Arc<Profile>,
    /// Whose answer it is.
    pub user: Option<UserView>,
}

impl NpsResponseView {
    /// About how many bytes of customers' data go into the record.
    pub(crate) fn weight_bytes(&self) -> usize {
        self.profile.traits.text_bytes() + self.user.as_ref().map_or(0, UserView::weight_bytes) + 256
    }
}

/// Writes the record.
pub(crate) fn write(object: &mut Object<'_>, view: &NpsResponseView, names: &TraitNames) {
    let profile = &view.profile;
    let traits = &profile.traits;
    object.id("id", profile.id);
    object.instant("createdAt", profile.created_at);
    object.instant("updatedAt", profile.updated_at);
    object.text("externalId", &profile.external_id);
    let user = profile.as_nps_response().and_then(|response| response.user.as_ref());
    object.id_or_null("userId", user.map(|register| register.value().id));
    value::put_number(object, "score", traits, SCORE);
    value::put_text(object, "feedback", traits, FEEDBACK);
    value::put_instant(object, "respondedAt", traits, RESPONDED_AT);
    value::put_instant(object, "dismissedAt", traits, DISMISSED_AT);
    match &view.user {
        Some(view) => object.object("user", |object| user::write(object, view, names)),
        None => object.null("user"),
    }
}

/// The fields of the record, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Uuid),
    ("createdAt", Field::Instant),
    ("updatedAt", Field::Instant),
    ("externalId", Field::Text),
    ("userId", Field::UuidOrNull),
    ("score", Field::NumberOrNull),
    ("feedback", Field::TextOrNull),
    ("respondedAt", Field::InstantOrNull),
    ("dismissedAt", Field::InstantOrNull),
    ("user", Field::RecordOrNull("User")),
];
