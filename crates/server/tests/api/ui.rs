//! The console over HTTP: who gets in, what a page may do in a browser, and that no text of a customer becomes markup.

use crate::harness::{Answer, Api, TOKEN};
use muster_store::credentials::{Credentials, Scopes};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Signs in and gives back the cookie.
fn signed_in(api: &Api, token: &str) -> String {
    let answer = api.ask_with("POST /signin", &[("authorization", ""), FORM], format!("token={token}&next=%2Fusers"));
    assert_eq!((answer.status, answer.header("location")), (303, "/users"), "{}", answer.body);
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains(token));
    cookie.split(';').next().expect("a cookie").to_owned()
}

/// Asks as a browser does that holds a cookie and no token.
fn ask(api: &Api, line: &str, cookie: &str, body: &str) -> Answer {
    api.ask_with(line, &[("authorization", ""), ("cookie", cookie), FORM], body.to_owned())
}

/// The token that the forms of a page hold.
fn csrf(page: &str) -> &str {
    let after = page.split("name=\"csrf\" value=\"").nth(1).expect("a page with a form");
    after.split('"').next().expect("a value")
}

#[test]
fn nobody_gets_in_without_a_key() {
    let api = Api::new();
    api.key("default", "writes-only", Scopes::WRITE);
    for path in ["/accounts", "/users/32", "/accounts.csv", "/search?q=x", "/organizations"] {
        let answer = ask(&api, &format!("GET {path}"), "", "");
        assert_eq!(answer.status, 303, "{path}");
        assert!(answer.header("location").starts_with("/signin?next=%2F"), "{path}");
        // A token is for programs; a page does not take it.
        assert_eq!(api.ask_with(&format!("GET {path}"), &[], "").status, 303, "{path}");
    }
    for (token, says) in
        [("wrong", "no key of this server"), ("", "no key of this server"), ("writes-only", "may not read")]
    {
        let answer = ask(&api, "POST /signin", "", &format!("token={token}"));
        assert_eq!((answer.status, answer.header("set-cookie")), (401, ""), "{token}");
        assert!(answer.body.contains(says), "{token}: {}", answer.body);
    }
}

#[test]
fn a_session_lasts_until_its_key_ends_or_two_weeks_have_passed() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    assert_eq!(ask(&api, "GET /accounts", &cookie, "").status, 200);
    for at in 0..cookie.len() {
        let mut forged = cookie.clone().into_bytes();
        forged[at] = if forged[at] == b'1' { b'2' } else { b'1' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(ask(&api, "GET /accounts", &forged, "").status, 303, "{forged}");
    }
    api.pass_seconds(14 * 24 * 60 * 60 - 1);
    assert_eq!(ask(&api, "GET /accounts", &cookie, "").status, 200);
    api.pass_seconds(1);
    assert_eq!(ask(&api, "GET /accounts", &cookie, "").status, 303);
    let cookie = signed_in(&api, TOKEN);
    let id = api.store.keys()[0].id;
    api.runtime.block_on(api.store.revoke_key(id, muster_model::time::Micros(1))).unwrap();
    assert_eq!(ask(&api, "GET /accounts", &cookie, "").status, 303);
}

#[test]
fn a_form_of_another_site_changes_nothing() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    let page = ask(&api, "GET /accounts", &cookie, "").body;
    for body in ["", "theme=dark", "theme=dark&csrf=", "theme=dark&csrf=x"] {
        assert_eq!(ask(&api, "POST /theme", &cookie, body).status, 403, "{body}");
    }
    let other = signed_in(&api, TOKEN);
    let good = format!("theme=dark&back=%2Fusers&csrf={}", csrf(&page));
    let crossed = [("authorization", ""), ("cookie", other.as_str()), ("sec-fetch-site", "cross-site"), FORM];
    assert_eq!(api.ask_with("POST /theme", &crossed, good.clone()).status, 403);
    assert_eq!(api.ask_with("POST /signin", &crossed, format!("token={TOKEN}")).status, 403);
    let elsewhere = [("authorization", ""), ("origin", "https://evil.example"), ("host", "muster.example"), FORM];
    assert_eq!(api.ask_with("POST /signin", &elsewhere, format!("token={TOKEN}")).status, 403);
    let answer = ask(&api, "POST /theme", &cookie, &good);
    assert_eq!((answer.status, answer.header("location")), (303, "/users"));
    let dark = format!("{cookie}; muster_theme=dark");
    assert!(ask(&api, "GET /accounts", &dark, "").body.contains("data-theme=\"dark\""));
    let out = ask(&api, "POST /signout", &cookie, &format!("csrf={}", csrf(&page)));
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
}

