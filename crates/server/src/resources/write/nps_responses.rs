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
    form::{Form, Said},
    reference,
    statement::{Statements, Traits, quoted, random_text},
};
use crate::{error::ApiError, state::AppState, violation::Violation};

const KIND: RecordKind = RecordKind::NpsResponse;

/// What a body says.
struct Wish<'a> {
    user: Option<Cow<'a, str>>,
    score: Said<i64>,
    feedback: Said<Cow<'a, str>>,
    responded_at: Option<&'a str>,
    dismissed_at: Option<&'a str>,
}

/// Creates a response, or updates the one with this external id.
pub(in crate::resources) async fn create(State(state): State<AppState>, write: Write) -> Result<Response, ApiError> {
    let members = write.members()?;
    let mut form = Form::new(&members);
    let external_id = form.id("externalId");
    let wish = Wish::read(&mut form);
    let known = match &external_id {
        Some(external_id) => {
            let id = IdSpace::new(&write.key.workspace.name).record(KIND, external_id);
            state.store.profile(write.key.workspace.id, KIND, id).await.map_err(ApiError::Read)?
        }
        None => None,
    };
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
    let wish = Wish::read(&mut form);
    form.close()?;
    carry_out(&state, &write, &profile.external_id, Some(&profile), &wish).await
}

impl<'a> Wish<'a> {
    fn read(form: &mut Form<'_, 'a>) -> Wish<'a> {
        form.unchanging(&["id", "createdAt", "updatedAt", "user"]);
        Wish {
            user: form.id("userId"),
            score: form.integer(SCORE, 0, i64::from(SCORE_MAX)),
            feedback: form.text(FEEDBACK),
            responded_at: form.instant(RESPONDED_AT),
            dismissed_at: form.instant(DISMISSED_AT),
        }
    }

    fn traits(&self) -> Traits<'_> {
        let mut traits = Traits::default();
        match self.score {
            Said::Nothing => {}
            Said::None => traits.put(SCORE, Some("null")),
            Said::Some(score) => traits.put_json(SCORE, score.to_string()),
        }
        match &self.feedback {
            Said::Nothing => {}
            Said::None => traits.put(FEEDBACK, Some("null")),
            Said::Some(feedback) => traits.put_json(FEEDBACK, quoted(feedback)),
        }
        traits.put(RESPONDED_AT, self.responded_at);
        traits.put(DISMISSED_AT, self.dismissed_at);
        traits
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
    statements.add(Kind::NpsResponse, &named, None, Some(&wish.traits()))?;
    let id = statements.ids().record(KIND, external_id);
    statements.append().await?;
    let profile = super::written(state, write, KIND, id).await?;
    match write.may_read() {
        true => shown(state, workspace, profile).await,
        false => Ok(super::acknowledged(&profile)),
    }
}
