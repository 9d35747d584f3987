//! Team members: a list, and one by the e-mail address.

use axum::{
    extract::State,
    http::{Method, StatusCode, Uri},
    response::Response,
};
use muster_model::id::RecordId;
use muster_store::{
    credentials::Scopes,
    team::{self, Member},
};

use super::{
    answer::{json, page},
    cursor::{ListName, Place},
    query::Query,
    records::{PAGE_RECORDS_MAX, Reader},
};
use crate::{
    error::ApiError,
    openapi::{Words, named, schema},
    router::{Access, Route},
    state::AppState,
    wire::member,
};

/// The routes of this file, with their words in the API document.
pub(super) fn routes() -> [Route; 2] {
    let read = Access::Scope(Scopes::READ);
    let about = "Newest first. `muster team` and `/admin/v1/team` say who is listed.";
    let listed = super::routes::paged(Words::new("Team", "Lists the members of the team", about), 100).answer(
        200,
        "A page.",
        named("TeamMembers"),
    );
    let sought = Words::new("Team", "Finds a member of the team", "The answer is one object.")
        .query("email", "The e-mail address, in any case of letters.", schema::text())
        .answer(200, "The member.", named("TeamMember"))
        .answer(400, "No address was given.", named("Error"))
        .answer(404, "Nobody has this address.", named("Error"));
    [
        Route::new(Method::GET, "/resources/admins", read, list, listed),
        Route::new(Method::GET, "/resources/admins/search", read, search, sought),
    ]
}

async fn list(State(state): State<AppState>, Reader(workspace): Reader, uri: Uri) -> Result<Response, ApiError> {
    let parameters = Query::of(&uri);
    let limit = parameters.limit(PAGE_RECORDS_MAX)?;
    let list = ListName::new(workspace.id, &["admins"]);
    let from = list.read(parameters.get("from"))?;
    let place = |member: &Member| Place { at: member.added_at, id: member.id.0 };
    let mut team = state.store.team(workspace.id);
    team.reverse();
    if let Some(from) = from {
        let is_after = |member: &Member| (member.added_at, member.id) < (from.at, RecordId(from.id));
        team.retain(is_after);
    }
    let more = team.len() > limit;
    team.truncate(limit);
    let next = team.last().filter(|_| more).map(|last| list.write(place(last)));
    let bytes_max = state.settings.page_bytes_max;
    Ok(page(&team, next, bytes_max, member::write, |member| list.write(place(member))))
}

async fn search(State(state): State<AppState>, Reader(workspace): Reader, uri: Uri) -> Result<Response, ApiError> {
    let parameters = Query::of(&uri);
    let email = parameters.filled("email");
    let email = email.ok_or_else(|| ApiError::parameter("email is required: the address of the member to find"))?;
    let team = state.store.team(workspace.id);
    let found = team::find(&team, email.trim()).ok_or(ApiError::NoSuchRecord { kind: "team member" })?;
    Ok(json(StatusCode::OK, |object| member::write(object, found)))
}
