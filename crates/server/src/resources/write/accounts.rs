//! Writing accounts.

use axum::{extract::State, response::Response};
use muster_model::{
    id::IdSpace,
    kind::{Kind, RecordKind},
    profile::Profile,
};

use super::{
    super::{
        accounts::shown,
        records::{PathId, find},
    },
    body::Write,
    fed::Fed,
    form::{Form, Said},
    reference,
    statement::{Statements, Traits},
};
use crate::{error::ApiError, settings::TraitNames, state::AppState};

const KIND: RecordKind = RecordKind::Account;
/// Fields of the record that a body may hold and that change nothing.
const UNCHANGING: [&str; 18] = [
    "id",
    "createdAt",
    "updatedAt",
    "accountOwnerId",
    "firstSeenTimestamp",
    "lastSeenTimestamp",
    "lastInboundMessageTimestamp",
    "lastOutboundMessageTimestamp",
    "usersCount",
    "npsDetractorCount",
    "npsPassiveCount",
    "npsPromoterCount",
    "npsScore",
    "healthScore",
    "csmId",
    "accountExecutiveId",
    "segments",
    "keyRoles",
];

/// What a body says.
struct Wish<'a> {
    organization: Said<std::borrow::Cow<'a, str>>,
    traits: Traits<'a>,
}

/// Creates an account, or updates the one with this external id.
pub(in crate::resources) async fn create(State(state): State<AppState>, write: Write) -> Result<Response, ApiError> {
    let members = write.members()?;
    let mut form = Form::new(&members);
    let external_id = form.required_id("externalId");
    let id = IdSpace::new(&write.key.workspace.name).record(KIND, &external_id);
    let known = state.store.profile(write.key.workspace.id, KIND, id).await.map_err(ApiError::Read)?;
    let wish = Wish::read(&mut form, known.as_deref(), &state.settings.trait_names);
    form.close()?;
    carry_out(&state, &write, &external_id, known.as_deref(), wish).await
}

/// Updates an account.
pub(in crate::resources) async fn update(
    State(state): State<AppState>,
    PathId(id): PathId,
    write: Write,
) -> Result<Response, ApiError> {
    let profile = find(&state, &write.key.workspace, KIND, &id).await?;
    let members = write.members()?;
    let mut form = Form::new(&members);
    form.same_external_id(&profile.external_id);
    let wish = Wish::read(&mut form, Some(&profile), &state.settings.trait_names);
    form.close()?;
    carry_out(&state, &write, &profile.external_id, Some(&profile), wish).await
}

impl<'a> Wish<'a> {
    fn read(form: &mut Form<'_, 'a>, known: Option<&Profile>, names: &'a TraitNames) -> Wish<'a> {
        form.unchanging(&UNCHANGING);
        form.unchanging(&["implied"]);
        let organization = form.id_or_null("organizationId");
        let mut traits = Traits::of(form.object("traits"));
        form.business_traits(&mut traits, Fed(known.map(|known| &known.traits)), names);
        Wish { organization, traits }
    }
}

async fn carry_out(
    state: &AppState,
    write: &Write,
    external_id: &str,
    known: Option<&Profile>,
    wish: Wish<'_>,
) -> Result<Response, ApiError> {
    let workspace = &write.key.workspace;
    let organization = match &wish.organization {
        Said::Some(text) => {
            let path = "/organizationId";
            Some(reference::resolve(state, workspace, RecordKind::Organization, path, text).await?.external_id)
        }
        Said::Nothing | Said::None => None,
    };
    let mut statements = Statements::new(state, &write.key)?;
    let mut named = vec![("accountId", Some(external_id))];
    named.extend(organization.as_deref().map(|id| ("organizationId", Some(id))));
    statements.add(Kind::Account, &named, None, Some(&wish.traits))?;
    let left = known.and_then(Profile::as_account).and_then(|account| account.parent());
    if let (Said::None, Some(left)) = (&wish.organization, left) {
        let named = [("accountId", Some(external_id)), ("organizationId", Some(left.external_id.as_ref()))];
        statements.add(Kind::Leave, &named, None, None)?;
    }
    let id = statements.ids().record(KIND, external_id);
    statements.append().await?;
    let profile = super::written(state, write, KIND, id).await?;
    match write.may_read() {
        true => shown(state, workspace, profile).await,
        false => Ok(super::acknowledged(&profile)),
    }
}
