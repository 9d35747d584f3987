//! The pages of messages set aside: grouped, shown with their fault, corrected, sent again, dropped.

use muster_store::credentials::Scopes;

use crate::{
    harness::{Answer, Api, TOKEN},
    ui::{ask, post, signed_in},
};

/// Sends a batch in which so many tracks have no event, and two messages have no known type.
fn send_bad(api: &Api, tracks: usize) {
    let track =
        |n: usize| format!(r#"{{"type":"track","userId":"u{n}","messageId":"t{n}","properties":{{"<script>":1}}}}"#);
    let mut messages: Vec<String> = (0..tracks).map(track).collect();
    messages.push(r#"{"type":"usr","userId":"x","messageId":"a"}"#.to_owned());
    messages.push(r#"{"type":"usr","userId":"y","messageId":"b"}"#.to_owned());
    send(api, &messages);
}

/// Sends messages, all of which are refused, as many at once as may.
fn send(api: &Api, messages: &[String]) {
    for batch in messages.chunks(100) {
        let body = format!("[{}]", batch.join(","));
        assert_eq!(api.ask_with("POST /analytics/v1/batch", &[("content-type", "application/json")], body).status, 400);
    }
}

/// The address after an attribute's beginning, the nth on a page.
fn href(page: &str, begins: &str, nth: usize) -> String {
    let found = page.split(" href=\"").skip(1).filter(|rest| rest.starts_with(begins)).nth(nth).expect("a link");
    found.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
}

/// Where an answer leads to, without the code by which the page knows the figures again.
fn led(answer: &Answer) -> &str {
    answer.header("location").split("&seal=").next().unwrap()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn messages_are_grouped_by_reason() {
    let api = Api::new();
    api.key("other", "of-the-other", Scopes::ALL);
    send_bad(&api, 3);
    let cookie = signed_in(&api, TOKEN);
    let page = ask(&api, "GET /refused", &cookie, "").body;
    assert!(page.contains("5 messages in all."), "{page}");
    let group = href(&page, "/refused?code=", 0);
    let listed = ask(&api, &format!("GET {group}"), &cookie, "").body;
    assert_eq!(listed.matches("<tr data-href=").count(), 3, "the largest group comes first: {group}");
    assert!(!listed.contains("<script>\""));
    let lines = ask(&api, "GET /refused/export", &cookie, "").body;
    assert_eq!(lines.lines().count(), 5);
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let export = href(&listed, "/refused/export", 0);
    assert_eq!(ask(&api, &format!("GET {export}"), &cookie, "").body.lines().count(), 3);
    let other = signed_in(&api, "of-the-other");
    assert!(ask(&api, "GET /refused", &other, "").body.contains("Nothing is refused"));
    let one = href(&listed, "/refused/", 1);
    assert_eq!(ask(&api, &format!("GET {one}"), &other, "").status, 404);
}

#[test]
fn a_message_is_corrected_and_sent_again() {
    let api = Api::new();
    api.key("default", "only-reads", Scopes::READ);
    let bad = r#"[{"type":"track","userId":"ada","event":7,"messageId":"t"}]"#;
    assert_eq!(api.ask_with("POST /analytics/v1/batch", &[("content-type", "application/json")], bad).status, 400);
    let (cookie, reader) = (signed_in(&api, TOKEN), signed_in(&api, "only-reads"));
    let group = href(&ask(&api, "GET /refused", &cookie, "").body, "/refused?code=", 0);
    let one = href(&ask(&api, &format!("GET {group}"), &cookie, "").body, "/refused/", 1);
    let page = ask(&api, &format!("GET {one}"), &cookie, "").body;
    assert!(page.contains("&quot;event&quot;: <mark>7</mark>"), "{page}");
    assert_eq!(
        api.ask_with(
            "POST /analytics/v1/batch",
            &[("content-type", "application/json")],
            r#"[{"type":"track","userId":"ada","messageId":"none"}]"#
        )
        .status,
        400
    );
    let missing = ask(&api, "GET /refused?code=missing_field&place=%2Fevent", &cookie, "").body;
    let missing = ask(&api, &format!("GET {}", href(&missing, "/refused/", 1)), &cookie, "").body;
    assert!(missing.contains("<pre class=\"code fold\" tabindex=\"0\"><mark>{</mark>"), "{missing}");
    let seen = ask(&api, &format!("GET {one}"), &reader, "").body;
    assert!(!seen.contains("Send again") && !seen.contains(">Drop<"));
    let resend = format!("{one}/resend");
    assert_eq!(post(&api, &resend, &reader, "message=x").status, 403);
    assert_eq!(ask(&api, &format!("POST {resend}"), &cookie, "message=x").status, 403, "a form of ours only");
    for wrong in [r#"{"type":"track","userId":"ada","messageId":"t"}"#, "{nonsense"] {
        let still = post(&api, &resend, &cookie, &format!("message={}", encoded(wrong)));
        assert_eq!(still.status, 400);
        assert!(still.body.contains("Still refused"), "{}", still.body);
        assert!(still.body.contains("nonsense") || still.body.contains("&#34;ada&#34;"), "what was typed is kept");
    }
    let empty = post(&api, &resend, &cookie, "message=+");
    assert!(empty.status == 400 && empty.body.contains("There is nothing to send"), "{}", empty.body);
    let right = r#"{"type":"track","userId":"ada","event":"signed-in","messageId":"t"}"#;
    let sent = post(&api, &resend, &cookie, &format!("message={}", encoded(right)));
    assert_eq!(sent.status, 303, "{}", sent.body);
    assert!(ask(&api, &format!("GET {}", sent.header("location")), &cookie, "").body.contains("1 message stored."));
    assert_eq!(ask(&api, &format!("GET {one}"), &cookie, "").status, 404);
    assert!(ask(&api, "GET /users/ada", &cookie, "").body.contains("signed-in"));
}

#[test]
fn a_group_is_sent_again_or_dropped_as_a_whole() {
    let api = Api::new();
    send_bad(&api, 3);
    let cookie = signed_in(&api, TOKEN);
    let page = ask(&api, "GET /refused", &cookie, "").body;
    let group = href(&page, "/refused?code=", 1);
    let fields = group.split_once('?').unwrap().1;
    api.key("default", "only-reads", Scopes::READ);
    let reader = signed_in(&api, "only-reads");
    for path in ["/refused/group/resend", "/refused/group/drop"] {
        assert_eq!(post(&api, path, &reader, fields).status, 403, "{path}");
    }
    let again = post(&api, "/refused/group/resend", &cookie, fields);
    assert_eq!((again.status, led(&again)), (303, "/refused?stored=0&still=2"));
    let dropped = post(&api, "/refused/group/drop", &cookie, fields);
    assert_eq!((dropped.status, led(&dropped)), (303, "/refused?dropped=2"));
    assert!(ask(&api, "GET /refused", &cookie, "").body.contains("3 messages in all."), "the other group stays");
    assert_eq!(post(&api, "/refused/group/drop", &cookie, "").status, 400);
    let one = href(&ask(&api, &format!("GET {}", href(&page, "/refused?code=", 0)), &cookie, "").body, "/refused/", 1);
    assert_eq!(post(&api, &format!("{one}/drop"), &cookie, "").status, 303);
    assert!(ask(&api, "GET /refused", &cookie, "").body.contains("2 messages in all."));
}

#[test]
fn a_group_comes_in_pages_and_is_gone_on_with_from_any_place() {
    let api = Api::new();
    send_bad(&api, 120);
    let cookie = signed_in(&api, TOKEN);
    let page = |address: &str| ask(&api, &format!("GET {address}"), &cookie, "").body;
    let group = href(&page("/refused"), "/refused?code=", 0);
    let (mut address, mut rows) = (group.clone(), Vec::new());
    loop {
        let page = page(&address);
        let count = page.matches("<tr data-href=").count();
        rows.push(count);
        assert_eq!(page.contains(">Newest</a>"), address != group);
        if !page.contains("rel=\"next\"") {
            break;
        }
        address = page.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap().replace("&#38;", "&");
        address = address.trim_end_matches(['"', ' ']).to_owned();
    }
    assert_eq!(rows, [50, 50, 20]);
    assert_eq!(ask(&api, &format!("GET {group}&from=nonsense"), &cookie, "").status, 400);

    // As after a step that was cut short: what is older than the place is dropped, with the figures of before.
    let place = page(&group).split("from=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let fields = group.split_once('?').unwrap().1;
    // Figures of an address that nobody was led to are not believed.
    let told = page(&format!("{group}&on={place}&dropped=7"));
    assert!(told.contains("More is left.") && told.contains("data-go-on") && !told.contains("\"7\""), "{told}");
    let done = post(&api, "/refused/group/drop", &cookie, &format!("{fields}&on={place}&dropped=7"));
    assert_eq!((done.status, led(&done)), (303, "/refused?dropped=77"));
    assert!(page(done.header("location")).contains("77 messages dropped."));
    assert!(page("/refused").contains("52 messages in all."));
    let again = post(&api, "/refused/group/resend", &cookie, fields);
    assert_eq!(led(&again), "/refused?stored=0&still=50");
}

#[test]
fn more_than_a_page_waits_for_are_counted_beside_it() {
    let api = Api::new();
    let track = |n: usize| format!(r#"{{"type":"track","userId":"u","messageId":"{n}"}}"#);
    send(&api, &(0..6_500).map(track).collect::<Vec<String>>());
    let cookie = signed_in(&api, TOKEN);
    let counted = (0..1_000).map(|_| ask(&api, "GET /refused", &cookie, "").body).find(|page| page.contains("in all"));
    let counted = counted.expect("a whole count");
    assert!(counted.contains("6,500 messages in all, counted at ") && counted.contains("Look again"), "{counted}");
    let group = href(&counted, "/refused?code=", 0);
    let lines = ask(&api, &format!("GET /refused/export?{}", group.split_once('?').unwrap().1), &cookie, "").body;
    assert_eq!(lines.lines().count(), 6_500, "a file has all of them");
    let dropped = post(&api, "/refused/group/drop", &cookie, group.split_once('?').unwrap().1);
    assert_eq!(led(&dropped), "/refused?dropped=6500");
    assert!(ask(&api, "GET /refused", &cookie, "").body.contains("Nothing is refused"));
}
