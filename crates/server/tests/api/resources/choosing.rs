//! Lists in other orders, with filters and searches; what belongs to a record; the catalogue of traits.

use muster_model::kind::RecordKind;
use muster_store::credentials::Scopes;

use crate::harness::{Api, uuid};

/// Four accounts, five users and an organization.
fn filled() -> Api {
    let api = Api::new();
    api.send(
        r#"[{"type":"account","accountId":"a/1","organizationId":"o","timestamp":"2024-01-01","messageId":"1","traits":{"name":"Ärzte & Co","mrr":100,"plan":"pro","since":"2024-01-02"}},
            {"type":"account","accountId":"b%","organizationId":"o","timestamp":"2024-01-01","messageId":"1","traits":{"name":"Bakery","mrr":"2500","plan":"pro","since":"2023-05-01T10:00:00Z"}},
            {"type":"account","accountId":"c","timestamp":"2024-01-01","messageId":"1","traits":{"name":"Cinema","plan":"free","a.gte":1}},
            {"type":"account","accountId":"gone","timestamp":"2024-01-01","messageId":"1","traits":{"churnedAt":"2024-02-01","mrr":7,"vip":true}},
            {"type":"user","userId":"u1","accountId":"a/1","timestamp":"2024-01-01","messageId":"1","traits":{"name":"Ada","email":"Ada@Mail.Example.com","age":40}},
            {"type":"user","userId":"u2","accountId":"a/1","timestamp":"2024-01-01","messageId":"1","traits":{"name":"Bea","email":"bea@example.com","age":20}},
            {"type":"user","userId":"u3","accountId":"b%","timestamp":"2024-01-01","messageId":"1","traits":{"name":"Cid"}},
            {"type":"user","userId":"u4","organizationId":"o","timestamp":"2024-01-01","messageId":"1"},
            {"type":"user","userId":"u5","accountId":"c","timestamp":"2024-01-01","messageId":"1"},
            {"type":"track","event":"e","userId":"u1","timestamp":"2024-03-01","messageId":"1"},
            {"type":"track","event":"e","userId":"u3","timestamp":"2024-02-01","messageId":"1"}]"#,
    );
    api
}

#[track_caller]
fn lists(api: &Api, target: &str, expected: &[&str]) {
    let mut sorted = expected.to_vec();
    let mut found = api.page(&format!("/resources/{target}")).0;
    if !target.contains("sortBy") {
        // Records of one batch have one time of receipt.
        sorted.sort_unstable();
        found.sort_unstable();
    }
    assert_eq!(found, sorted, "{target}");
}

#[track_caller]
fn refuses(api: &Api, target: &str, says: &str) {
    let answer = api.ask(&format!("GET /resources/{target}"), "");
    assert_eq!(answer.status, 400, "{target}: {}", answer.body);
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(error.contains(says), "{target}: {error}");
}

#[test]
fn orders() {
    let api = filled();
    let all = "accounts?status=activeOrChurned&limit=4";
    for (order, expected) in [
        ("mrr", ["b%", "a/1", "gone", "c"]),
        ("mrr&order=asc", ["gone", "a/1", "b%", "c"]),
        ("trait.mrr&order=desc", ["b%", "a/1", "gone", "c"]),
    ] {
        lists(&api, &format!("{all}&sortBy={order}"), &expected);
    }
    lists(&api, "accounts?sortBy=since&trait.since.exists=true", &["a/1", "b%"]);
    lists(&api, "accounts?sortBy=lastSeenTimestamp&seenAfter=2024-01-01", &["a/1", "b%"]);
    lists(&api, "accounts?sortBy=usersCount&limit=1", &["a/1"]);
    lists(&api, "users?sortBy=age&order=asc&trait.age.exists=true", &["u2", "u1"]);
    lists(&api, "organizations?sortBy=accountsCount", &["o"]);
    let organization = api.read("/resources/organizations/o");
    assert_eq!((organization["usersCount"].as_u64(), organization["accountsCount"].as_u64()), (Some(4), Some(2)));
    refuses(&api, "accounts?sortBy=colour", "sortBy must be one of updatedAt, createdAt, mrr");
    refuses(&api, "accounts?sortBy=vip", "without numbers or dates");
    // Texts are no order, unless they are numbers or dates.
    refuses(&api, "accounts?sortBy=plan", "without numbers or dates");
    refuses(&api, "users?sortBy=trait.name", "without numbers or dates");
    api.send(
        r#"[{"type":"account","accountId":"c","timestamp":"2024-01-02","messageId":"2","traits":{"seats":"12"}}]"#,
    );
    lists(&api, "accounts?sortBy=seats&trait.seats.exists=true", &["c"]);
    refuses(&api, "users?sortBy=usersCount", "sortBy must be one of");
    refuses(&api, "accounts?order=down", "order must be one of desc, asc");
}

