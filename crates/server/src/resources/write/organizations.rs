//! Writing organizations.

use axum::{extract::State, response::Response};
use muster_model::{
    id::IdSpace,
    kind::{Kind, RecordKind},
    profile::Profile,
};

use super::{
    super::{
        organizations::shown,
        records::{PathId, find},
    },
    body::Write,
    fed::Fed,
    form::Form,
    statement::{Statements, Traits},
};
use crate::{error::ApiError, settings::TraitNames, state::AppState};

const KIND: RecordKind = RecordKind::Organization;
/// Fields of the record that a body may hold and that change nothing.
const UNCHANGING: [&str; 16] = [
    "id",
    "createdAt",
    "updatedAt",
    "organizationOwnerId",
    "firstPaidDate",
    "usersCount",
    "accountsCount",
    "healthScore",
    "csmId",
    "accountExecutiveId",
    "segments",
    "keyRoles",
    "npsDetractorCount",
    "npsPassiveCount",
    "npsPromoterCount",
    "npsScore",
];

/// Creates an organization, or updates the one with this external id.
pub(in crate::resources) async fn create(State(state): State<AppState>, write: Write) -> Result<Response, ApiError> {
    let members = write.members()?;
    let mut form = Form::new(&members);
    let external_id = form.required_id("externalId");
    let id = IdSpace::new(&write.key.workspace.name).record(KIND, &external_id);
    let known = state.store.profile(write.key.workspace.id, KIND, id).await.map_err(ApiError::Read)?;
    let traits = traits(&mut form, known.as_deref(), &state.settings.trait_names);
    form.close()?;
    carry_out(&state, &write, &external_id, &traits).await
}

/// Updates an organization.
pub(in crate::resources) async fn update(
    State(state): State<AppState>,
    PathId(id): PathId,
    write: Write,
) -> Result<Response, ApiError> {
    let profile = find(&state, &write.key.workspace, KIND, &id).await?;
    let members = write.members()?;
    let mut form = Form::new(&members);
    form.same_external_id(&profile.external_id);
    let traits = traits(&mut form, Some(&profile), &state.settings.trait_names);
    form.close()?;
    carry_out(&state, &write, &profile.external_id, &traits).await
}

fn traits<'a>(form: &mut Form<'_, 'a>, known: Option<&Profile>, names: &'a TraitNames) -> Traits<'a> {
    form.unchanging(&UNCHANGING);
    form.unchanging(&["implied"]);
    let mut traits = Traits::of(form.object("traits"));
    form.business_traits(&mut traits, Fed(known.map(|known| &known.traits)), names);
    traits
}

async fn carry_out(
    state: &AppState,
    write: &Write,
    external_id: &str,
    traits: &Traits<'_>,
) -> Result<Response, ApiError> {
    let workspace = &write.key.workspace;
    let mut statements = Statements::new(state, &write.key)?;
    statements.add(Kind::Organization, &[("organizationId", Some(external_id))], None, Some(traits))?;
    let id = statements.ids().record(KIND, external_id);
    statements.append().await?;
    let profile = super::written(state, write, KIND, id).await?;
    match write.may_read() {
        true => shown(state, workspace, profile).await,
        false => Ok(super::acknowledged(&profile)),
    }
}
