//! Paths and methods that there are not.

use crate::harness::Api;

#[test]
fn unknown_paths_and_methods() {
    let api = Api::new();
    let nothing = r#"404 {"error":"there is nothing at this path; /docs lists what there is"}"#;
    for path in
        ["/planets", "/resources", "/resources/planets", "/analytics/v1/page", "/resources/users/a/b/c", "/resources//"]
    {
        api.check(&format!("GET {path}"), "", nothing);
    }
    let method = r#"405 {"error":"this path does not take this method; the Allow header lists the ones it takes"}"#;
    api.check("GET /analytics/v1/batch", "", method);
    assert_eq!(api.ask("GET /analytics/v1/batch", "").header("allow"), "POST");
    api.check("PATCH /resources/users/u", "", method);
    let allowed = api.ask("PATCH /resources/refused/u", "").header("allow").to_owned();
    let mut allowed: Vec<&str> = allowed.split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "GET", "HEAD"]);
}

#[test]
fn among_the_records_whoever_asks_is_recognised_first() {
    let api = Api::new();
    for line in ["GET /resources/planets", "PATCH /resources/users/u", "GET /resources//planets/"] {
        let answer = api.ask(line, "");
        assert_eq!(answer.header("ratelimit-limit"), "60000, 60000;window=60", "{line}");
        let nobody = api.ask_with(line, &[("authorization", "")], "");
        assert_eq!(
            (nobody.status, nobody.body.as_str()),
            (401, r#"{"error":"Authorization header not present."}"#),
            "{line}"
        );
    }
    let api = Api::with(|settings| settings.requests_per_minute = 1);
    assert_eq!(api.ask("GET /resources/planets", "").status, 404);
    let over = api.ask("GET /resources/planets", "");
    assert_eq!((over.status, over.header("ratelimit-remaining")), (429, "0"));
    assert!(!over.header("retry-after").is_empty());
}

#[test]
fn what_will_never_be_offered_is_said() {
    let api = Api::new();
    let never = "501 {\"error\":\"notes, tasks, projects, meetings and conversations belong to a customer-success team's \
                 screens; this server keeps analytics only and will not offer them\"}";
    for screen in ["notes", "noteCategories", "tasks", "taskCategories", "projects", "meetings", "conversations"] {
        for path in
            [screen.to_owned(), format!("{screen}/1"), format!("{screen}/1/2/3"), format!("accounts/a/{screen}")]
        {
            api.check(&format!("GET /resources/{path}"), "", never);
            api.check(&format!("PUT /resources/{path}"), "{}", never);
        }
    }
    api.check(
        "GET /resources/accounts/a/healthScores",
        "",
        r#"404 {"error":"there is no such account; its id or external id is not known here"}"#,
    );
    api.ask("POST /resources/accounts", r#"{"externalId":"a"}"#);
    api.check("GET /resources/accounts/a/healthScores", "", r#"200 {"results":[],"next":null,"atEnd":true}"#);
    assert_eq!(api.ask_with("GET /resources/notes", &[("authorization", "")], "").status, 401);
}