#[test]
fn passes_in_any_order_see_every_record_once() {
    let api = filled();
    for order in ["mrr", "mrr&order=asc", "lastSeenTimestamp", "since&order=asc", "npsScore"] {
        let target = format!("/resources/accounts?status=activeOrChurned&limit=1&sortBy={order}");
        let (mut all, mut next) = api.page(&target);
        while let Some(from) = next {
            let (more, then) = api.page(&format!("{target}&from={from}"));
            all.extend(more);
            next = then;
        }
        all.sort_unstable();
        assert_eq!(all, ["a/1", "b%", "c", "gone"], "{order}");
    }
    let (_, next) = api.page("/resources/accounts?sortBy=mrr&limit=1");
    let next = next.unwrap();
    for other in ["sortBy=mrr&order=asc", "sortBy=since", "sortBy=mrr&search=a", "sortBy=mrr&trait.plan=pro"] {
        refuses(&api, &format!("accounts?{other}&from={next}"), "from is no cursor of this list");
    }
    refuses(&api, &format!("organizations/o/accounts?sortBy=mrr&from={next}"), "from is no cursor of this list");
}

#[test]
fn filters() {
    let api = filled();
    for (filter, expected) in [
        ("trait.plan=pro", &["a/1", "b%"][..]),
        ("trait.plan=PRO", &[]),
        ("trait.mrr=100.0", &["a/1"]),
        ("trait.mrr.gte=100", &["a/1", "b%"]),
        ("trait.mrr.gte=101&trait.plan=pro", &["b%"]),
        ("trait.mrr.lte=2499.5&trait.mrr.gte=1", &["a/1"]),
        ("trait.since.lte=2023-12-31", &["b%"]),
        ("trait.mrr.exists=false", &["c"]),
        ("status=churned&trait.vip=true", &["gone"]),
        ("trait.a.gte=1", &["c"]),
        ("seenAfter=2024-03-01", &["a/1"]),
        ("seenBefore=2024-03-01", &["b%"]),
        ("seenAfter=2024-02-02&seenBefore=2024-02-20", &[]),
        ("updatedAfter=2000-01-01", &["a/1", "b%", "c"]),
        ("updatedAfter=2000-01-01&sortBy=mrr", &["b%", "a/1", "c"]),
        ("updatedBefore=2000-01-01T00:00:00Z", &[]),
        ("search=%C3%A4RZTE", &["a/1"]),
        ("search=ake", &["b%"]),
        ("search=%25", &["b%"]),
        ("search=%20", &["a/1", "b%", "c"]),
    ] {
        lists(&api, &format!("accounts?{filter}"), expected);
    }
    lists(&api, "users?search=example.COM", &["u1", "u2"]);
    refuses(
        &api,
        "accounts?trait.plan=pro&trait.colour=red",
        "a filter names the trait colour, which none of these records ever had",
    );
    refuses(&api, "users?trait.mrr.gte=1", "a filter names the trait mrr.gte, which none of these records ever had");
    refuses(&api, "accounts?trait.mrr.gte=many", "must be a number or ISO 8601 text");
    refuses(&api, "accounts?trait.mrr.exists=maybe", "must be true or false");
    refuses(&api, "accounts?trait.mrr.gte=1&trait.mrr.lte=2024-01-01", "both be numbers or both be dates");
    refuses(&api, "accounts?updatedAfter=soon", "updatedAfter must be ISO 8601 text");
    refuses(&api, "accounts?seenAfter=soon", "seenAfter must be ISO 8601 text");
    refuses(&api, "organizations?seenAfter=2024-01-01", "are for lists of accounts and users");
    refuses(&api, &format!("users?search={}", "x".repeat(300)), "search must be one line");
    let many: String = (0..20).map(|n| format!("&trait.k{n}=1")).collect();
    refuses(&api, &format!("accounts?{many}"), "at most 16 filters");
}

