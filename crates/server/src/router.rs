//! Every route of the API in one table, from which the router and the API document are made.
//!
//! A route is a method, a path, what it asks of its callers, what answers it and the words about it; nothing for programs
//! can be served without standing in the document. The console's pages, for browsers, have a table of their own. Paths with doubled or trailing slashes mean the same as without them.

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, Uri, uri::PathAndQuery},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
    routing::{MethodFilter, MethodRouter, on},
};
use muster_store::credentials::Scopes;
use tower::ServiceExt;

use crate::{
    admin, backups, deletions, docs,
    error::ApiError,
    health, imports, ingest,
    keys::{Gate, pass, turn_away},
    listen::while_there,
    metrics, moves,
    observe::observe,
    openapi::{self, Words},
    query, resources, segment,
    state::AppState,
    ui,
};

/// What a route asks of its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Open,
    /// A key with this scope.
    Scope(Scopes),
    /// A key with the scope `read`, or the operator's token.
    ReadOrOperator,
    /// A key with the scope `admin`, or the operator's token.
    Keys,
    /// A key with the scope `operator`, or the operator's token.
    Workspaces,
}

/// Which part of a server a route is of; a node of a cluster may answer some of them only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Taking messages.
    Intake,
    /// Everything that is read, and changed record by record.
    Console,
    /// What every node answers: whether it lives, figures, documentation.
    Every,
}

/// One method of one path.
pub(crate) struct Route {
    pub part: Part,
    pub method: Method,
    pub path: String,
    pub access: Access,
    pub words: Words,
    handler: MethodRouter<AppState>,
}

impl Route {
    /// A route. The handler is made for all methods and answers to this one only.
    pub(crate) fn new<H, T>(method: Method, path: impl Into<String>, access: Access, handler: H, words: Words) -> Route
    where
        H: axum::handler::Handler<T, AppState>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("the table holds standard methods only");
        Route { part: Part::Console, method, path: path.into(), access, words, handler: on(filter, handler) }
    }

    /// The route, as one of a part.
    fn of(self, part: Part) -> Route {
        Route { part, ..self }
    }

    /// The route, whose answers are given up when nobody is left to take them.
    pub(crate) fn while_client_is_there(self) -> Route {
        Route { handler: self.handler.layer(from_fn(while_there)), ..self }
    }
}

/// The table.
pub(crate) fn table() -> Vec<Route> {
    let mut routes = Vec::new();
    routes.extend(ingest::routes::routes().into_iter().map(|route| route.of(Part::Intake)));
    routes.extend(segment::routes::routes().into_iter().map(|route| route.of(Part::Intake)));
    routes.extend(resources::routes::routes());
    routes.extend(query::routes::routes());
    routes.extend(deletions::routes::routes());
    routes.extend(imports::routes::routes());
    routes.extend(admin::routes());
    routes.extend(backups::routes());
    routes.extend(moves::routes());
    routes.extend(health::routes().map(|route| route.of(Part::Every)));
    routes.extend(metrics::routes().map(|route| route.of(Part::Every)));
    routes.extend(docs::routes().map(|route| route.of(Part::Every)));
    routes
}

/// The router over a store.
pub fn router(state: AppState) -> Router {
    let table = table();
    state.pages.get_or_init(|| docs::Pages::new(&openapi::document(&table)));
    let mut router = Router::new();
    for (path, route) in overshadowed(&table) {
        router = router.route(path, gated(&state, route.part, route.access, route.handler.clone()));
    }
    for route in table {
        router = router.route(&route.path, gated(&state, route.part, route.access, route.handler));
    }
    if state.settings.serves.console {
        router = router.merge(ui::routes());
    }
    let inner = router
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(state.clone(), observe))
        .with_state(state);
    // What the table does not know may be a path written with too many slashes. Everything else takes the short way.
    let tidied = inner.clone();
    inner.fallback(move |request: Request| tidy(tidied, request))
}

/// Routes of a record that another path takes when the record's id is a word of that path: `PUT /resources/users/search`
/// means the user `search`, since a search has no such method.
fn overshadowed(table: &[Route]) -> Vec<(&str, &Route)> {
    let parts =
        |route: &Route| route.path.rsplit_once('/').map(|(stem, last)| (stem.to_owned(), last.starts_with('{')));
    let mut found = Vec::new();
    for word in table.iter().filter(|route| route.path.starts_with("/resources/")) {
        let Some((stem, false)) = parts(word) else { continue };
        let taken = |method: &Method| table.iter().any(|route| route.path == word.path && route.method == *method);
        let of_ids = table.iter().filter(|route| parts(route) == Some((stem.clone(), true)) && !taken(&route.method));
        found.extend(of_ids.map(|route| (word.path.as_str(), route)));
    }
    found
}

fn gated(state: &AppState, part: Part, access: Access, handler: MethodRouter<AppState>) -> MethodRouter<AppState> {
    let serves = state.settings.serves;
    let elsewhere = match part {
        Part::Intake => (!serves.intake).then_some("intake"),
        Part::Console => (!serves.console).then_some("console"),
        Part::Every => None,
    };
    if let Some(role) = elsewhere {
        let turn_away = move |State(state): State<AppState>, request: Request, _: Next| async move {
            turn_away(&state, request, ApiError::OfAnotherNode { role })
        };
        return handler.layer(from_fn_with_state(state.clone(), turn_away));
    }
    let (needs, operator) = match access {
        Access::Open => return handler,
        Access::Scope(scope) => (scope, false),
        Access::ReadOrOperator => (Scopes::READ, true),
        Access::Keys => (Scopes::ADMIN, true),
        Access::Workspaces => (Scopes::OPERATOR, true),
    };
    handler.route_layer(from_fn_with_state(Gate { state: state.clone(), needs, operator }, pass))
}

async fn no_such_path(State(state): State<AppState>, request: Request) -> Response {
    if let Some(page) = ui::no_such_page(&request) {
        return page;
    }
    turn_away(&state, request, ApiError::NoSuchPath)
}

async fn wrong_method(State(state): State<AppState>, request: Request) -> Response {
    if let Some(page) = ui::no_page_by_itself(&request) {
        return page;
    }
    turn_away(&state, request, ApiError::WrongMethod)
}

/// Routes a request once more, without doubled and trailing slashes.
async fn tidy(inner: Router, mut request: Request) -> Response {
    if let Some(uri) = tidied(request.uri()) {
        *request.uri_mut() = uri;
    }
    inner.oneshot(request).await.unwrap_or_else(|never| match never {})
}

fn tidied(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let mut target = format!("/{}", segments.join("/"));
    if target == path {
        return None;
    }
    if let Some(query) = uri.query() {
        target.push('?');
        target.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}
