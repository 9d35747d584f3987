//! Pages as answers, with the policy for browsers; errors as pages.
//!
//! No page may be kept by a cache, put into a frame, or load or send anything elsewhere.

use askama::Template;
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::link;
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
    let accepts = request.headers().get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok());
    let for_people = request.method() == Method::GET && accepts.is_some_and(|accepts| accepts.contains("text/html"));
    for_people.then(|| PageError::no_such_page().into_response())
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

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
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
        ErrorPage { title, says: sentence(&says), status: status.as_u16() }
    }
}

/// A sentence with a capital letter and a full stop. A field's name at its beginning stays as it is spelt.
pub(super) fn sentence(says: &str) -> String {
    let stop = if says.ends_with('.') { "" } else { "." };
    let is_name = says.split(' ').next().is_some_and(|word| word.chars().any(char::is_uppercase));
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
            PageError::Api(error) => {
                error.log();
                (error.status(), error.says(), error.retry_after_seconds())
            }
        };
        let written = html(status, &ErrorPage::new(status, says));
        let mut response = written.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
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
            ("", "."),
        ] {
            assert_eq!(sentence(says), sentence_of_it);
        }
    }
}
