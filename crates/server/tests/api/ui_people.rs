//! The console with people who press the wrong thing: addresses that only forms lead to, too many tries, what is too large.

use crate::{
    harness::{Answer, Api, TOKEN},
    ui::{ask, post, signed_in},
};

/// Asks as a browser does that shows pages.
fn browse(api: &Api, target: &str, cookie: &str) -> Answer {
    let headers = [("authorization", ""), ("cookie", cookie), ("accept", "text/html,*/*;q=0.8")];
    api.ask_with(&format!("GET {target}"), &headers, "")
}

/// Where choosing a theme leads to from a page.
fn back(page: &str) -> &str {
    page.split("name=\"back\" value=\"").nth(1).expect("a form for the theme").split('"').next().unwrap()
}

#[test]
fn a_page_that_answers_a_form_leads_back_to_one_that_can_be_opened() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    assert_eq!(back(&post(&api, "/first-key", &cookie, "").body), "/");
    assert_eq!(back(&post(&api, "/admin/keys", &cookie, "name=x&write=1").body), "/admin/keys");
    let asked = post(&api, "/sql", &cookie, "sql=select+1").body;
    assert_eq!(back(&asked), "/sql?sql=select%201");
    for (address, page) in [
        ("/first-key", "/"),
        ("/theme", "/"),
        ("/saved/1/remove", "/"),
        ("/refused/group/drop", "/refused"),
        ("/accounts/a%20b/delete", "/accounts/a%20b"),
        ("/admin/keys/1/revoke", "/admin/keys"),
    ] {
        let led = browse(&api, address, &cookie);
        assert_eq!((led.status, led.header("location")), (303, page), "{address}");
    }
    let program = api.ask_with("GET /first-key", &[("accept", "application/json")], "");
    assert!(program.status == 405 && program.body.starts_with("{\"error\""), "{}", program.body);
    let lost = browse(&api, "/analytics/v1/batch", &cookie);
    assert!(lost.status == 405 && lost.body.contains("<h1>That cannot be shown</h1>"), "{}", lost.body);
}

#[test]
fn an_error_is_a_page_in_the_theme_of_the_viewer() {
    let api = Api::new();
    let cookie = format!("{}; muster_theme=dark", signed_in(&api, TOKEN));
    for (path, status) in [
        ("/accounts/%FF", 400),
        ("/events/%FF", 400),
        ("/accounts/a/traits/%FF", 400),
        ("/accounts/nobody", 404),
        ("/no/such/page", 404),
        ("/analytics/v1/batch", 405),
    ] {
        let page = browse(&api, path, &cookie);
        assert_eq!(page.status, status, "{path}: {}", page.body);
        assert!(
            page.body.starts_with("<!doctype html>\n<html lang=\"en\" data-theme=\"dark\">"),
            "{path}: {}",
            page.body
        );
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
    }
    let form = browse(&api, "/signin", "muster_theme=light");
    assert!(form.body.contains("data-theme=\"light\""), "{}", form.body);
}

#[test]
fn too_many_tries_of_a_password_are_told_on_the_form() {
    let api = Api::new();
    let enter = || ask(&api, "POST /signin", "", "email=nobody%40example.com&token=wrong&next=%2Fusers");
    let last = (0..200).map(|_| enter()).find(|answer| answer.status != 401).expect("it ends");
    assert_eq!(last.status, 429);
    assert!(
        last.body.contains("Passwords were tried too often") && last.body.contains("name=\"token\""),
        "{}",
        last.body
    );
    assert!(last.body.contains("nobody@example.com") && !last.body.contains("messages in each request"));
    assert!(!last.header("retry-after").is_empty());
}

#[test]
fn a_form_that_is_too_large_is_told_as_a_form() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    let large = post(&api, "/sql", &cookie, &format!("sql={}", "x".repeat(5 << 20)));
    assert_eq!(large.status, 413);
    assert!(large.body.contains("than the 4.0 MiB that a form may have"), "{}", large.body);
    assert!(!large.body.contains("messages in each request"));
}

#[test]
fn what_a_member_may_do_changes_without_its_password() {
    let api = Api::new();
    let admin = signed_in(&api, TOKEN);
    assert_eq!(post(&api, "/admin/team", &admin, "name=Ada&email=ada%40example.com").status, 303);
    let page = ask(&api, "GET /admin/team", &admin, "").body;
    let set = format!("/admin/team/{}", page.split("action=\"/admin/team/").nth(1).unwrap().split('"').next().unwrap());
    let none = post(&api, &set, &admin, "password=&admin=1");
    assert!(none.status == 400 && none.body.contains("needs a password"), "{}", none.body);
    assert_eq!(post(&api, &set, &admin, "password=correct+horse").status, 303);
    let inside = ask(&api, "POST /signin", "", "email=ada%40example.com&token=correct+horse");
    let cookie = inside.header("set-cookie").split(';').next().unwrap().to_owned();
    assert_eq!(ask(&api, "GET /admin/team", &cookie, "").status, 403);
    assert_eq!(post(&api, &set, &admin, "password=&admin=1").status, 303);
    assert_eq!(ask(&api, "GET /admin/team", &cookie, "").status, 200, "the session goes on and may do more");
    assert_eq!(post(&api, &set.replace("/password", "/no-password"), &admin, "").status, 303);
    assert_eq!(ask(&api, "GET /users", &cookie, "").status, 303);
}

#[test]
fn an_address_tells_nothing_that_was_not_done() {
    let api = Api::new();
    let bad = r#"[{"type":"usr","userId":"x","messageId":"a"}]"#;
    assert_eq!(api.ask_with("POST /analytics/v1/batch", &[("content-type", "application/json")], bad).status, 400);
    let cookie = signed_in(&api, TOKEN);
    for made_up in
        ["/refused?stored=999", "/refused?dropped=7&seal=", "/refused?stored=1&still=0&seal=AAAAAAAAAAAAAAAA"]
    {
        let page = ask(&api, &format!("GET {made_up}"), &cookie, "").body;
        assert!(!page.contains("role=\"status\""), "{made_up}: {page}");
    }
    let page = ask(&api, "GET /refused", &cookie, "").body;
    let group = page.split("data-href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    let group = group.split_once('?').unwrap().1;
    let done = post(&api, "/refused/group/drop", &cookie, group);
    assert_eq!(done.status, 303, "{}", done.body);
    let told = ask(&api, &format!("GET {}", done.header("location")), &cookie, "").body;
    assert!(told.contains("1 message dropped."), "{told}");
}

#[test]
fn an_empty_query_is_not_kept() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    let empty = post(&api, "/saved", &cookie, "kind=query&name=x&sql=+%0A");
    assert!(empty.status == 400 && empty.body.contains("this one is empty"), "{}", empty.body);
    assert_eq!(post(&api, "/saved", &cookie, "kind=query&name=x&sql=select+1").status, 303);
    assert_eq!(post(&api, "/saved/1/text", &cookie, "sql=").status, 400);
}
