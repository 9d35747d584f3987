//! Instances of a custom object: a list, and what a search finds.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequestParts, RawPathParams, State},
    http::{HeaderValue, StatusCode, Uri, header::CONTENT_TYPE, request::Parts},
    response::Response,
};
use muster_model::{
    id::{IdSpace, RecordId},
    kind::RecordKind,
    profile::{Profile, Span},
};
use muster_store::{
    catalogue::{KnownTrait, Model},
    credentials::Workspace,
    error::ReadError,
    lists::{Condition, ListOrder, ListQuery},
};

use super::{
    answer::{self, json, page},
    custom_objects,
    listing::unknown_trait,
    query::Query,
    records::{ListOf, ListRequest, PathId, Reader, last_word},
    related::Gatherer,
    write::reference,
};
use crate::{
    error::ApiError,
    state::AppState,
    wire::{
        custom_field,
        custom_object_instance::{self as wire, ARCHIVED_AT, InstanceView},
        object::{List, Object},
    },
};

const KIND: RecordKind = RecordKind::Instance;
/// How often the store is asked for all that a search finds.
const ROUNDS_MAX: usize = 50;
/// Records that it is asked for at once.
const ROUND_RECORDS: usize = 1_000;

/// The ids of an object and of an instance in a path, percent-decoded.
pub(crate) struct PathIds {
    pub object: String,
    pub instance: String,
}

impl<S: Send + Sync> FromRequestParts<S> for PathIds {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let not_text = |_| ApiError::parameter("an id in the path is not UTF-8 text once its escapes are resolved");
        let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(not_text)?;
        let named = |wanted: &str| parameters.iter().find(|(name, _)| *name == wanted).map(|(_, id)| id.to_owned());
        match (named("id"), named("instanceId").or_else(|| last_word(parts))) {
            (Some(object), Some(instance)) => Ok(PathIds { object, instance }),
            _ => Err(ApiError::NoSuchPath),
        }
    }
}

/// Answers a page of the instances of an object.
pub(super) async fn list(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let object = custom_objects::find(&state, &workspace, &id).await?;
    let parameters = Query::of(&uri);
    let archived = parameters.word("archived", &[("", None), ("true", Some(true)), ("false", Some(false))])?;
    let conditions = archived.map(|present| Condition::TraitPresent { key: ARCHIVED_AT.to_owned(), present });
    let of = ListOf {
        object: Some(object.id),
        within: Some((RecordKind::CustomObject, object.id)),
        conditions: conditions.into_iter().collect(),
        ..ListOf::all(KIND)
    };
    let request = ListRequest::read(&state, &workspace, &parameters, of).await?;
    let found = request.page(&state, &workspace).await?;
    let next = found.next.map(|at| request.cursor(at));
    let mut gatherer = Gatherer::new(&state, workspace.id);
    gatherer.read_ahead(&found.profiles).await?;
    let mut views = Vec::with_capacity(found.profiles.len());
    for profile in found.profiles {
        views.push(gather(&mut gatherer, profile).await?);
    }
    let weight = views.iter().map(InstanceView::weight_bytes).sum();
    let shared = state.clone();
    let write = move || {
        let (names, bytes_max) = (&shared.settings.trait_names, shared.settings.page_bytes_max);
        let one = |object: &mut Object<'_>, view: &InstanceView| wire::write(object, view, names);
        page(&views, next, bytes_max, one, |view| request.after(&view.profile, Span::default()))
    };
    answer::write(&state, weight, write).await
}

/// Answers the instances of an object that have one property.
pub(super) async fn search(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let object = custom_objects::find(&state, &workspace, &id).await?;
    let found = sought(&state, &workspace, &object, &Query::of(&uri)).await?;
    let mut gatherer = Gatherer::new(&state, workspace.id);
    gatherer.read_ahead(&found).await?;
    let mut views = Vec::with_capacity(found.len());
    for profile in found {
        views.push(gather(&mut gatherer, profile).await?);
    }
    let weight = views.iter().map(InstanceView::weight_bytes).sum();
    let shared = state.clone();
    let write = move || {
        let mut out = Vec::with_capacity(1024);
        List::write(&mut out, |list| {
            views.iter().for_each(|view| list.object(|one| wire::write(one, view, &shared.settings.trait_names)));
        });
        let mut response = Response::new(Body::from(out));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    };
    answer::write(&state, weight, write).await
}

