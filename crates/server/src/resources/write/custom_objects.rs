//! Writing custom objects.

use axum::{extract::State, response::Response};
use muster_model::kind::{Kind, RecordKind};

use super::{
    super::custom_objects::shown,
    body::Write,
    form::Form,
    statement::{Statements, Traits},
};
use crate::{error::ApiError, state::AppState, violation::Violation};

/// Creates a custom object, or updates the one with this name. Messages may name it by its name or by its UUID.
pub(in crate::resources) async fn create(State(state): State<AppState>, write: Write) -> Result<Response, ApiError> {
    let members = write.members()?;
    let mut form = Form::new(&members);
    form.unchanging(&["id", "createdAt", "updatedAt", "implied"]);
    let name = form.required_id("name");
    let mut traits = Traits::default();
    traits.put_text("name", &name);
    traits.put("label", form.text_json("label"));
    traits.put("writeMode", form.text_json("writeMode"));
    traits.put("syncActive", form.boolean("syncActive"));
    let fields = form.raw("customFields");
    if fields.is_some_and(|fields| fields != "null" && !fields.starts_with('[')) {
        form.note(Violation::type_of("/customFields", "array"));
    }
    traits.put("customFields", fields);
    form.close()?;
    let mut statements = Statements::new(&state, &write.key)?;
    statements.add(Kind::CustomObject, &[("customObjectId", Some(&name))], None, Some(&traits))?;
    let id = statements.ids().custom_object(&name);
    statements.append().await?;
    let profile = super::written(&state, &write, RecordKind::CustomObject, id).await?;
    Ok(if write.may_read() { shown(&profile) } else { super::acknowledged(&profile) })
}
