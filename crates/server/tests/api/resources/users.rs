//! One user.

use serde_json::json;

use crate::harness::Api;

#[test]
fn every_field_in_its_order() {
    let api = Api::new();
    api.send(
        r#"[{"type":"user","userId":"32","accountId":"a","organizationId":"o","messageId":"1","timestamp":"2025-01-01T00:00:00Z",
             "traits":{"name":"Lionel","email":"l@example.com","avatar":"https://example.com/a.png","createdAt":"2018-05-15"}},
            {"type":"track","userId":"32","event":"e","messageId":"1","timestamp":"2024-12-31T00:00:00Z"}]"#,
    );
    let account = concat!(
        r#"{"id":"<account:a>","createdAt":"<now>","updatedAt":"<now>","externalId":"a","name":null,"traits":{},"#,
        r#""organizationId":null,"accountOwnerId":null,"mrr":null,"nextRenewalDate":null,"churnedAt":null,"#,
        r#""firstSeenTimestamp":"2024-12-31T00:00:00.000Z","lastSeenTimestamp":"2024-12-31T00:00:00.000Z","#,
        r#""lastInboundMessageTimestamp":null,"lastOutboundMessageTimestamp":null,"trialEndDate":null,"usersCount":1,"#,
        r#""npsDetractorCount":0,"npsPassiveCount":0,"npsPromoterCount":0,"npsScore":null,"healthScore":null,"csmId":null,"#,
        r#""accountExecutiveId":null,"segments":[],"implied":true}"#
    );
    let organization = concat!(
        r#"{"id":"<organization:o>","createdAt":"<now>","updatedAt":"<now>","externalId":"o","name":null,"traits":{},"#,
        r#""organizationOwnerId":null,"mrr":null,"firstPaidDate":null,"nextRenewalDate":null,"churnedAt":null,"#,
        r#""trialEndDate":null,"usersCount":1,"accountsCount":0,"healthScore":null,"csmId":null,"accountExecutiveId":null,"#,
        r#""segments":[],"keyRoles":[],"npsDetractorCount":0,"npsPassiveCount":0,"npsPromoterCount":0,"npsScore":null,"#,
        r#""implied":true}"#
    );
    let expected = format!(
        concat!(
            r#"200 {{"id":"<user:32>","createdAt":"<now>","updatedAt":"<now>","externalId":"32","accounts":[{}],"#,
            r#""organizations":[{}],"name":"Lionel","email":"l@example.com","avatar":"https://example.com/a.png","#,
            r#""traits":{{"avatar":"https://example.com/a.png","createdAt":"2018-05-15","email":"l@example.com","name":"Lionel"}},"#,
            r#""firstKnown":"2024-12-31T00:00:00.000Z","lastSeenTimestamp":"2024-12-31T00:00:00.000Z","#,
            r#""lastInboundMessageTimestamp":null,"lastOutboundMessageTimestamp":null,"npsLastScore":null,"#,
            r#""npsLastFeedback":null,"npsLastRespondedAt":null,"unsubscribedFromConversations":null,"#,
            r#""unsubscribedFromConversationsAt":null,"deactivatedAt":null,"segments":[],"#,
            r#""joinDate":"2018-05-15T00:00:00.000Z","implied":false}}"#
        ),
        account, organization
    );
    api.check("GET /resources/users/32", "", &expected);
    let page = format!(r#"200 {{"results":[{}],"next":null,"atEnd":true}}"#, &expected[4..]);
    api.check("GET /resources/users", "", &page);
}

#[test]
fn one_without_parents_stands_alone() {
    let api = Api::new();
    api.send(r#"[{"type":"user","userId":"u","accountId":null,"messageId":"1"},{"type":"user","userId":"v","organizationId":"","messageId":"1"}]"#);
    for id in ["u", "v"] {
        let user = api.read(&format!("/resources/users/{id}"));
        assert_eq!((&user["accounts"], &user["organizations"]), (&json!([]), &json!([])));
    }
}

#[test]
fn parents_are_shown_while_their_link_stands() {
    let api = Api::new();
    let shown = || {
        let user = api.read("/resources/users/u");
        let names =
            user["accounts"].as_array().unwrap().iter().map(|one| one["externalId"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    api.send(
        r#"[{"type":"user","userId":"u","accountId":"b","messageId":"1"},{"type":"user","userId":"u","accountId":"a","messageId":"2"},
            {"type":"account","accountId":"a","messageId":"1","traits":{"name":"A"}}]"#,
    );
    assert_eq!(shown(), ["a", "b"]);
    assert_eq!(api.read("/resources/users/u")["accounts"][0]["name"], "A");
    api.pass_seconds(1);
    api.send(r#"[{"type":"unlink","userId":"u","accountId":"a","messageId":"1"}]"#);
    assert_eq!(shown(), ["b"]);
}

#[test]
fn a_page_with_very_many_parents_ends_early() {
    let api = Api::with(|settings| settings.related_records_max = 3);
    for user in ["u", "v", "w"] {
        let links: Vec<String> = (0..2)
            .map(|at| format!(r#"{{"type":"user","userId":"{user}","accountId":"{user}-{at}","messageId":"{at}"}}"#))
            .collect();
        api.send(&format!("[{}]", links.join(",")));
        api.pass_seconds(1);
    }
    let (first, next) = api.page("/resources/users?sortBy=createdAt");
    assert_eq!(first, ["w", "v"]);
    let (second, end) = api.page(&format!("/resources/users?sortBy=createdAt&from={}", next.unwrap()));
    assert_eq!((second, end), (vec!["u".to_owned()], None));
}
