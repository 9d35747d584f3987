//! What the console shows of records and answers: as it is, all of it, and where it leads.

use crate::{
    harness::{Api, TOKEN},
    ui::{ask, post, signed_in},
};

fn send(api: &Api, batch: &str) {
    let sent = api.ask_with("POST /analytics/v1/batch", &[("content-type", "application/json")], batch.to_owned());
    assert_eq!(sent.status, 200, "{}", sent.body);
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The text of the statement in an SQL page that a link leads to.
fn asked(api: &Api, cookie: &str, page: &str, contains: &str) -> String {
    let links = page.split("href=\"/sql?sql=").skip(1).map(|rest| rest.split('"').next().unwrap());
    let link = links.into_iter().find(|link| link.contains(contains)).expect("a link to a statement");
    let form = ask(api, &format!("GET /sql?sql={link}"), cookie, "").body;
    let text = form.split("required>").nth(1).unwrap().split("</textarea>").next().unwrap();
    text.replace("&#39;", "'").replace("&#38;", "&")
}

#[test]
fn an_answer_shows_values_as_they_are() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    let sql = "select 2024 as year, '2026-11-26' as day, '2026-11-26T15:59:07.123Z' as at, -1234567 as n";
    let page = post(&api, "/sql", &cookie, &format!("sql={}", encoded(sql))).body;
    for cell in [">2024<", "<bdi>2026-11-26</bdi>", "<bdi>2026-11-26T15:59:07.123Z</bdi>", ">-1234567<"] {
        assert!(page.contains(cell), "{cell}: {page}");
    }
}

