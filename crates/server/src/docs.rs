//! The API document as a page for people.
//!
//! Rendered once, when the server starts, from the document at `/openapi.json`. The page stands alone: one style, no
//! script, nothing loaded from anywhere, and a policy that forbids browsers to do otherwise.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, Method, header},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use utoipa::openapi::{Content, OpenApi};

use crate::{
    error::ApiError,
    html::{escaped, put},
    openapi::{Words, ordered::Ordered, schema},
    router::{Access, Route},
    state::AppState,
};

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#1c2430;background:#fff}\
h1,h2,h3{line-height:1.2}h2{border-bottom:1px solid #d5dae1;margin-top:3rem;padding-bottom:.3rem}\
h3{margin:2rem 0 .3rem}code,pre{font:14px/1.4 ui-monospace,monospace;background:#f2f4f7;border-radius:4px}\
code{padding:.1em .3em}pre{padding:.8rem;overflow:auto}.m{color:#fff;background:#3a5a88;padding:.1em .5em}\
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid #d5dae1;padding:.3rem .6rem .3rem 0;text-align:left;\
vertical-align:top}ul{padding-left:1.2rem}a{color:#24579b}\
@media(prefers-color-scheme:dark){body{color:#d9dee6;background:#161b22}code,pre{background:#232a34}\
h2,td,th{border-color:#39424e}a{color:#86b3ef}}";

/// What is served about the API.
pub(crate) struct Pages {
    document: Bytes,
    page: Bytes,
    policy: HeaderValue,
}

impl Pages {
    /// Renders both forms of the document.
    pub(crate) fn new(document: &OpenApi) -> Pages {
        let text = document.to_pretty_json().expect("the document is plain data");
        let document = Ordered::parse(&text).expect("the document is JSON");
        let style = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        Pages {
            document: text.into(),
            page: page(&document).into(),
            policy: HeaderValue::try_from(policy).expect("base64 and words make a header value"),
        }
    }
}

/// The routes of this file, with their words in the API document.
pub(crate) fn routes() -> [Route; 2] {
    let document = Words::new("Service", "Shows the API document", "In the form of OpenAPI.").answer(
        200,
        "The document.",
        schema::any_object(),
    );
    let html = Content::new(Some(schema::text()));
    let page =
        Words::new("Service", "Shows the API document as a page", "").answer_as(200, "The page.", "text/html", html);
    [
        Route::new(Method::GET, "/openapi.json", Access::Open, show_document, document),
        Route::new(Method::GET, "/docs", Access::Open, show_page, page),
    ]
}

async fn show_document(State(state): State<AppState>) -> Result<Response, ApiError> {
    let pages = state.pages.get().ok_or(ApiError::Internal)?;
    let mut response = Response::new(Body::from(pages.document.clone()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

async fn show_page(State(state): State<AppState>) -> Result<Response, ApiError> {
    let pages = state.pages.get().ok_or(ApiError::Internal)?;
    let mut response = Response::new(Body::from(pages.page.clone()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, pages.policy.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

fn page(document: &Ordered) -> String {
    let mut out = String::with_capacity(64 * 1024);
    let title = words(&document["info"]["title"]);
    put(&mut out, format_args!("<!doctype html><html lang=en><meta charset=utf-8><title>{title} API</title>"));
    put(&mut out, format_args!("<meta name=viewport content=\"width=device-width\"><style>{STYLE}</style>"));
    let (version, about) = (words(&document["info"]["version"]), prose(&document["info"]["description"]));
    put(&mut out, format_args!("<h1>{title} API</h1><p>Version {version}. {about}"));
    put(&mut out, format_args!("<p>For programs: <a href=\"/openapi.json\">/openapi.json</a>"));
    for tag in document["tags"].elements() {
        put(&mut out, format_args!("<h2>{}</h2><p>{}", words(&tag["name"]), prose(&tag["description"])));
        let mut refused = String::new();
        for (path, item) in document["paths"].members() {
            for (method, operation) in item.members() {
                let of_tag = operation["tags"].elements().iter().any(|name| name.text() == tag["name"].text());
                match of_tag {
                    true if operation["responses"]["501"].members().is_empty() => {
                        put_operation(&mut out, path, method, operation);
                    }
                    true => put_refused(&mut refused, path, method, operation),
                    false => {}
                }
            }
        }
        if !refused.is_empty() {
            put(&mut out, format_args!("<table><tr><th>Path<th>Why not{refused}</table>"));
        }
    }
    out.push_str("<h2>Schemas</h2>");
    for (name, schema) in document["components"]["schemas"].members() {
        put(&mut out, format_args!("<h3 id=\"{name}\">{name}</h3>"));
        put_fields(&mut out, schema);
    }
    out
}

fn put_operation(out: &mut String, path: &str, method: &str, operation: &Ordered) {
    let method = method.to_uppercase();
    put(out, format_args!("<h3><code class=m>{method}</code> <code>{}</code></h3>", escaped(path)));
    put(out, format_args!("<p><b>{}.</b> {}", words(&operation["summary"]), prose(&operation["description"])));
    let parameters = operation["parameters"].elements();
    if !parameters.is_empty() {
        out.push_str("<table><tr><th>Parameter<th>In<th>Meaning");
        for parameter in parameters {
            let (name, place) = (words(&parameter["name"]), words(&parameter["in"]));
            let (about, kind) = (prose(&parameter["description"]), kind_of(&parameter["schema"]));
            put(out, format_args!("<tr><td><code>{name}</code><td>{place}<td>{about} {kind}"));
        }
        out.push_str("</table>");
    }
    let example = &operation["requestBody"]["content"]["application/json"]["example"];
    if !matches!(example, Ordered::Nothing) {
        let mut text = String::new();
        put_example(&mut text, example, "");
        put(out, format_args!("<p>Body:<pre>{}</pre>", escaped(&text)));
    }
    out.push_str("<table><tr><th>Answer<th>Meaning");
    for (status, answer) in operation["responses"].members() {
        let schemas = answer["content"].members().iter().map(|(_, content)| kind_of(&content["schema"]));
        let (about, schemas) = (prose(&answer["description"]), schemas.collect::<Vec<_>>().join(" "));
        put(out, format_args!("<tr><td><code>{status}</code><td>{about} {schemas}"));
    }
    out.push_str("</table>");
}

fn put_refused(out: &mut String, path: &str, method: &str, operation: &Ordered) {
    let (method, path) = (method.to_uppercase(), escaped(path));
    put(out, format_args!("<tr><td>{method} <code>{path}</code><td>{}", words(&operation["summary"])));
}

fn put_fields(out: &mut String, schema: &Ordered) {
    out.push_str("<table><tr><th>Field<th>Holds");
    for (name, field) in schema["properties"].members() {
        let about = prose(&field["description"]);
        put(out, format_args!("<tr><td><code>{}</code><td>{} {about}", escaped(name), kind_of(field)));
        let inner = if field["items"].members().is_empty() { field } else { &field["items"] };
        if !inner["properties"].members().is_empty() {
            put_fields(out, inner);
        }
    }
    out.push_str("</table>");
}

/// An example as JSON, a member or an element on a line.
fn put_example(out: &mut String, value: &Ordered, indent: &str) {
    let deeper = format!("{indent}  ");
    let mut separator = "";
    match value {
        Ordered::Object(members) => {
            out.push('{');
            for (name, value) in members {
                put(out, format_args!("{separator}\n{deeper}\"{name}\": "));
                put_example(out, value, &deeper);
                separator = ",";
            }
            put(out, format_args!("\n{indent}}}"));
        }
        Ordered::List(elements) => {
            out.push('[');
            for element in elements {
                put(out, format_args!("{separator}\n{deeper}"));
                put_example(out, element, &deeper);
                separator = ",";
            }
            put(out, format_args!("\n{indent}]"));
        }
        Ordered::Text(text) => put(out, format_args!("\"{text}\"")),
        Ordered::Number(number) => put(out, format_args!("{number}")),
        Ordered::Nothing => out.push_str("null"),
    }
}

/// What a schema allows, in a few words.
fn kind_of(schema: &Ordered) -> String {
    if let Some(name) = schema["$ref"].text().rsplit('/').next().filter(|name| !name.is_empty()) {
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    let values = schema["enum"].elements();
    if !values.is_empty() {
        return values.iter().map(|value| format!("<code>{}</code>", words(value))).collect::<Vec<_>>().join(" ");
    }
    let several: Vec<String> = schema["type"].elements().iter().map(words).collect();
    let mut kinds = if several.is_empty() { words(&schema["type"]) } else { several.join(" or ") };
    let format = schema["format"].text();
    if !format.is_empty() {
        put(&mut kinds, format_args!(" ({})", escaped(format)));
    }
    if let (Some(least), Some(most)) = (schema["minimum"].number(), schema["maximum"].number()) {
        put(&mut kinds, format_args!(" from {least} to {most}"));
    }
    if !schema["items"].members().is_empty() {
        put(&mut kinds, format_args!(" of {}", kind_of(&schema["items"])));
    }
    kinds
}

fn words(value: &Ordered) -> String {
    escaped(value.text())
}

/// Text with `code` and lists in it, as the document's descriptions have them.
fn prose(value: &Ordered) -> String {
    let mut out = String::new();
    let mut in_list = false;
    for line in value.text().lines() {
        let item = line.strip_prefix("* ");
        if item.is_some() != in_list {
            out.push_str(if in_list { "</ul>" } else { "<ul>" });
            in_list = item.is_some();
        }
        out.push_str(if in_list { "<li>" } else { " " });
        for (nth, part) in item.unwrap_or(line).split('`').enumerate() {
            let part = escaped(part);
            if nth % 2 == 1 {
                put(&mut out, format_args!("<code>{part}</code>"));
            } else {
                out.push_str(&part);
            }
        }
    }
    if in_list {
        out.push_str("</ul>");
    }
    out
}
