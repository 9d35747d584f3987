//! The console over HTTP: who gets in, what a page may do in a browser, and that no text of a customer becomes markup.

use crate::harness::{Answer, Api, TOKEN};
use muster_store::credentials::{Credentials, Scopes};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Signs in and gives back the cookie.
pub fn signed_in(api: &Api, token: &str) -> String {
    let answer = api.ask_with("POST /signin", &[("authorization", ""), FORM], format!("token={token}&next=%2Fusers"));
    assert_eq!((answer.status, answer.header("location")), (303, "/users"), "{}", answer.body);
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains(token));
    cookie.split(';').next().expect("a cookie").to_owned()
}

/// Asks as a browser does that holds a cookie and no token.
pub fn ask(api: &Api, line: &str, cookie: &str, body: &str) -> Answer {
    api.ask_with(line, &[("authorization", ""), ("cookie", cookie), FORM], body.to_owned())
}

/// The token that the forms of a page hold.
pub fn csrf(page: &str) -> &str {
    let after = page.split("name=\"csrf\" value=\"").nth(1).expect("a page with a form");
    after.split('"').next().expect("a value")
}

#[test]
fn nobody_gets_in_without_a_key() {
    let api = Api::new();
    api.key("default", "writes-only", Scopes::WRITE);
    for path in [
        "/",
        "/accounts",
        "/users/32",
        "/accounts.csv",
        "/search?q=x",
        "/organizations",
        "/events",
        "/events/x",
        "/sql",
        "/live",
        "/refused",
        "/refused/x",
        "/refused/export",
        "/admin/keys",
        "/admin/team",
        "/admin/deletions",
        "/admin/deletions/x",
        "/admin/health",
        "/admin/workspace",
        "/admin/workspaces",
        "/admin/destinations",
        "/admin/destinations/x",
        "/admin/imports",
        "/admin/imports/1",
        "/admin/imports/1/undo",
    ] {
        let answer = ask(&api, &format!("GET {path}"), "", "");
        assert_eq!(answer.status, 303, "{path}");
        assert!(answer.header("location").starts_with("/signin?next=%2F"), "{path}");
        // A token is for programs; a page does not take it.
        assert_eq!(api.ask_with(&format!("GET {path}"), &[], "").status, 303, "{path}");
    }
    // A stream is told so, since it could show no form.
    assert_eq!(ask(&api, "GET /live/events", "", "").status, 401);
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
fn a_browser_that_is_lost_gets_a_page_and_a_program_an_error() {
    let api = Api::new();
    let page = api.ask_with("GET /no-such-page", &[("authorization", ""), ("accept", "text/html,*/*")], "");
    assert!(page.status == 404 && page.body.contains("<h1>Nothing is here</h1>"), "{}", page.body);
    let error = api.ask_with("GET /no-such-page", &[("accept", "*/*")], "");
    assert!(error.status == 404 && error.body.starts_with("{\"error\""), "{}", error.body);
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
    paths.extend([format!("/events/{id}"), "/events".to_owned(), "/".to_owned(), format!("/sql?sql={id}")]);
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
    for (parameters, says) in
        [("sortBy=nothing", "sortBy must be one of"), ("trait.no=1", "a filter names the trait no")]
    {
        let page = ask(&api, &format!("GET /accounts?{parameters}"), &cookie, "");
        assert_eq!(page.status, 200);
        assert!(page.body.to_lowercase().contains(&says.to_lowercase()), "{}", page.body);
    }
}

/// A page's form, sent with the session's own token.
pub fn post(api: &Api, path: &str, cookie: &str, fields: &str) -> Answer {
    let page = ask(api, "GET /accounts", cookie, "").body;
    ask(api, &format!("POST {path}"), cookie, &format!("{fields}&csrf={}", csrf(&page)))
}

#[test]
fn a_statement_is_answered_marked_or_handed_out() {
    let api = Api::new();
    let body = r#"{"messageId":"m","accountId":"a","traits":{"name":"A","mrr":5}}"#;
    assert_eq!(api.ask_with("POST /analytics/v1/account", &[("content-type", "application/json")], body).status, 200);
    let cookie = signed_in(&api, TOKEN);
    let page = post(&api, "/sql", &cookie, "sql=select+account_id,+mrr+from+accounts");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<bdi>a</bdi>") && page.body.contains(">1 row<"), "{}", page.body);
    let wrong = post(&api, "/sql", &cookie, "sql=select+nope+from+accounts");
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("<mark>nope</mark>"), "{}", wrong.body);
    let csv = post(&api, "/sql", &cookie, "as=csv&sql=select+account_id,+mrr+from+accounts");
    assert_eq!(csv.body, "account_id,mrr\r\na,5.0\r\n");
    assert!(csv.header("content-disposition").contains("answer.csv"));
    // A statement in an address is shown and not run; without the form's token nothing is.
    assert!(!ask(&api, "GET /sql?sql=select+1", &cookie, "").body.contains(">1 row<"));
    assert_eq!(ask(&api, "POST /sql", &cookie, "sql=select+1").status, 403);
}