#[test]
fn nobody_is_sent_elsewhere_after_signing_in() {
    let api = Api::new();
    for next in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let answer = ask(&api, "POST /signin", "", &format!("token={TOKEN}&next={next}"));
        assert_eq!((answer.status, answer.header("location")), (303, "/"), "{next}");
    }
}

#[test]
fn no_text_of_a_customer_becomes_markup() {
    let api = Api::new();
    let evil = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\\\"'&{{7*7}}";
    let body = format!(
        r#"[{{"messageId":"m","type":"organization","organizationId":"{evil}","traits":{{"name":"{evil}","{evil}":"{evil}"}}}},
        {{"messageId":"m","type":"account","accountId":"{evil}","organizationId":"{evil}","traits":{{"name":"{evil}","{evil}":["{evil}"]}}}},
        {{"messageId":"m","type":"user","userId":"{evil}","accountId":"{evil}","traits":{{"name":"{evil}","email":"{evil}","{evil}":{{"{evil}":1}}}}}},
        {{"messageId":"m","type":"track","userId":"{evil}","event":"{evil}","properties":{{"{evil}":"{evil}"}}}}]"#
    );
    let sent = api.ask_with("POST /analytics/v1/batch", &[("content-type", "application/json")], body);
    assert_eq!(sent.status, 200, "{}", sent.body);
    let cookie = signed_in(&api, TOKEN);
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let id = encode(&evil.replace("\\\"", "\""));
    let mut paths: Vec<String> = ["accounts", "users", "organizations"]
        .iter()
        .flat_map(|kind| {
            let filter = format!("/{kind}?trait.{id}.exists=true&search={id}&column={id}");
            [format!("/{kind}"), filter, format!("/{kind}/{id}"), format!("/{kind}/{id}/traits/{id}")]
        })
        .collect();
    paths.push(format!("/search?q={id}"));
    paths.push(format!("/accounts/{id}?event={id}"));
    paths.push(format!("/users?account={id}"));
    for path in paths {
        let answer = ask(&api, &format!("GET {path}"), &cookie, "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(!answer.body.contains("<script>alert") && !answer.body.contains("<img"), "{path}");
        assert!(answer.body.contains("alert(1)"), "{path} shows it, as text");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[test]
fn another_workspace_is_not_seen() {
    let api = Api::new();
    api.key("other", "token-of-the-other", Scopes::ALL);
    let body = r#"{"messageId":"m","accountId":"mine","traits":{"name":"Mine"}}"#;
    let sent = api.ask_with("POST /analytics/v1/account", &[("content-type", "application/json")], body);
    assert_eq!(sent.status, 200, "{}", sent.body);
    let cookie = signed_in(&api, "token-of-the-other");
    assert_eq!(ask(&api, "GET /accounts/mine", &cookie, "").status, 404);
    for path in ["/accounts", "/search?q=mine", "/accounts.csv"] {
        assert!(!ask(&api, &format!("GET {path}"), &cookie, "").body.contains("Mine"), "{path}");
    }
}

#[test]
fn a_table_is_the_list_of_the_api_and_goes_on_as_csv() {
    let api = Api::new();
    for n in 0..230 {
        let body = format!(
            r#"{{"messageId":"m","accountId":"{n}","traits":{{"name":"Account, {n}","mrr":{n},"plan":"pro"}}}}"#
        );
        let sent = api.ask_with("POST /analytics/v1/account", &[("content-type", "application/json")], body);
        assert_eq!(sent.status, 200, "{}", sent.body);
    }
    let cookie = signed_in(&api, TOKEN);
    let page = ask(&api, "GET /accounts?sortBy=mrr&order=asc&trait.mrr.gte=10", &cookie, "").body;
    assert_eq!(page.matches("data-href=").count(), 50);
    assert!(page.contains("Account, 10<") && page.contains("Account, 59<") && !page.contains("Account, 60<"));
    let next = page.split("rel=\"next\"").next().and_then(|before| before.rsplit("href=\"").next()).unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    assert!(ask(&api, &format!("GET {next}"), &cookie, "").body.contains("Account, 60<"));
    let csv = ask(&api, "GET /accounts.csv?sortBy=mrr&order=asc&column=plan&columns=chosen", &cookie, "").body;
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 231);
    assert_eq!(rows[0], "externalId,Name,Organization,MRR,Users,Last seen,plan");
    assert_eq!((rows[1], rows[230]), ("0,\"Account, 0\",,0,0,,pro", "229,\"Account, 229\",,229,0,,pro"));
    for (parameters, says) in [("sortBy=nothing", "sortBy must be one of"), ("trait.no=1", "a filter names a trait")] {
        let page = ask(&api, &format!("GET /accounts?{parameters}"), &cookie, "");
        assert_eq!(page.status, 200);
        assert!(page.body.to_lowercase().contains(&says.to_lowercase()), "{}", page.body);
    }
}