async fn sought(
    state: &AppState,
    workspace: &Workspace,
    object: &Profile,
    parameters: &Query,
) -> Result<Vec<Arc<Profile>>, ApiError> {
    let names = ["id", "externalId", "customerId", "organizationId", "customFieldId"];
    let given: Vec<(&str, &str)> = names.iter().filter_map(|name| Some((*name, parameters.filled(name)?))).collect();
    let value = parameters.get("customFieldValue");
    let [(name, sought)] = given[..] else { return Err(ambiguous()) };
    if (name == "customFieldId") != value.is_some() {
        return Err(ambiguous());
    }
    let of_object = |profile: &Profile| profile.as_instance().is_some_and(|one| one.custom_object == Some(object.id));
    match name {
        "id" | "externalId" => {
            let ids = if name == "id" {
                [RecordId::parse(sought), None]
            } else {
                [None, Some(IdSpace::new(&workspace.name).instance(&object.id.to_string(), sought))]
            };
            Ok(one_of(state, workspace, ids).await?.filter(|profile| of_object(profile)).into_iter().collect())
        }
        "customerId" | "organizationId" => {
            let kind = if name == "customerId" { RecordKind::Account } else { RecordKind::Organization };
            let Some(parent) = reference::look(state, workspace, kind, sought).await? else { return Ok(Vec::new()) };
            let query = ListQuery {
                within: Some((kind, parent.id)),
                conditions: vec![Condition::Object(object.id)],
                ..ListQuery::new(KIND, ListOrder::CreatedAt)
            };
            all(state, workspace, query).await
        }
        _ => {
            let model = Model { kind: KIND, object: Some(object.id) };
            let known = state.store.known_traits(workspace.id, model).await.map_err(ApiError::Read)?;
            // A field is known by its key, and by the id that the catalogue shows for it.
            let named =
                |one: &&KnownTrait| Some(custom_field::id(workspace, model, &one.key)) == RecordId::parse(sought);
            let by_key = |one: &&KnownTrait| one.key.as_ref() == sought;
            let field = known.iter().find(named).or_else(|| known.iter().find(by_key));
            let field = field.ok_or_else(|| unknown_trait(sought))?;
            let has = Condition::TraitIs { key: field.key.to_string(), value: value.unwrap_or_default().to_owned() };
            let conditions = vec![has, Condition::Object(object.id)];
            all(state, workspace, ListQuery { conditions, ..ListQuery::new(KIND, ListOrder::CreatedAt) }).await
        }
    }
}

/// Every record of a list, the newest first, unless there are more than one answer may show.
async fn all(state: &AppState, workspace: &Workspace, mut query: ListQuery) -> Result<Vec<Arc<Profile>>, ApiError> {
    let most = state.settings.related_records_max;
    query.limit = ROUND_RECORDS;
    let mut found = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let page = state.store.list(workspace.id, query.clone()).await.map_err(ApiError::Read)?;
        found.extend(page.profiles);
        query.from = page.next;
        if query.from.is_none() && found.len() <= most {
            return Ok(found);
        }
        if found.len() > most {
            break;
        }
    }
    Err(ApiError::Read(ReadError::TooLarge { what: format!("more than {most} records, or too many to look through") }))
}

fn ambiguous() -> ApiError {
    ApiError::parameter(
        "search by exactly one of id, externalId, customerId and organizationId, or by customFieldId and \
         customFieldValue together",
    )
}

/// The instance of an object that an id in a path means.
pub(crate) async fn find(
    state: &AppState,
    workspace: &Workspace,
    object: &Profile,
    id: &str,
) -> Result<Arc<Profile>, ApiError> {
    let by_external_id = IdSpace::new(&workspace.name).instance(&object.id.to_string(), id);
    for id in [RecordId::parse(id), Some(by_external_id)] {
        let found = one_of(state, workspace, [id, None]).await?;
        let of_object =
            |profile: &Arc<Profile>| profile.as_instance().is_some_and(|one| one.custom_object == Some(object.id));
        if let Some(profile) = found.filter(of_object) {
            return Ok(profile);
        }
    }
    Err(ApiError::NoSuchRecord { kind: KIND.as_str() })
}

async fn one_of(
    state: &AppState,
    workspace: &Workspace,
    ids: [Option<RecordId>; 2],
) -> Result<Option<Arc<Profile>>, ApiError> {
    for id in ids.into_iter().flatten() {
        if let Some(found) = state.store.profile(workspace.id, KIND, id).await.map_err(ApiError::Read)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The answer with one record.
pub(super) async fn shown(
    state: &AppState,
    workspace: &Workspace,
    profile: Arc<Profile>,
) -> Result<Response, ApiError> {
    let view = gather(&mut Gatherer::new(state, workspace.id), profile).await?;
    let shared = state.clone();
    let weight = view.weight_bytes();
    let one = move |object: &mut Object<'_>| wire::write(object, &view, &shared.settings.trait_names);
    answer::write(state, weight, move || json(StatusCode::OK, one)).await
}

async fn gather(gatherer: &mut Gatherer<'_>, profile: Arc<Profile>) -> Result<InstanceView, ApiError> {
    let instance = profile.as_instance();
    let account = instance.and_then(|instance| instance.account()).map(|parent| parent.id);
    let organization = instance.and_then(|instance| instance.organization()).map(|parent| parent.id);
    Ok(InstanceView {
        account: gatherer.account_of(account).await?,
        organization: gatherer.organization_of(organization).await?,
        profile,
    })
}