#[test]
fn a_day_is_shown_as_it_was_sent_and_a_long_value_whole() {
    let api = Api::new();
    let long = format!("{}.the end", "x".repeat(300));
    send(
        &api,
        &format!(
            r#"[{{"type":"user","userId":"u","accountId":"a","traits":{{"since":"2023-05-06","long":"{long}"}},"messageId":"1"}},
            {{"type":"track","userId":"u","event":"e","messageId":"2",
              "properties":{{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":"the ninth"}}}}]"#
        ),
    );
    let cookie = signed_in(&api, TOKEN);
    let page = ask(&api, "GET /users/u", &cookie, "").body;
    assert!(page.contains("<dd><bdi>2023-05-06</bdi></dd>"), "{page}");
    assert!(page.contains(&format!("<bdi>{long}</bdi></details>")), "{page}");
    assert!(page.contains("the ninth") && page.contains("<summary>and 1 more</summary>"), "{page}");
    assert!(page.contains("Days and times are in UTC"), "said though there is one page only: {page}");
    let history = ask(&api, "GET /users/u/traits/long", &cookie, "").body;
    assert!(history.contains(&format!("<bdi>{long}</bdi>")), "{history}");
}

#[test]
fn names_of_dots_have_pages_too() {
    let api = Api::new();
    send(
        &api,
        r#"[{"type":"user","userId":"u","accountId":"a","traits":{"..":"two dots",".":1},"messageId":"1"},
            {"type":"track","userId":"u","event":"..","properties":{"p":"of dots"},"messageId":"2"}]"#,
    );
    let cookie = signed_in(&api, TOKEN);
    let events = ask(&api, "GET /events", &cookie, "").body;
    assert!(events.contains("href=\"/events?name=..\""), "{events}");
    assert!(ask(&api, "GET /events?name=..", &cookie, "").body.contains("of dots"));
    assert_eq!(ask(&api, "GET /events?name=none", &cookie, "").status, 404);
    let page = ask(&api, "GET /users/u", &cookie, "").body;
    assert!(
        page.contains("href=\"/users/u/traits?key=..\"") && page.contains("href=\"/users/u/traits?key=.\""),
        "{page}"
    );
    assert!(ask(&api, "GET /users/u/traits?key=..", &cookie, "").body.contains("two dots"));
}

#[test]
fn every_custom_object_of_an_account_is_shown_with_a_way_to_the_rest() {
    let api = Api::new();
    let instance = |object: &str, n: usize| {
        format!(
            r#"{{"type":"customObjectInstance","customObjectId":"{object}","externalId":"{object}-{n}","accountId":"a",
                "traits":{{"name":"{object} {n}"}},"messageId":"{object}-{n}"}}"#
        )
    };
    for object in ["aaa-old", "zz-new"] {
        let made = api.ask("POST /resources/customObjects", &format!("{{\"name\":\"{object}\"}}"));
        assert_eq!(made.status, 200, "{}", made.body);
    }
    send(&api, &format!("[{}]", instance("aaa-old", 0)));
    api.pass_seconds(60);
    let new: Vec<String> = (0..60).map(|n| instance("zz-new", n)).collect();
    send(&api, &format!("[{}]", new.join(",")));
    let cookie = signed_in(&api, TOKEN);
    let page = ask(&api, "GET /accounts/a", &cookie, "").body;
    for (object, count) in [("aaa-old", 1), ("zz-new", 60)] {
        assert!(page.contains(&format!("{object} <span class=\"quiet\">{count}</span>")), "{object}: {page}");
        let sql = asked(&api, &cookie, &page, object);
        let rows = post(&api, "/sql", &cookie, &format!("as=csv&sql={}", encoded(&sql))).body;
        assert_eq!(rows.lines().count(), count + 1, "{sql}: {rows}");
    }
}

#[test]
fn all_nps_answers_are_a_question_away() {
    let api = Api::new();
    send(&api, r#"[{"type":"user","userId":"u'1","accountId":"a","messageId":"1"}]"#);
    for n in 0..9 {
        let body = format!(
            r#"{{"externalId":"r{n}","userId":"u'1","score":{n},"respondedAt":"2025-01-0{}T00:00:00Z"}}"#,
            n + 1
        );
        let made = api.ask("POST /resources/npsResponses", &body);
        assert_eq!(made.status, 200, "{}", made.body);
    }
    let cookie = signed_in(&api, TOKEN);
    for path in ["/accounts/a", "/users/u%271"] {
        let page = ask(&api, &format!("GET {path}"), &cookie, "").body;
        assert!(page.contains("NPS answers <span class=\"quiet\">9</span>"), "{page}");
        let sql = asked(&api, &cookie, &page, "npsresponse");
        let rows = post(&api, "/sql", &cookie, &format!("as=csv&sql={}", encoded(&sql))).body;
        assert_eq!(rows.lines().count(), 10, "{sql}: {rows}");
    }
}

#[test]
fn a_record_tells_of_its_deletion_to_come() {
    let api = Api::new();
    send(&api, r#"[{"type":"user","userId":"u","accountId":"a","messageId":"1"}]"#);
    let cookie = signed_in(&api, TOKEN);
    assert!(!ask(&api, "GET /users/u", &cookie, "").body.contains("is scheduled for"));
    let asked = api.ask("DELETE /resources/users/u?deleteOn=2026-02-01", "");
    assert!(asked.status < 300, "{}", asked.body);
    let page = ask(&api, "GET /users/u", &cookie, "").body;
    assert!(page.contains("of it is scheduled for <time datetime=\"2026-02-01T00:00:00.000Z\""), "{page}");
    assert!(!ask(&api, "GET /accounts/a", &cookie, "").body.contains("is scheduled for"));

    // However many others were asked for since, and of several that are scheduled, the first to come.
    let others: Vec<_> = (0..210)
        .map(|n| serde_json::json!({"type": "user", "userId": format!("v{n}"), "accountId": null, "messageId": "1"}))
        .collect();
    for batch in others.chunks(100) {
        send(&api, &serde_json::Value::from(batch.to_vec()).to_string());
    }
    api.pass_seconds(1);
    for n in 0..210 {
        assert_eq!(api.ask(&format!("DELETE /resources/users/v{n}?deleteOn=2026-03-01"), "").status, 204);
    }
    assert_eq!(api.ask("DELETE /resources/users/u?deleteOn=2026-04-01", "").status, 204);
    let page = ask(&api, "GET /users/u", &cookie, "").body;
    assert!(page.contains("of it is scheduled for <time datetime=\"2026-02-01T00:00:00.000Z\""), "{page}");
    let first = asked.header("location").rsplit('/').next().unwrap();
    assert_eq!(api.ask(&format!("DELETE /resources/deletions/{first}"), "").status, 204);
    let page = ask(&api, "GET /users/u", &cookie, "").body;
    assert!(page.contains("of it is scheduled for <time datetime=\"2026-04-01T00:00:00.000Z\""), "{page}");
}

#[test]
fn an_empty_filter_filters_nothing_and_no_cell_is_a_formula() {
    let api = Api::new();
    send(
        &api,
        r#"[{"type":"account","accountId":"a","traits":{"name":"=1+1","plan":"-5","note":"+49 40"},"messageId":"1"}]"#,
    );
    let cookie = signed_in(&api, TOKEN);
    let page = ask(&api, "GET /accounts?trait.plan=", &cookie, "").body;
    assert!(page.contains("href=\"/accounts/a\""), "{page}");
    let csv = ask(&api, "GET /accounts.csv?trait.plan=&columns=chosen&column=plan&column=note", &cookie, "").body;
    assert_eq!(csv.lines().nth(1), Some("a,'=1+1,,,0,,-5,'+49 40"), "{csv}");
}