#[test]
fn what_belongs_to_a_record() {
    let api = filled();
    lists(&api, "organizations/o/accounts", &["a/1", "b%"]);
    lists(&api, "organizations/o/accounts?sortBy=mrr", &["b%", "a/1"]);
    lists(&api, "organizations/o/users", &["u1", "u2", "u3", "u4"]);
    lists(&api, "organizations/o/users?search=a", &["u1", "u2"]);
    lists(&api, "accounts/a%2F1/users", &["u1", "u2"]);
    lists(&api, "accounts/b%25/users?sortBy=createdAt&limit=100", &["u3"]);
    lists(&api, &format!("accounts/{}/users?trait.age.gte=30", uuid(RecordKind::Account, "a/1")), &["u1"]);
    for target in ["organizations/x/accounts", "organizations/x/users", "accounts/x/users"] {
        assert_eq!(api.ask(&format!("GET /resources/{target}"), "").status, 404, "{target}");
    }
    let (first, next) = api.page("/resources/organizations/o/users?limit=3");
    let (rest, end) = api.page(&format!("/resources/organizations/o/users?limit=3&from={}", next.unwrap()));
    assert_eq!((first.len(), rest.len(), end), (3, 1, None));
    api.send(r#"[{"type":"unlink","userId":"u2","accountId":"a/1","timestamp":"2024-06-01","messageId":"1"}]"#);
    lists(&api, "organizations/o/users", &["u1", "u3", "u4"]);
    assert_eq!(api.read("/resources/organizations/o")["usersCount"].as_u64(), Some(3));
}

#[test]
fn searches_of_users() {
    let api = filled();
    for (sought, expected) in [
        ("email=ADA@mail.example.com", &["u1"][..]),
        ("email=ada@example.com", &[]),
        ("emailSubdomain=example.com", &["u2"]),
        ("emailSubdomain=@MAIL.example.com", &["u1"]),
        ("externalId=u3", &["u3"]),
        ("externalId=nobody", &[]),
    ] {
        lists(&api, &format!("users/search?{sought}"), expected);
    }
    for wrong in ["", "?email=", "?email=a&externalId=b", "?name=Ada"] {
        refuses(&api, &format!("users/search{wrong}"), "exactly one of externalId, email and emailSubdomain");
    }
}

#[test]
fn the_catalogue_of_traits() {
    let api = filled();
    api.send(r#"[{"type":"customobjectinstance","externalId":"t","customObjectId":"deal","accountId":"c","messageId":"1","traits":{"size":5}}]"#);
    let types = |target: &str| -> Vec<(String, String)> {
        let found = api.read(&format!("/resources/customFields?model={target}"));
        let text = |one: &serde_json::Value, name: &str| one[name].as_str().unwrap().to_owned();
        found.as_array().unwrap().iter().map(|one| (text(one, "path"), text(one, "type"))).collect()
    };
    let expected = [
        ("a.gte", "number"),
        ("churnedAt", "datetime"),
        ("mrr", "string"),
        ("name", "string"),
        ("plan", "string"),
        ("since", "datetime"),
        ("vip", "boolean"),
    ];
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(key, of)| ((*key).to_owned(), (*of).to_owned())).collect()
    };
    assert_eq!(types("accounts"), pairs(&expected));
    assert_eq!(types("users"), pairs(&[("age", "number"), ("email", "string"), ("name", "string")]));
    assert_eq!(types("organizations"), []);
    assert_eq!(types("customObjects&customObjectId=deal"), pairs(&[("size", "number")]));
    refuses(&api, "customFields", "model must be one of");
    refuses(&api, "customFields?model=planets", "model must be one of");
    refuses(&api, "customFields?model=customObjects", "customObjectId");
    assert_eq!(api.ask("GET /resources/customFields?model=customObjects&customObjectId=x", "").status, 404);
    let one = &api.read("/resources/customFields?model=customObjects&customObjectId=deal")[0];
    for field in ["size", one["id"].as_str().unwrap()] {
        let target = format!("/resources/customObjects/deal/instances/search?customFieldId={field}&customFieldValue=5");
        assert_eq!(api.read(&target)[0]["externalId"], "t", "{field}");
    }
}

