//! The API document and its page.

use muster_model::rejection::Code;
use serde_json::Value;

use crate::harness::Api;

fn document(api: &Api) -> Value {
    let answer = api.ask_with("GET /openapi.json", &[("authorization", "")], "");
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    answer.json()
}

/// The document and the router are made from one table; this asks the router itself, so that it cannot drift away from
/// the table either.
#[test]
fn every_path_of_the_document_is_served_with_its_methods() {
    let api = Api::with(|settings| settings.requests_per_minute = 1_000_000);
    let document = document(&api);
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 40, "{}", paths.len());
    for (path, item) in paths {
        let target =
            path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/");
        let allow = api.ask(&format!("TRACE {target}"), "");
        assert_eq!(allow.status, 405, "{path}");
        let served: Vec<&str> = allow.header("allow").split(',').filter(|method| *method != "HEAD").collect();
        // A word in the place of an id may be an id: that is described where the id stands.
        let stem = |path: &str| path.rsplit_once('/').map(|(stem, last)| (stem.to_owned(), last.starts_with('{')));
        let of_ids = stem(path).filter(|(_, id)| !id).map(|(stem, _)| Some((stem, true)));
        let of_ids = of_ids.and_then(|sought| paths.iter().find(|(other, _)| stem(other) == sought));
        let own: Vec<&&str> = served.iter().filter(|method| item.get(method.to_lowercase()).is_some()).collect();
        for method in &served {
            let operation = item.get(method.to_lowercase());
            let operation = operation.or_else(|| of_ids?.1.get(method.to_lowercase())).unwrap_or(&Value::Null);
            assert!(operation["summary"].is_string(), "{method} {path} is served and not described");
            assert!(operation["responses"].as_object().is_some_and(|all| !all.is_empty()), "{method} {path}");
        }
        assert_eq!(item.as_object().unwrap().len(), own.len(), "{path} is described for methods it does not take");
    }
}

#[test]
fn every_code_is_documented() {
    let api = Api::new();
    let document = document(&api);
    let code = &document["components"]["schemas"]["IngestError"]["properties"]["error"]["properties"]["errors"]["items"]
        ["properties"]["code"];
    for known in Code::ALL {
        assert!(code["enum"].as_array().unwrap().contains(&known.as_str().into()), "{known:?}");
        assert!(code["description"].as_str().unwrap().contains(&format!("`{}`: ", known.as_str())), "{known:?}");
    }
}

#[test]
fn schemas_name_the_fields_that_are_written_in_their_order() {
    let api = Api::new();
    api.send(
        r#"[{"type":"user","userId":"u","accountId":"a","organizationId":"o","messageId":"1"},
            {"type":"user","userId":"u","accountId":"a","messageId":"2","traits":{"t":1}},
            {"type":"track","userId":"u","event":"e","messageId":"1"}]"#,
    );
    api.ask("POST /analytics/v1/batch", "[1]");
    api.ask("POST /admin/v1/destinations", r#"{"name":"d","kind":"vitally","secret":"s"}"#);
    let document = api.ask("GET /openapi.json", "").body;
    for (schema, target) in [
        ("Organization", "/resources/organizations"),
        ("Account", "/resources/accounts"),
        ("User", "/resources/users"),
        ("Event", "/resources/users/u/events"),
        ("Statement", "/resources/users/u/traits/t/history"),
        ("Day", "/resources/users/u/activity"),
        ("EventName", "/resources/events/names"),
        ("Refused", "/resources/refused"),
        ("Destination", "/admin/v1/destinations"),
        ("Key", "/admin/v1/keys"),
    ] {
        let answer = api.ask(&format!("GET {target}"), "").body;
        let written = members(answer.strip_prefix(r#"{"results":["#).unwrap());
        let schemas = &document[document.find("\"schemas\"").unwrap()..];
        let at = schemas.find(&format!("\"{schema}\": {{")).unwrap();
        let properties = &schemas[at..][schemas[at..].find("\"properties\": ").unwrap() + 14..];
        let mut described = members(properties);
        described.retain(|name| !["bodyBase64", "secret"].contains(&name.as_str()));
        assert_eq!(written, described, "{schema}");
    }
}

/// The names of an object's members in the order of the text, which a parsed value does not keep.
fn members(text: &str) -> Vec<String> {
    let mut walk = muster_model::json::Walk::new(text, 64);
    walk.peek();
    let mut names = Vec::new();
    walk.members(1, |_, member| names.push(member.raw_key.to_owned()));
    names
}

#[test]
fn references_lead_somewhere() {
    let api = Api::new();
    let document = document(&api);
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
}

#[test]
fn the_page_stands_alone() {
    let api = Api::new();
    let answer = api.ask_with("GET /docs", &[("authorization", "")], "");
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    let page = &answer.body;
    for forbidden in ["<script", "http://", "https://", "src=", "<link", "@import", "url(", "style=", "onclick"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    // The hash in the policy is the hash of the one style on the page.
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = <sha2::Sha256 as sha2::Digest>::digest(style);
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash);
    assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy}");
    let document = document(&api);
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("<code>{path}</code>")), "{path} is not on the page");
    }
    for code in Code::ALL {
        assert!(page.contains(&format!("<code>{}</code>", code.as_str())), "{code:?} is not on the page");
    }
}
