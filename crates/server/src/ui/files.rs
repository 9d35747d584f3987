//! Style, script and icon, under names that change with what they hold.
//!
//! A browser keeps each of them for a year; a new version has a new name, so that none is ever stale.

use std::sync::LazyLock;

use axum::{
    body::{Body, Bytes},
    extract::Path,
    http::{HeaderValue, header},
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::answer::PageError;

/// One file.
struct File {
    name: String,
    content_type: &'static str,
    content: &'static [u8],
}

impl File {
    fn new(stem: &str, ending: &str, content_type: &'static str, content: &'static [u8]) -> File {
        let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(content)[..9]);
        File { name: format!("{stem}-{digest}.{ending}"), content_type, content }
    }

    fn path(&self) -> String {
        format!("/console/{}", self.name)
    }
}

static STYLE: LazyLock<File> =
    LazyLock::new(|| File::new("console", "css", "text/css; charset=utf-8", include_bytes!("static/console.css")));
static SCRIPT: LazyLock<File> =
    LazyLock::new(|| File::new("console", "js", "text/javascript; charset=utf-8", include_bytes!("static/console.js")));
static ICON: LazyLock<File> =
    LazyLock::new(|| File::new("icon", "svg", "image/svg+xml", include_bytes!("static/icon.svg")));

/// Where the style is.
pub(super) fn style() -> String {
    STYLE.path()
}

/// Where the script is.
pub(super) fn script() -> String {
    SCRIPT.path()
}

/// Where the icon is.
pub(super) fn icon() -> String {
    ICON.path()
}

/// Answers one of the files.
pub(super) async fn show(Path(name): Path<String>) -> Result<Response, PageError> {
    let known = [&STYLE, &SCRIPT, &ICON].into_iter().find(|file| file.name == name);
    let file = known.ok_or_else(PageError::no_such_page)?;
    let mut response = Response::new(Body::from(Bytes::from_static(file.content)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
