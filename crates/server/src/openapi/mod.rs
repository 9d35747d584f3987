//! The API document, built from the table of routes.
//!
//! What a route says about itself is completed here with what all routes of its kind share: who may call it, and the
//! answers that the gate and the limits give. Nothing in the document is written anywhere but beside the code it is
//! about.

/// Schemas of records and answers.
pub(crate) mod schema;

/// A JSON document that keeps the order of its members.
pub(crate) mod ordered;

/// What each code of a refused message means, and what to do about it.
pub(crate) mod codes;

use axum::http::Method;
use muster_store::credentials::Scopes;
use serde_json::Value;
use utoipa::openapi::{
    Components, ComponentsBuilder, Content, ContentBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, PathItem,
    PathsBuilder, Ref, RefOr, Required, ResponseBuilder, Schema,
    path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    tag::TagBuilder,
};

use crate::router::{Access, Route};

/// The parts of the document, in their order.
const TAGS: [(&str, &str); 17] = [
    ("Ingest", "Messages in. What was answered with 200 is on disk."),
    ("Segment spec", "Messages in, as the libraries of the Segment and RudderStack families send them."),
    ("Records", "Organizations, accounts and users, with their timelines."),
    ("Custom objects", "Custom objects and their instances."),
    ("NPS", "Responses to NPS surveys."),
    ("Team", "Members of the team, and managing them."),
    ("Set aside", "Messages that were refused, kept until they are corrected or dropped."),
    ("SQL", "Questions of your own, over everything that was sent."),
    ("Import and export", "History in and out, as files."),
    ("Deletions", "Records deleted, now or on a day, with a receipt for each."),
    ("Forwarding", "Destinations that messages go on to, and what they refused."),
    ("Saved views", "Views of tables and queries in SQL that a workspace keeps under names."),
    ("Keys", "Keys of a workspace."),
    ("Workspaces", "Which there are, and making one, for whoever operates this server."),
    ("Backups", "Copies of everything, for whoever operates this server."),
    ("Service", "Health, figures, this document."),
    ("Not offered", "Paths of the contract that are answered with 501, and why."),
];

/// What a route says about itself.
#[derive(Clone)]
pub(crate) struct Words {
    operation: Operation,
    /// Whether a body may be refused for what it is as a whole.
    takes_body: bool,
}

impl Words {
    /// A route of the part `tag`, in one line and in some more.
    pub(crate) fn new(tag: &str, summary: &str, description: &str) -> Words {
        debug_assert!(TAGS.iter().any(|(known, _)| *known == tag), "{tag}");
        let operation = OperationBuilder::new().tag(tag).summary(Some(summary));
        let description = (!description.is_empty()).then_some(description);
        Words { operation: operation.description(description).build(), takes_body: false }
    }

    /// A parameter after the question mark.
    pub(crate) fn query(self, name: &str, description: &str, schema: Schema) -> Words {
        self.parameter(name, ParameterIn::Query, description, schema)
    }

    /// A header that changes what is done or answered.
    pub(crate) fn header(self, name: &str, description: &str, schema: Schema) -> Words {
        self.parameter(name, ParameterIn::Header, description, schema)
    }

    /// A part of the path.
    pub(crate) fn segment(self, name: &str, description: &str) -> Words {
        self.parameter(name, ParameterIn::Path, description, schema::text())
    }

    fn parameter(self, name: &str, place: ParameterIn, description: &str, schema: Schema) -> Words {
        let required = if place == ParameterIn::Path { Required::True } else { Required::False };
        let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(required);
        let parameter = parameter.description(Some(description)).schema(Some(schema)).build();
        self.change(|operation| operation.parameter(parameter))
    }

    /// A JSON body with an example.
    pub(crate) fn body(
        mut self,
        description: &str,
        required: bool,
        schema: impl Into<RefOr<Schema>>,
        example: Value,
    ) -> Words {
        let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
        let required = if required { Required::True } else { Required::False };
        let body = RequestBodyBuilder::new().description(Some(description)).required(Some(required));
        let body = body.content("application/json", content).build();
        self.takes_body = true;
        self.change(|operation| operation.request_body(Some(body)))
    }

