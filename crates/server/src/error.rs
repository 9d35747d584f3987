//! Every error, with its status and its words.
//!
//! The one place where something that went wrong becomes an HTTP answer. The words are for the client: what happened and
//! what to do. What went wrong inside is logged here once and never shown.

use std::time::Duration;

use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{ACCEPT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use muster_query::QueryError;
use muster_store::{
    credentials::Scopes,
    error::{AdminError, AppendError, ReadError},
};

use crate::{
    ingest::batch::Malformed,
    query::refusal,
    violation::{self, Violation},
    wire::object::Object,
};

/// When to ask again for what is busy and does not say for how long.
const RETRY_SECONDS: u64 = 1;

/// What a key is told that may not say where messages go.
const OPERATOR_GIVES_IT: &str =
    "only the local operator gives the scope operator; run `muster keys create` on the server's own machine";
const OF_ANOTHER_WORKSPACE: &str =
    "a key manages the keys of its own workspace only; use an admin key of the other workspace";
const OPERATOR_SAYS_WHERE: &str =
    "only whoever operates this server may say where messages go; see forward.managed_by in its settings";

/// Everything that a request can be answered with besides success and refused messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ApiError {
    NoCredentials,
    UnknownToken,
    MissingScope {
        needs: Scopes,
        has: Scopes,
    },
    OperatorOnlyManagesKeys,
    OperatorOnly,
    OtherWorkspace,
    /// A key asks for a key that sees all workspaces.
    OperatorScope,
    DestinationsByOperator,
    OverRate {
        retry_after_seconds: u64,
    },
    BodyTooLarge {
        bytes_max: usize,
        compressed: bool,
    },
    UnsupportedEncoding,
    BodyNotDecodable {
        encoding: &'static str,
    },
    BodyTimeout,
    BodyCutShort,
    NoRoom,
    Malformed(Malformed),
    Parameter(String),
    Cursor,
    Invalid(Vec<Violation>),
    NoSuchRecord {
        kind: &'static str,
    },
    NoSuchWorkspace {
        name: String,
    },
    NotKnownThen {
        kind: &'static str,
    },
    NoSuchTail,
    PlaceGone,
    TailTaken,
    NoSuchPath,
    /// Another node of the cluster answers this.
    OfAnotherNode {
        role: &'static str,
    },
    WrongMethod,
    OutOfScope,
    Append(AppendError),
    StoreTimeout,
    QueriesFull,
    WatchersFull,
    Query(QueryError),
    Read(ReadError),
    Admin(AdminError),
    Internal,
}