#[test]
fn keys_and_members_are_managed_by_those_who_may() {
    let api = Api::new();
    api.key("default", "only-reads", Scopes::READ);
    api.key("other", "of-the-other", Scopes::ALL);
    let (cookie, reader, other) =
        (signed_in(&api, TOKEN), signed_in(&api, "only-reads"), signed_in(&api, "of-the-other"));
    let made = post(&api, "/admin/keys", &cookie, "name=my-app&write=1");
    assert_eq!(made.status, 200);
    let token = made.body.split("id=\"token\" class=\"wrap\">").nth(1).unwrap().split('<').next().unwrap();
    let key = api.store.keys().last().unwrap().clone();
    assert_eq!((key.name.as_str(), key.scopes), ("my-app", Scopes::WRITE));
    assert_eq!(
        api.ask_with("GET /resources/accounts", &[("authorization", &format!("Bearer {token}"))], "").status,
        403
    );
    assert!(!ask(&api, "GET /admin/keys", &cookie, "").body.contains(token), "a token is shown once");
    assert_eq!(post(&api, "/admin/keys", &cookie, "name=x").status, 400);
    let revoke = format!("/admin/keys/{}/revoke", key.id);
    for (who, status) in [(&reader, 403), (&other, 404), (&cookie, 303)] {
        assert_eq!(post(&api, &revoke, who, "").status, status);
    }
    assert!(api.store.keys().last().unwrap().revoked_at.is_some());
    for path in ["/admin/keys", "/admin/team", "/admin/health", "/admin/destinations", "/admin/workspace"] {
        assert_eq!(ask(&api, &format!("GET {path}"), &reader, "").status, 403, "{path}");
        assert!(!ask(&api, "GET /accounts", &reader, "").body.contains(path), "{path}");
    }
    assert_eq!(post(&api, "/admin/keys", &reader, "name=x&admin=1").status, 403);
    assert_eq!(post(&api, "/admin/team", &reader, "email=a%40b").status, 403);
    assert_eq!(post(&api, "/admin/team", &cookie, "email=nobody").status, 400);
    assert_eq!(post(&api, "/admin/team", &cookie, "name=Ada&email=ada%40example.com").status, 303);
    let page = ask(&api, "GET /admin/team", &cookie, "").body;
    assert!(page.contains("ada@example.com"));
    assert!(!ask(&api, "GET /admin/team", &other, "").body.contains("ada@example.com"));
    let id = page.split("action=\"/admin/team/").nth(1).unwrap().split('/').next().unwrap();
    assert_eq!(post(&api, &format!("/admin/team/{id}/remove"), &other, "").status, 404);
    assert_eq!(post(&api, &format!("/admin/team/{id}/remove"), &cookie, "").status, 303);
    assert!(!ask(&api, "GET /admin/team", &cookie, "").body.contains("ada@example.com"));
}

#[test]
fn the_page_of_a_workspace_tells_of_it_alone() {
    let api = Api::new();
    api.key("neighbour", "of-the-other", Scopes::ALL);
    let body = r#"{"type":"track","userId":"u","event":"opened","messageId":"m"}"#;
    assert_eq!(api.ask_with("POST /analytics/v1/track", &[("content-type", "application/json")], body).status, 200);
    let page = |token| ask(&api, "GET /admin/workspace", &signed_in(&api, token), "").body;
    let (own, other) = (page(TOKEN), page("of-the-other"));
    assert!(own.contains("Workspace default") && own.contains("<dt>Events among them</dt><dd>1</dd>"), "{own}");
    assert!(other.contains("Workspace neighbour") && other.contains("<dt>Events among them</dt><dd>0</dd>"), "{other}");
    assert!(!own.contains("neighbour") && !other.contains("Workspace default"));
    assert!(other.contains("1 key"));
}

