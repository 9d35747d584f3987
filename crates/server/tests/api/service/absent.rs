//! Paths and methods that there are not.

use crate::harness::Api;

#[test]
fn unknown_paths_and_methods() {
    let api = Api::new();
    let nothing = r#"404 {"error":"there is nothing at this path; /docs lists what there is"}"#;
    for path in
        ["/", "/resources", "/resources/planets", "/analytics/v1/page", "/resources/users/a/b/c", "/resources//"]
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
fn what_comes_later_and_what_never_will_is_said() {
    let api = Api::new();
    let later = |what: &str| format!(r#"501 {{"error":"this server does not offer {what} yet"}}"#);
    api.check("DELETE /resources/users/u", "", &later("deleting users"));
    api.check("GET /resources/users/search?email=a", "", &later("searching users"));
    api.check("GET /resources/accounts/a/users", "", &later("the users of an account"));
    api.check("GET /resources/users/u/traits/plan.name/history", "", &later("the history of a trait"));
    let never = "501 {\"error\":\"notes, tasks, projects, meetings and conversations belong to a customer-success team's \
                 screens; this server keeps analytics only and will not offer them\"}";
    for screen in ["notes", "tasks", "projects", "meetings", "conversations"] {
        for path in
            [screen.to_owned(), format!("{screen}/1"), format!("{screen}/1/2/3"), format!("accounts/a/{screen}")]
        {
            api.check(&format!("GET /resources/{path}"), "", never);
            api.check(&format!("PUT /resources/{path}"), "{}", never);
        }
    }
    assert_eq!(api.ask_with("GET /resources/notes", &[("authorization", "")], "").status, 401);
}
