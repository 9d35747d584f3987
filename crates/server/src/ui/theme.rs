//! Light and dark: the system's choice unless the viewer made another.

use axum::{
    http::{HeaderMap, HeaderValue, header::SET_COOKIE},
    response::{IntoResponse, Response},
};

use super::{
    answer::{PageError, go},
    link,
    posted::Posted,
    session::cookie_of,
};

const COOKIE_NAME: &str = "muster_theme";

/// How pages look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// The choice that a browser keeps.
    pub(super) fn of(headers: &HeaderMap) -> Theme {
        cookie_of(headers, COOKIE_NAME).map(Theme::named).unwrap_or_default()
    }

    fn named(name: &str) -> Theme {
        match name {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::System,
        }
    }

    /// The word in pages and cookies.
    pub(super) fn name(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// What a press of the button leads to.
    pub(super) fn next(self) -> Theme {
        match self {
            Theme::System => Theme::Light,
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::System,
        }
    }

    /// What the button says.
    pub(super) fn label(self) -> &'static str {
        match self {
            Theme::System => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

/// Keeps a choice in the browser.
pub(super) async fn choose(Posted { fields, .. }: Posted) -> Result<Response, PageError> {
    let theme = Theme::named(fields.get("theme")).name();
    let mut response = go(link::within(fields.get("back")));
    // A script that changes the page by itself stays on it.
    if !fields.get("quiet").is_empty() {
        response = "kept".into_response();
    }
    let cookie = format!("{COOKIE_NAME}={theme}; Path=/; Max-Age=31536000; SameSite=Lax");
    response.headers_mut().insert(SET_COOKIE, HeaderValue::try_from(cookie).expect("words make a header value"));
    Ok(response)
}
