//! Views and queries that the workspace keeps, by forms alone.

use muster_store::{
    credentials::Scopes,
    saved::{Saved, SavedKind, SavedViews},
};

use crate::{
    harness::{Answer, Api, TOKEN},
    ui::{ask, csrf, post, signed_in},
};

fn kept(api: &Api) -> Vec<Saved> {
    api.store.saved(muster_model::id::WorkspaceId(1))
}

#[test]
fn a_view_is_kept_opened_renamed_and_removed() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    let here = "/accounts?sortBy=mrr&order=desc&trait.plan=%3Cb%3E";
    let page = ask(&api, &format!("GET {here}"), &cookie, "").body;
    assert!(page.contains("None are kept yet."));
    let text = "sortBy=mrr&#38;order=desc&#38;trait.plan=%3Cb%3E";
    assert!(page.contains(&format!("name=\"text\" value=\"{text}\"")), "{page}");
    let back = "back=%2Faccounts%3FsortBy%3Dmrr";
    let form =
        format!("kind=accounts&name=%3Cscript%3E&text=sortBy%3Dmrr%26trait.plan%3D%253Cb%253E%26from%3Dx&{back}");
    let done = post(&api, "/saved", &cookie, &form);
    assert_eq!((done.status, done.header("location")), (303, "/accounts?sortBy=mrr"));
    let page = ask(&api, "GET /accounts", &cookie, "").body;
    assert!(page.contains("href=\"/accounts?sortBy=mrr&#38;trait.plan=%3Cb%3E\""), "{page}");
    assert!(page.contains("&#60;script&#62;") && !page.contains("<script>"), "{page}");
    assert!(!ask(&api, "GET /users", &cookie, "").body.contains("&#60;script&#62;"), "a view is of one table");
    let again = post(&api, "/saved", &cookie, &form);
    assert_eq!(again.status, 409);
    assert!(again.body.contains("choose another name"), "{}", again.body);
    for (path, fields) in [("/saved/1", "name=Plans"), ("/saved/1/text", "text=sortBy%3Dname")] {
        assert_eq!(post(&api, path, &cookie, &format!("{fields}&{back}")).status, 303, "{path}");
    }
    let one = kept(&api).remove(0);
    assert_eq!((one.kind, one.name.as_str(), one.text.as_str()), (SavedKind::Accounts, "Plans", "sortBy=name"));
    let evil = post(&api, "/saved/1", &cookie, "name=Plans&back=%2F%2Fevil.example");
    assert_eq!(evil.header("location"), "/");
    assert_eq!(ask(&api, "POST /saved/1/remove", &cookie, "").status, 403, "a form of ours only");
    assert_eq!(post(&api, "/saved/1/remove", &cookie, back).status, 303);
    assert!(kept(&api).is_empty());
    assert_eq!(post(&api, "/saved", &cookie, "kind=pages&name=x").status, 400);
}

#[test]
fn a_query_is_kept_from_its_form_and_filled_in_but_not_run() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    let form = "kind=query&name=Days&sql=select+%27%3C%2Ftextarea%3E%27";
    let done = post(&api, "/saved", &cookie, form);
    assert_eq!((done.status, done.header("location")), (303, "/sql?saved=1"));
    let page = ask(&api, "GET /sql?saved=1", &cookie, "").body;
    assert!(page.contains("select &#39;&#60;/textarea&#62;&#39;</textarea>"), "{page}");
    assert!(!page.contains("aria-label=\"Answer\""), "nothing is run by an address");
    assert_eq!(post(&api, "/saved/1/text", &cookie, "sql=select+2&name=ignored").header("location"), "/sql?saved=1");
    assert_eq!((kept(&api)[0].text.as_str(), kept(&api)[0].name.as_str()), ("select 2", "Days"));
    assert_eq!(ask(&api, "GET /sql?saved=7", &cookie, "").status, 404);
    assert_eq!(post(&api, "/saved/1/remove", &cookie, "").header("location"), "/sql");
}

#[test]
fn readers_keep_their_own_and_other_workspaces_see_none() {
    let api = Api::new();
    api.key("default", "only-reads", Scopes::READ);
    api.key("other", "of-the-other", Scopes::ALL);
    let (reader, other) = (signed_in(&api, "only-reads"), signed_in(&api, "of-the-other"));
    assert_eq!(post(&api, "/saved", &signed_in(&api, TOKEN), "kind=users&name=theirs").status, 303);
    assert_eq!(post(&api, "/saved", &reader, "kind=users&name=mine").status, 303);
    let page = ask(&api, "GET /users", &reader, "").body;
    assert!(page.contains("theirs") && page.contains("action=\"/saved/2\"") && !page.contains("action=\"/saved/1\""));
    let refused = |answer: Answer, status: u16| assert_eq!(answer.status, status, "{}", answer.body);
    refused(post(&api, "/saved/1", &reader, "name=mine+too"), 403);
    refused(post(&api, "/saved/1/remove", &reader, ""), 403);
    refused(post(&api, "/saved/1/remove", &other, ""), 404);
    assert!(!ask(&api, "GET /users", &other, "").body.contains("theirs"));
    assert_eq!(kept(&api).len(), 2);
    let page = ask(&api, "GET /users", &signed_in(&api, TOKEN), "").body;
    assert!(page.contains("action=\"/saved/2\""), "an administrator may change what others keep");
    assert!(!csrf(&page).is_empty());
}
