//! Pages as answers, with the policy for browsers; errors as pages.
//!
//! No page may be kept by a cache, put into a frame, or load or send anything elsewhere.

use askama::Template;
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{link, shown, theme::Theme};
use crate::error::ApiError;

/// What a browser may do with a page.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page as the answer.
pub(super) fn page(template: &impl Template) -> Result<Response, PageError> {
    html(StatusCode::OK, template)
}

/// A page with a status of its own.
pub(super) fn html(status: StatusCode, template: &impl Template) -> Result<Response, PageError> {
    let text = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be written");
        PageError::Api(ApiError::Internal)
    })?;
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    Ok(response)
}

/// The answer to a browser that asks for a page which there is not; nothing for programs.
pub(crate) fn no_such_page(request: &Request) -> Option<Response> {
    let wanted = request.method() == Method::GET && takes_pages(request.headers());
    wanted.then(|| drawn(PageError::no_such_page().into_response(), Theme::of(request.headers())))
}

/// The answer to a browser that opens an address which only a form leads to: the page that the form belongs to, or one that says
/// so. Nothing for programs.
pub(crate) fn no_page_by_itself(request: &Request) -> Option<Response> {
    if !takes_pages(request.headers()) {
        return None;
    }
    let path = request.uri().path();
    let page = link::page_of(path);
    if request.method() == Method::GET && page != path {
        return Some(go(&page));
    }
    Some(drawn(PageError::Api(ApiError::WrongMethod).into_response(), Theme::of(request.headers())))
}

/// Whether whoever asks shows pages.
fn takes_pages(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok());
    accepts.is_some_and(|accepts| accepts.contains("text/html"))
}

/// Errors of pages as pages, in the theme that the viewer chose: those that a handler made, and those of addresses that no handler
/// could read.
pub(super) async fn errors_as_pages(request: Request, next: Next) -> Response {
    let (for_people, theme) = (takes_pages(request.headers()), Theme::of(request.headers()));
    let response = next.run(request).await;
    let content = response.headers().get(header::CONTENT_TYPE);
    let is_page = content.is_some_and(|content| content.as_bytes().starts_with(b"text/html"));
    if for_people && !is_page && response.status() == StatusCode::BAD_REQUEST {
        let says = "a part of this address is not text once its escapes are resolved".to_owned();
        return drawn(PageError::Told { status: StatusCode::BAD_REQUEST, says }.into_response(), theme);
    }
    drawn(response, theme)
}

/// An answer that is an error's page, in a theme; any other as it is.
fn drawn(mut response: Response, theme: Theme) -> Response {
    let Some(page) = response.extensions_mut().remove::<ErrorPage>() else { return response };
    if let Ok(text) = (ErrorPage { theme, ..page }).render() {
        *response.body_mut() = Body::from(text);
    }
    response
}

/// An answer that sends the browser to another page of the console.
pub(super) fn go(to: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let to = HeaderValue::try_from(to).unwrap_or_else(|_| HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, to);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Makes an answer a file of this name, which no cache keeps and no browser takes for something else.
pub(super) fn as_file(response: &mut Response, content_type: &'static str, name: &str) {
    let headers = response.headers_mut();
    let disposition = format!("attachment; filename=\"{name}\"");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::try_from(disposition).expect("a word is a header value"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Why there is another page than the one asked for.
#[derive(Debug)]
pub(super) enum PageError {
    /// Nobody has signed in; afterwards the browser goes on to this page.
    SignedOut { next: String },
    /// A form that this session did not show.
    Foreign,
    /// What the console itself asks for.
    Told { status: StatusCode, says: String },
    /// What a program would be told, in words for the console, with when to try again.
    Later { status: StatusCode, says: String, retry_after: Option<HeaderValue> },
    /// The same as through the API.
    Api(ApiError),
}

impl PageError {
    /// Nothing is there.
    pub(super) fn no_such_page() -> PageError {
        PageError::Api(ApiError::NoSuchPath)
    }
}

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> PageError {
        PageError::Api(error)
    }
}

#[derive(Clone, Template)]
#[template(path = "error.html")]
struct ErrorPage {
    theme: Theme,
    title: &'static str,
    says: String,
    status: u16,
}

impl ErrorPage {
    fn new(status: StatusCode, says: String) -> ErrorPage {
        let title = match status {
            StatusCode::NOT_FOUND => "Nothing is here",
            StatusCode::FORBIDDEN => "Not with this key",
            StatusCode::TOO_MANY_REQUESTS => "Too many requests",
            status if status.is_server_error() => "That did not work",
            _ => "That cannot be shown",
        };
        ErrorPage { theme: Theme::System, title, says: sentence(&says), status: status.as_u16() }
    }
}

/// What an error says to people, who send forms and no messages.
fn told(error: &ApiError) -> String {
    match error {
        ApiError::OverRate { retry_after_seconds } => format!(
            "this key or member has made as many requests as its rate limit allows for now; wait {}, and load the page again",
            shown::many(*retry_after_seconds, "second")
        ),
        ApiError::BodyTooLarge { bytes_max, .. } => {
            format!(
                "what this form holds is larger than the {} that a form may have; nothing was done",
                shown::bytes(*bytes_max as u64)
            )
        }
        ApiError::WrongMethod => "this address is not a page by itself; a form leads to it, or a program".to_owned(),
        error => error.says(),
    }
}

/// Names of fields that are written as words are.
const FIELDS: [&str; 12] = [
    "timestamp",
    "type",
    "event",
    "traits",
    "properties",
    "from",
    "limit",
    "order",
    "after",
    "before",
    "archived",
    "anonymous",
];

/// A sentence with a capital letter and a full stop. A field's name at its beginning stays as it is spelt.
pub(super) fn sentence(says: &str) -> String {
    let stop = if says.ends_with('.') { "" } else { "." };
    let first = says.split(' ').next().unwrap_or_default();
    let is_name = FIELDS.contains(&first) || first.chars().any(|letter| letter.is_uppercase() || letter == '.');
    let mut letters = says.chars();
    match letters.next() {
        Some(first) if !is_name => format!("{}{}{stop}", first.to_uppercase(), letters.as_str()),
        _ => format!("{says}{stop}"),
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, says, retry_after) = match self {
            PageError::SignedOut { next } => return go(&link::with("/signin", &[("next", &next)])),
            PageError::Foreign => {
                let says = "this form belongs to a session that has ended; go back, load the page again and repeat it";
                (StatusCode::FORBIDDEN, says.to_owned(), None)
            }
            PageError::Told { status, says } => (status, says, None),
            PageError::Later { status, says, retry_after } => (status, says, retry_after),
            PageError::Api(error) => {
                error.log();
                (error.status(), told(&error), error.retry_after_seconds().map(HeaderValue::from))
            }
        };
        let page = ErrorPage::new(status, says);
        let written = html(status, &page);
        let mut response = written.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
        response.extensions_mut().insert(page);
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_and_end_as_sentences_do() {
        for (says, sentence_of_it) in [
            ("it is gone", "It is gone."),
            ("It is gone.", "It is gone."),
            ("userId must be a string", "userId must be a string."),
            ("timestamp must be a time", "timestamp must be a time."),
            ("trait.plan is no filter", "trait.plan is no filter."),
            ("", "."),
        ] {
            assert_eq!(sentence(says), sentence_of_it);
        }
    }
}