impl ApiError {
    /// A parameter that breaks a rule; the sentence says which one and what it may be.
    pub(crate) fn parameter(says: impl Into<String>) -> ApiError {
        ApiError::Parameter(says.into())
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            ApiError::NoCredentials | ApiError::UnknownToken => StatusCode::UNAUTHORIZED,
            ApiError::MissingScope { .. }
            | ApiError::OperatorOnlyManagesKeys
            | ApiError::OperatorOnly
            | ApiError::DestinationsByOperator
            | ApiError::OtherWorkspace
            | ApiError::OperatorScope => StatusCode::FORBIDDEN,
            ApiError::OverRate { .. } => StatusCode::TOO_MANY_REQUESTS,
            ApiError::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ApiError::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ApiError::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            ApiError::BodyNotDecodable { .. }
            | ApiError::BodyCutShort
            | ApiError::Malformed(_)
            | ApiError::Parameter(_)
            | ApiError::Cursor
            | ApiError::Invalid(_) => StatusCode::BAD_REQUEST,
            ApiError::NoSuchRecord { .. }
            | ApiError::NoSuchWorkspace { .. }
            | ApiError::NotKnownThen { .. }
            | ApiError::NoSuchTail
            | ApiError::OfAnotherNode { .. }
            | ApiError::NoSuchPath => StatusCode::NOT_FOUND,
            ApiError::PlaceGone => StatusCode::CONFLICT,
            ApiError::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            ApiError::OutOfScope => StatusCode::NOT_IMPLEMENTED,
            ApiError::NoRoom
            | ApiError::StoreTimeout
            | ApiError::QueriesFull
            | ApiError::WatchersFull
            | ApiError::TailTaken => StatusCode::SERVICE_UNAVAILABLE,
            ApiError::Query(error) => refusal::status(error),
            ApiError::Append(
                AppendError::Full { .. }
                | AppendError::Hindered { .. }
                | AppendError::Busy { .. }
                | AppendError::Stopped { .. }
                | AppendError::Closing,
            ) => StatusCode::SERVICE_UNAVAILABLE,
            ApiError::Read(ReadError::TooLarge { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            ApiError::Read(ReadError::Damaged { .. } | ReadError::Failed { .. }) | ApiError::Internal => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            ApiError::Admin(AdminError::Invalid(_)) => StatusCode::BAD_REQUEST,
            ApiError::Admin(AdminError::NotFound(_)) => StatusCode::NOT_FOUND,
            ApiError::Admin(AdminError::Exists(_)) => StatusCode::CONFLICT,
            ApiError::Admin(AdminError::Busy(_)) => StatusCode::SERVICE_UNAVAILABLE,
            ApiError::Admin(AdminError::Failed(_)) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// When the same request may be sent again, if waiting is what helps: with every 429 and 503.
    pub(crate) fn retry_after_seconds(&self) -> Option<u64> {
        let whole = |wait: Duration| wait.as_millis().div_ceil(1_000).max(1) as u64;
        let told = match self {
            ApiError::OverRate { retry_after_seconds } => Some(*retry_after_seconds),
            ApiError::Append(error) => Some(whole(error.retry_after())),
            ApiError::StoreTimeout => Some(5),
            _ => None,
        };
        let is_busy = matches!(self.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        told.or_else(|| is_busy.then_some(RETRY_SECONDS))
    }

    fn says_of_path(&self) -> String {
        match self {
            ApiError::OfAnotherNode { role } => {
                format!("this node does not answer this: ask one of the cluster whose roles include {role}")
            }
            ApiError::WrongMethod => {
                "this path does not take this method; the Allow header lists the ones it takes".to_owned()
            }
            _ => "there is nothing at this path; /docs lists what there is".to_owned(),
        }
    }

    /// The sentence for the client.
    pub(crate) fn says(&self) -> String {
        match self {
            ApiError::NoCredentials => "Authorization header not present.".to_owned(),
            ApiError::UnknownToken => {
                "the token is not known here, or was revoked; send `Authorization: Basic <token>` \
                 with the token of a key of this server"
                    .to_owned()
            }
            ApiError::MissingScope { needs, has } => {
                format!("this needs the scope {needs}, and the key has {has}; use a key with the scope {needs}")
            }
            ApiError::OperatorOnlyManagesKeys => {
                "the local operator's token manages keys, teams, destinations and backups and asks queries, nothing else; use the token of \
                 a key"
                    .to_owned()
            }
            ApiError::OperatorOnly => {
                "only the local operator may do this; run `muster backup` on the server's own machine".to_owned()
            }
            ApiError::OperatorScope => OPERATOR_GIVES_IT.to_owned(),
            ApiError::OtherWorkspace => OF_ANOTHER_WORKSPACE.to_owned(),
            ApiError::DestinationsByOperator => OPERATOR_SAYS_WHERE.to_owned(),
            ApiError::OverRate { retry_after_seconds } => format!(
                "the key has made all the requests that its rate limit allows for now; wait {retry_after_seconds} \
                 seconds, or send more messages in each request"
            ),
            ApiError::NoSuchRecord { kind } => {
                format!("there is no such {kind}; its id or external id is not known here")
            }
            ApiError::NoSuchWorkspace { name } => format!("there is no workspace {name}; GET /admin/v1/workspaces tells which there are"),
            ApiError::NotKnownThen { kind } => {
                format!("this {kind} was not known yet at the time that asOf names; ask for a later one")
            }
            ApiError::NoSuchTail | ApiError::PlaceGone | ApiError::TailTaken => self.says_of_tail(),
            ApiError::NoSuchPath | ApiError::OfAnotherNode { .. } | ApiError::WrongMethod => self.says_of_path(),
            ApiError::OutOfScope => "notes, tasks, projects, meetings and conversations belong to a customer-success \
                 team's screens; this server keeps analytics only and will not offer them"
                .to_owned(),
            ApiError::Admin(
                AdminError::Invalid(says)
                | AdminError::NotFound(says)
                | AdminError::Exists(says)
                | AdminError::Busy(says),
            ) => says.clone(),
            ApiError::Parameter(says) => says.clone(),
            ApiError::Cursor => {
                "from is no cursor of this list; take it from `next` of the page before, with the same \
                 parameters, or leave it out to start anew"
                    .to_owned()
            }
            ApiError::Invalid(violations) => {
                violations.first().map_or(String::new(), |first| first.message().to_owned())
            }
            ApiError::BodyTooLarge { .. }
            | ApiError::UnsupportedEncoding
            | ApiError::BodyNotDecodable { .. }
            | ApiError::BodyTimeout
            | ApiError::BodyCutShort
            | ApiError::Malformed(_) => self.says_of_body(),
            ApiError::Query(error) => refusal::says(error),
            ApiError::NoRoom
            | ApiError::QueriesFull
            | ApiError::WatchersFull
            | ApiError::Append(_)
            | ApiError::StoreTimeout
            | ApiError::Read(_)
            | ApiError::Admin(AdminError::Failed(_))
            | ApiError::Internal => self.says_of_server(),
        }
    }

    fn says_of_tail(&self) -> String {
        let says = match self {
            ApiError::NoSuchTail => {
                "nothing is kept for a tail of this name: it was ended, or nobody asked for it in the time that it is kept; begin \
                 with a new export"
            }
            ApiError::PlaceGone => {
                "what was stored after this position is not kept any more, because a later position was told here before; begin \
                 with a new export"
            }
            _ => "somebody else still reads this tail, which has one reader; ask again in a moment",
        };
        says.to_owned()
    }

    fn says_of_body(&self) -> String {
        match self {
            ApiError::BodyTooLarge { bytes_max, compressed: true } => {
                format!("the compressed body is larger than {bytes_max} bytes; send fewer messages in each request")
            }
            ApiError::BodyTooLarge { bytes_max, .. } => format!(
                "the body is larger than {bytes_max} bytes after decompression; send fewer messages in each request"
            ),
            ApiError::UnsupportedEncoding => {
                "the Content-Encoding is not known; send gzip, zstd, br or deflate, one at a time, or no encoding"
                    .to_owned()
            }
            ApiError::BodyNotDecodable { encoding } => format!(
                "the body is not valid {encoding} data, or ends early; compress it again, or send it without \
                 Content-Encoding"
            ),
            ApiError::BodyTimeout => "the body took too long to arrive; nothing was stored, send it again".to_owned(),
            ApiError::Malformed(malformed) => malformed_says(malformed),
            _ => "the body ended before it was complete; nothing was stored, send it again".to_owned(),
        }
    }

    fn says_of_server(&self) -> String {
        match self {
            ApiError::NoRoom => {
                "too many bodies are being received at this moment; send the request again, nothing of \
                 it was stored"
                    .to_owned()
            }
            ApiError::QueriesFull => {
                "as many queries run at this moment as may; ask again in a moment, or see [query] in the settings"
                    .to_owned()
            }
            ApiError::WatchersFull => {
                "as many watch messages arrive at this moment as may; close another live view, or try again later"
                    .to_owned()
            }
            ApiError::Append(AppendError::Full { .. }) => {
                "more messages are waiting to be stored than there is room for; send the request again".to_owned()
            }
            ApiError::Append(AppendError::Hindered { .. }) => {
                "the server cannot write to its disk at this moment; keep the messages and send them again later"
                    .to_owned()
            }
            ApiError::Append(AppendError::Busy { what, .. }) => what.clone(),
            ApiError::Append(AppendError::Stopped { .. }) => {
                "the server takes no messages until it is restarted; keep \
                 them and send them again later"
                    .to_owned()
            }
            ApiError::Append(AppendError::Closing) => {
                "the server is shutting down; send the request again in a moment".to_owned()
            }
            ApiError::StoreTimeout => "the messages took too long to store; send the request again, what is stored \
                 already is not stored twice"
                .to_owned(),
            ApiError::Read(ReadError::TooLarge { .. }) => {
                "this would read more than one request may; ask for a smaller page or a narrower time".to_owned()
            }
            ApiError::Read(ReadError::Damaged { .. }) => "stored data needed for this answer is damaged; whoever runs \
                 this server finds more in its log"
                .to_owned(),
            _ => "the server failed to do this; whoever runs it finds more in its log".to_owned(),
        }
    }

    /// Logs what a client is not told. Everything else shows in the event of the request.
    pub(crate) fn log(&self) {
        match self {
            ApiError::Append(AppendError::Stopped { reason }) => tracing::error!(%reason, "the store takes no writes"),
            ApiError::Read(error @ (ReadError::Damaged { .. } | ReadError::Failed { .. })) => {
                tracing::error!(%error, "a read failed");
            }
            ApiError::Admin(error @ AdminError::Failed(_)) => tracing::error!(%error, "a change of keys failed"),
            ApiError::Query(error) => refusal::log(error),
            ApiError::StoreTimeout => tracing::warn!("the store did not answer in time"),
            _ => {}
        }
    }
}

/// The code by which a program tells what is wrong with a body as a whole.
pub(crate) fn malformed_code(malformed: &Malformed) -> &'static str {
    match malformed {
        Malformed::Empty | Malformed::CutShort { .. } | Malformed::NotJson { .. } => "invalid_json",
        Malformed::NotAnArray { .. } => "not_an_array",
        Malformed::TooMany { .. } => "too_many_messages",
    }
}

/// What is wrong with a body as a whole, in a sentence.
pub(crate) fn malformed_says(malformed: &Malformed) -> String {
    match malformed {
        Malformed::Empty => "the body is empty: it ends at byte 0; send JSON".to_owned(),
        Malformed::CutShort { position } => {
            format!("the body is not JSON: it ends at byte {position} in the middle of a value; send the whole of it")
        }
        Malformed::NotJson { position, line, column } => format!(
            "the body is not JSON at byte {position} (line {line}, column {column}); correct it there and send it again"
        ),
        Malformed::NotAnArray { position } => format!(
            "a batch is a JSON array of messages, and at byte {position} something else starts; send [{{…}}, {{…}}], or \
             send a single message to the path of its kind"
        ),
        Malformed::TooMany { count, messages_max } => format!(
            "the batch has {count} messages, at most {messages_max} are accepted; split it into several requests"
        ),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let mut out = Vec::with_capacity(256);
        let says = self.says();
        Object::write(&mut out, |object| match &self {
            ApiError::Malformed(malformed) => object.object("error", |error| write_malformed(error, malformed, &says)),
            ApiError::Invalid(violations) => object.object("error", |error| violation::write(error, violations)),
            ApiError::Query(query) => object.object("error", |error| refusal::write(error, query)),
            _ => object.text("error", &says),
        });
        let mut response = Response::new(Body::from(out));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Muster\""));
        }
        if self == ApiError::UnsupportedEncoding {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd, br, deflate"));
        }
        response
    }
}

/// The shape in which refused messages are reported, with the place or the count instead of an index.
fn write_malformed(error: &mut Object<'_>, malformed: &Malformed, says: &str) {
    error.text("message", says);
    error.number("stored", 0);
    error.list("errors", |list| {
        list.object(|one| {
            one.null("index");
            one.text("code", malformed_code(malformed));
            one.text("instancePath", "");
            one.text("message", says);
            match malformed {
                Malformed::Empty => one.number("position", 0),
                Malformed::CutShort { position }
                | Malformed::NotJson { position, .. }
                | Malformed::NotAnArray { position } => one.number("position", *position as u64),
                Malformed::TooMany { count, .. } => one.number("count", *count as u64),
            }
        });
    });
}