#[test]
fn a_record_is_deleted_by_whoever_means_it() {
    let api = Api::new();
    api.key("default", "only-reads", Scopes::READ);
    let body = r#"{"messageId":"m","accountId":"a/b","traits":{"name":"A"}}"#;
    assert_eq!(api.ask_with("POST /analytics/v1/account", &[("content-type", "application/json")], body).status, 200);
    let (cookie, reader) = (signed_in(&api, TOKEN), signed_in(&api, "only-reads"));
    assert!(!ask(&api, "GET /accounts/a%2Fb", &reader, "").body.contains("Delete for good"));
    assert_eq!(post(&api, "/accounts/a%2Fb/delete", &reader, "word=delete").status, 403);
    assert_eq!(post(&api, "/accounts/a%2Fb/delete", &cookie, "word=yes").status, 400);
    assert_eq!(ask(&api, "POST /accounts/a%2Fb/delete", &cookie, "word=delete").status, 403);
    assert_eq!(ask(&api, "GET /accounts/a%2Fb", &cookie, "").status, 200);
    let gone = post(&api, "/accounts/a%2Fb/delete", &cookie, "word=delete");
    assert_eq!(gone.status, 303);
    let receipt = gone.header("location").to_owned();
    assert_eq!(ask(&api, "GET /accounts/a%2Fb", &cookie, "").status, 404);
    assert!(ask(&api, &format!("GET {receipt}"), &cookie, "").body.contains("&#34;requestedAt&#34;"));
    assert!(ask(&api, "GET /admin/deletions", &cookie, "").body.contains(&receipt));
}

#[test]
fn an_empty_workspace_shows_how_to_begin() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    let page = ask(&api, "GET /", &cookie, "").body;
    assert!(page.contains("Send the first message") && page.contains("YOUR_TOKEN"), "{page}");
    let made = post(&api, "/first-key", &cookie, "").body;
    let token = made.split("Basic ").nth(1).unwrap().split('&').next().unwrap().split('\'').next().unwrap();
    let body = r#"{"messageId":"m","userId":"ada","event":"signed-in"}"#;
    let headers = [("authorization", &*format!("Basic {token}")), ("content-type", "application/json")];
    assert_eq!(api.ask_with("POST /analytics/v1/track", &headers, body).status, 200, "{token}");
    assert!(ask(&api, "GET /", &cookie, "").body.contains("1 event in 30 days"));
}

#[test]
fn a_member_signs_in_with_a_password() {
    let api = Api::new();
    let admin = signed_in(&api, TOKEN);
    assert_eq!(post(&api, "/admin/team", &admin, "name=Ada&email=ada%40example.com").status, 303);
    let page = ask(&api, "GET /admin/team", &admin, "").body;
    let set = format!("/admin/team/{}", page.split("action=\"/admin/team/").nth(1).unwrap().split('"').next().unwrap());
    let enter = |password: &str| {
        let body = format!("email=ADA%40example.com&token={password}&next=%2Fusers");
        ask(&api, "POST /signin", "", &body)
    };
    assert_eq!(enter("").status, 401, "without a password nobody signs in");
    assert_eq!(post(&api, &set, &admin, "password=short").status, 400);
    assert_eq!(post(&api, &set, &admin, "password=correct+horse").status, 303);
    assert_eq!(enter("wrong+horse").status, 401);
    let inside = enter("correct+horse");
    assert_eq!((inside.status, inside.header("location")), (303, "/users"), "{}", inside.body);
    let cookie = inside.header("set-cookie").split(';').next().unwrap().to_owned();
    let page = ask(&api, "GET /users", &cookie, "");
    assert!(page.status == 200 && page.body.contains(">Ada</bdi>") && page.body.contains("(read)"), "{}", page.body);
    assert_eq!(ask(&api, "GET /admin/team", &cookie, "").status, 403);
    // A password of one's own.
    assert_eq!(post(&api, "/password", &cookie, "old=wrong&new=battery+staple").status, 400);
    assert_eq!(ask(&api, "GET /password", &admin, "").status, 404, "a key has none");
    let changed = post(&api, "/password", &cookie, "old=correct+horse&new=battery+staple");
    assert_eq!(changed.status, 303, "{}", changed.body);
    let fresh = changed.header("set-cookie").split(';').next().unwrap().to_owned();
    assert_eq!(ask(&api, "GET /users", &cookie, "").status, 303, "sessions from before have ended");
    assert_eq!(ask(&api, "GET /users", &fresh, "").status, 200);
    // More scopes, then none at all.
    assert_eq!(post(&api, &set, &admin, "password=correct+horse&admin=1").status, 303);
    let cookie = enter("correct+horse").header("set-cookie").split(';').next().unwrap().to_owned();
    assert_eq!(ask(&api, "GET /admin/team", &cookie, "").status, 200);
    assert_eq!(post(&api, &set.replace("/password", "/no-password"), &admin, "").status, 303);
    assert_eq!(ask(&api, "GET /users", &cookie, "").status, 303);
    assert_eq!(enter("correct+horse").status, 401);
}