#[test]
fn few_texts_are_options() {
    let api = filled();
    let options = |path: &str| {
        let found = api.read("/resources/customFields?model=accounts");
        let one = found.as_array().unwrap().iter().find(|one| one["path"] == path).unwrap().clone();
        let options = one.get("options").map(|options| options.as_array().unwrap().clone());
        options
            .map(|options| options.iter().map(|one| (one["label"].clone(), one["value"].clone())).collect::<Vec<_>>())
    };
    let pairs = |texts: &[&str]| Some(texts.iter().map(|text| ((*text).into(), (*text).into())).collect::<Vec<_>>());
    assert_eq!(options("plan"), pairs(&["free", "pro"]));
    for path in ["name", "mrr", "since", "vip", "a.gte"] {
        assert_eq!(options(path), None, "{path}");
    }
    // What nobody has any more is no option, and what somebody has now is one.
    api.send(
        r#"[{"type":"account","accountId":"c","timestamp":"2024-02-01","messageId":"2","traits":{"plan":"größer"}}]"#,
    );
    assert_eq!(options("plan"), pairs(&["größer", "pro"]));
    let many: Vec<String> = (0..25)
        .map(|n| format!(r#"{{"type":"account","accountId":"m{n}","messageId":"1","traits":{{"plan":"p{n}"}}}}"#))
        .collect();
    api.send(&format!("[{}]", many.join(",")));
    assert_eq!(options("plan"), None);
}

#[test]
fn another_workspace_sees_none_of_it() {
    let api = filled();
    api.key("other", "other-token", Scopes::ALL);
    let ask = |target: &str| {
        let line = format!("GET /resources/{target}");
        api.ask_with(&line, &[("authorization", "Basic other-token")], "")
    };
    let (_, next) = api.page("/resources/accounts?sortBy=createdAt&limit=1");
    assert_eq!(ask(&format!("accounts?sortBy=createdAt&from={}", next.unwrap())).status, 400);
    for target in [
        "accounts?sortBy=mrr".to_owned(),
        "users?search=a".to_owned(),
        "users/search?email=bea@example.com".to_owned(),
        "users/search?externalId=u1".to_owned(),
        "accounts?seenAfter=2020-01-01".to_owned(),
    ] {
        assert_eq!(ask(&target).body, r#"{"results":[],"next":null,"atEnd":true}"#, "{target}");
    }
    assert_eq!(ask("customFields?model=accounts").body, "[]");
    assert_eq!(ask("accounts?trait.plan=pro").status, 400, "no such trait is known there");
    for target in
        ["accounts/c/users".to_owned(), format!("organizations/{}/users", uuid(RecordKind::Organization, "o"))]
    {
        assert_eq!(ask(&target).status, 404, "{target}");
    }
}