    /// An answer without a body.
    pub(crate) fn bare(self, status: u16, description: &str) -> Words {
        let response = ResponseBuilder::new().description(description).build();
        self.change(|operation| operation.response(status.to_string(), response))
    }

    /// An answer with a JSON body.
    pub(crate) fn answer(self, status: u16, description: &str, schema: impl Into<RefOr<Schema>>) -> Words {
        self.answer_as(status, description, "application/json", Content::new(Some(schema)))
    }

    /// An answer with a body of another kind.
    pub(crate) fn answer_as(self, status: u16, description: &str, kind: &str, content: Content) -> Words {
        let response = ResponseBuilder::new().description(description).content(kind, content).build();
        self.change(|operation| operation.response(status.to_string(), response))
    }

    fn change(mut self, change: impl FnOnce(OperationBuilder) -> OperationBuilder) -> Words {
        self.operation = change(self.operation.into()).build();
        self
    }

    fn error(self, status: u16, description: &str) -> Words {
        self.answer(status, description, named("Error"))
    }
}

/// A schema of this document, by its name.
pub(crate) fn named(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}

/// The document about a table of routes.
pub(crate) fn document(table: &[Route]) -> OpenApi {
    let mut paths = PathsBuilder::new();
    for route in table {
        let item = PathItem::new(http_method(&route.method), operation(route));
        paths = paths.path(document_path(&route.path), item);
    }
    let info = InfoBuilder::new()
        .title("Muster")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Customer data in, durable and deduplicated; profiles, timelines and set-aside messages out.",
        ))
        .build();
    let tags = TAGS.map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build());
    OpenApiBuilder::new().info(info).paths(paths.build()).components(Some(components())).tags(Some(tags)).build()
}

/// A path as the document writes it.
pub(crate) fn document_path(path: &str) -> String {
    path.replace("{*", "{")
}

fn operation(route: &Route) -> Operation {
    let mut words = route.words.clone();
    if words.takes_body {
        words = words
            .error(408, "The body took too long to arrive.")
            .error(413, "The body is too large, before or after decompression.")
            .error(415, "The `Content-Encoding` is not known; `Accept-Encoding` lists those that are.")
            .error(
                503,
                "No room, or the store takes no writes. Nothing was promised; `Retry-After` says when to try again.",
            );
    }
    let needs = match route.access {
        Access::Open => return words.change(|words| words.security(SecurityRequirement::default())).operation,
        Access::Scope(scope) => format!("Needs the scope `{scope}`."),
        Access::ReadOrOperator => format!("Needs the scope `{}`.", Scopes::READ),
        Access::Keys => format!("Needs the scope `{}`.", Scopes::ADMIN),
        Access::Workspaces => format!("Needs the scope `{}`.", Scopes::OPERATOR),
    };
    words = words
        .error(401, "No token, or one that is not known.")
        .error(403, "The key lacks the scope.")
        .error(429, "Over the key's rate limit; `Retry-After` says when to try again.");
    for scheme in ["basic", "bearer"] {
        let requirement = SecurityRequirement::new(scheme, Vec::<String>::new());
        words = words.change(|words| words.security(requirement));
    }
    let told = words.operation.description.take().unwrap_or_default();
    words.operation.description = Some(format!("{told} {needs}").trim().to_owned());
    words.operation
}

fn components() -> Components {
    let http = |scheme, description: &str| {
        SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(description)).build())
    };
    let basic = "The token as it stands, or base64 of the token, a colon and anything.";
    schema::all()
        .into_iter()
        .fold(ComponentsBuilder::new(), |components, (name, schema)| components.schema(name, schema))
        .security_scheme("basic", http(HttpAuthScheme::Basic, basic))
        .security_scheme("bearer", http(HttpAuthScheme::Bearer, "The token as it stands."))
        .build()
}

fn http_method(method: &Method) -> HttpMethod {
    match *method {
        Method::PUT => HttpMethod::Put,
        Method::POST => HttpMethod::Post,
        Method::DELETE => HttpMethod::Delete,
        Method::PATCH => HttpMethod::Patch,
        Method::HEAD => HttpMethod::Head,
        Method::OPTIONS => HttpMethod::Options,
        _ => HttpMethod::Get,
    }
}