#[test]
fn destinations_are_made_held_up_and_removed() {
    let api = Api::new();
    api.key("other", "of-the-other", Scopes::ALL);
    let (cookie, other) = (signed_in(&api, TOKEN), signed_in(&api, "of-the-other"));
    for (fields, says) in [
        ("name=Bad+Name&kind=webhook&url=https%3A%2F%2Fexample.com", "lower-case letters"),
        ("name=hooks&kind=pigeon", "kind"),
        ("name=hooks&kind=webhook&url=nowhere", "url"),
    ] {
        let refused = post(&api, "/admin/destinations", &cookie, fields);
        assert!(refused.status == 400 && refused.body.contains(says), "{fields}: {}", refused.body);
    }
    // Nothing listens there; that is all the same to these pages.
    let made = post(&api, "/admin/destinations", &cookie, "name=hooks&kind=webhook&url=http%3A%2F%2F127.0.0.1%3A9");
    assert!(made.status == 200 && made.body.contains("whsec_"), "{}", made.body);
    let page = ask(&api, "GET /admin/destinations", &cookie, "").body;
    assert!(page.contains("/admin/destinations/hooks") && !page.contains("whsec_"), "a secret is shown once");
    assert!(!ask(&api, "GET /admin/destinations", &other, "").body.contains("hooks"));
    assert_eq!(ask(&api, "GET /admin/destinations/hooks", &other, "").status, 404);
    assert_eq!(post(&api, "/admin/destinations/hooks/remove", &other, "").status, 404);
    assert_eq!(post(&api, "/admin/destinations/hooks/pause", &cookie, "paused=yes").status, 303);
    assert!(ask(&api, "GET /admin/destinations/hooks", &cookie, "").body.contains("Let it go on"));
    for action in ["resend", "drop", "remove"] {
        let path = format!("/admin/destinations/hooks/{action}");
        assert_eq!(ask(&api, &format!("POST {path}"), &cookie, "").status, 403, "a form of ours only");
        assert_eq!(post(&api, &path, &cookie, "").status, 303, "{action}");
    }
    assert_eq!(ask(&api, "GET /admin/destinations/hooks", &cookie, "").status, 404);
}

#[test]
fn a_destination_is_changed_on_its_page() {
    let api = Api::new();
    api.key("other", "of-the-other", Scopes::ALL);
    let (cookie, other) = (signed_in(&api, TOKEN), signed_in(&api, "of-the-other"));
    let fields = "name=hooks&kind=webhook&url=http%3A%2F%2F127.0.0.1%3A9&type.track=1&events=%3Cb%3E%0D%0Atwo%5Cnlines&messagesPerSecond=5";
    assert_eq!(post(&api, "/admin/destinations", &cookie, fields).status, 200);
    let known = || api.read("/admin/v1/destinations/hooks");
    assert_eq!(known()["events"], serde_json::json!(["<b>", "two\nlines"]));
    assert_eq!((&known()["types"], &known()["messagesPerSecond"]), (&serde_json::json!(["track"]), &5.into()));
    let page = ask(&api, "GET /admin/destinations/hooks", &cookie, "").body;
    assert!(page.contains("&#60;b&#62;\ntwo\\nlines</textarea>") && !page.contains("<b>two"), "{page}");
    assert!(page.contains("5 messages a second") && !page.contains("whsec_"), "{page}");
    let path = "/admin/destinations/hooks";
    let wrong = post(&api, path, &cookie, "messagesPerSecond=0&events=kept");
    assert!(
        wrong.status == 400 && wrong.body.contains("must be from 1 to") && wrong.body.contains("\nkept</textarea>")
    );
    assert_eq!(post(&api, path, &cookie, "timeoutSeconds=soon").status, 400);
    assert_eq!(known()["messagesPerSecond"], 5, "nothing changes by what is wrong");
    let done = post(&api, path, &cookie, "accounts=a%0D%0Ab&timeoutSeconds=7");
    assert_eq!((done.status, done.header("location")), (303, "/admin/destinations/hooks?changed=1"));
    assert_eq!((&known()["accounts"], &known()["timeoutSeconds"]), (&serde_json::json!(["a", "b"]), &7.into()));
    assert_eq!((&known()["events"], &known()["messagesPerSecond"]), (&serde_json::json!([]), &1_000.into()));
    assert_eq!(known()["url"], "http://127.0.0.1:9");
    assert_eq!(post(&api, path, &other, "accounts=x").status, 404);
    assert_eq!(ask(&api, &format!("POST {path}"), &cookie, "accounts=x").status, 403, "a form of ours only");
}

#[test]
fn where_messages_go_may_be_the_operators_to_say() {
    let api = Api::with(|settings| settings.destinations_by_keys = false);
    let cookie = signed_in(&api, TOKEN);
    assert!(!ask(&api, "GET /admin/destinations", &cookie, "").body.contains("Make it"));
    let refused = post(&api, "/admin/destinations", &cookie, "name=hooks&kind=webhook&url=https%3A%2F%2Fexample.com");
    assert_eq!(refused.status, 403);
}
