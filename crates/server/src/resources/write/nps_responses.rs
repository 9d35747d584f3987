//! Writing NPS responses.

use std::borrow::Cow;

use axum::{extract::State, response::Response};
use muster_model::{
    id::IdSpace,
    kind::{Kind, RecordKind},
    nps::{DISMISSED_AT, FEEDBACK, RESPONDED_AT, SCORE, SCORE_MAX},
    profile::Profile,
};

use super::{
    super::{
        nps_responses::shown,
        records::{PathId, find},
    },
    body::Write,
    fed::{self, Fed},
    form::{Form, Said},
    reference,
    statement::{Statements, Traits, random_text},
};
use crate::{error::ApiError, state::AppState, violation::Violation};

const KIND: RecordKind = RecordKind::NpsResponse;

/// What a body says.
struct Wish<'a> {
    user: Option<Cow<'a, str>>,
    traits: Traits<'a>,
}

/// Creates a response, or updates the one with this external id.
pub(in crate::resources) async fn create(State(state): State<AppState>, write: Write) -> Result<Response, ApiError> {
    let members = write.members()?;
    let mut form = Form::new(&members);
    let external_id = form.id("externalId");
    let known = match &external_id {
        Some(external_id) => {
            let id = IdSpace::new(&write.key.workspace.name).record(KIND, external_id);
            state.store.profile(write.key.workspace.id, KIND, id).await.map_err(ApiError::Read)?
        }
        None => None,
    };
    let wish = Wish::read(&mut form, known.as_deref());
    if known.is_none() {
        for name in ["userId", "score", "respondedAt"].into_iter().filter(|name| members.get(name).is_none()) {
            form.note(Violation::required(name));
        }
    }
    form.close()?;
    let external_id = match external_id {
        Some(id) => id,
        None => Cow::Owned(random_text()?),
    };
    carry_out(&state, &write, &external_id, known.as_deref(), &wish).await
}

/// Updates a response.
pub(in crate::resources) async fn update(
    State(state): State<AppState>,
    PathId(id): PathId,
    write: Write,
) -> Result<Response, ApiError> {
    let profile = find(&state, &write.key.workspace, KIND, &id).await?;
    let members = write.members()?;
    let mut form = Form::new(&members);
    form.same_external_id(&profile.external_id);
    let wish = Wish::read(&mut form, Some(&profile));
    form.close()?;
    carry_out(&state, &write, &profile.external_id, Some(&profile), &wish).await
}

impl<'a> Wish<'a> {
    fn read(form: &mut Form<'_, 'a>, known: Option<&Profile>) -> Wish<'a> {
        form.unchanging(&["id", "createdAt", "updatedAt", "user"]);
        let user = form.id("userId");
        let fed = Fed(known.map(|known| &known.traits));
        let mut traits = Traits::default();
        let score = match form.integer(SCORE, 0, i64::from(SCORE_MAX)) {
            Said::Nothing => None,
            Said::None => Some("null".to_owned()),
            Said::Some(score) => Some(score.to_string()),
        };
        fed.put(&mut traits, SCORE, fed::Shape::Number, score);
        form.text_traits(&mut traits, fed, &[FEEDBACK]);
        for name in [RESPONDED_AT, DISMISSED_AT] {
            fed.put(&mut traits, name, fed::Shape::Instant, form.instant(name));
        }
        Wish { user, traits }
    }
}

async fn carry_out(
    state: &AppState,
    write: &Write,
    external_id: &str,
    known: Option<&Profile>,
    wish: &Wish<'_>,
) -> Result<Response, ApiError> {
    let workspace = &write.key.workspace;
    let stands = known.and_then(Profile::as_nps_response).and_then(|response| response.user.as_ref());
    let user = match (&wish.user, stands) {
        // Whoever answered must be known: an answer says nothing about a user but this.
        (Some(text), _) => {
            let found = reference::look(state, workspace, RecordKind::User, text).await?;
            found.ok_or_else(|| reference::unknown(RecordKind::User, "/userId"))?.external_id.as_ref().to_owned()
        }
        (None, Some(register)) => register.value().external_id.as_ref().to_owned(),
        (None, None) => return Err(ApiError::Invalid(vec![Violation::required("userId")])),
    };
    let mut statements = Statements::new(state, &write.key)?;
    let named = [("externalId", Some(external_id)), ("userId", Some(user.as_str()))];
    statements.add(Kind::NpsResponse, &named, None, Some(&wish.traits))?;
    let id = statements.ids().record(KIND, external_id);
    statements.append().await?;
    let profile = super::written(state, write, KIND, id).await?;
    match write.may_read() {
        true => shown(state, workspace, profile).await,
        false => Ok(super::acknowledged(&profile)),
    }
}
