//! One account.

use serde_json::json;

use crate::harness::Api;

#[test]
fn every_field_in_its_order() {
    let api = Api::new();
    api.send(
        r#"[{"type":"account","accountId":"a","organizationId":"o","messageId":"1","traits":{"name":42,"mrr":"17","vitally.custom.tier":1}},
            {"type":"user","userId":"1","accountId":"a","messageId":"1"},
            {"type":"track","userId":"1","event":"e","messageId":"1","timestamp":"2025-01-01T00:00:00.5Z"},
            {"type":"track","accountId":"a","event":"e","messageId":"2","timestamp":"2025-02-01T00:00:00Z"}]"#,
    );
    let expected = concat!(
        r#"200 {"id":"<account:a>","createdAt":"<now>","updatedAt":"<now>","externalId":"a","name":"42","#,
        r#""traits":{"mrr":"17","name":42,"vitally.custom.tier":1},"organizationId":"<organization:o>","accountOwnerId":null,"#,
        r#""mrr":17,"nextRenewalDate":null,"churnedAt":null,"firstSeenTimestamp":"2025-01-01T00:00:00.500Z","#,
        r#""lastSeenTimestamp":"2025-02-01T00:00:00.000Z","lastInboundMessageTimestamp":null,"#,
        r#""lastOutboundMessageTimestamp":null,"trialEndDate":null,"usersCount":1,"npsDetractorCount":0,"npsPassiveCount":0,"#,
        r#""npsPromoterCount":0,"npsScore":null,"healthScore":null,"csmId":null,"accountExecutiveId":null,"segments":[],"#,
        r#""keyRoles":[],"implied":false}"#
    );
    api.check("GET /resources/accounts/a", "", expected);
}

#[test]
fn the_traits_that_feed_fields_are_a_setting() {
    let api = Api::with(|settings| {
        settings.trait_names.mrr = "revenue".to_owned();
        settings.trait_names.churned_at = "left".to_owned();
    });
    api.send(
        r#"[{"type":"account","accountId":"a","messageId":"1","traits":{"mrr":1,"revenue":2,"churnedAt":"2025-01-01"}},
            {"type":"account","accountId":"b","messageId":"1","traits":{"left":"2025-01-01"}}]"#,
    );
    let account = api.read("/resources/accounts/a");
    assert_eq!((&account["mrr"], &account["churnedAt"]), (&json!(2), &json!(null)));
    assert_eq!(api.page("/resources/accounts").0, ["a"]);
    assert_eq!(api.page("/resources/accounts?status=churned").0, ["b"]);
}

#[test]
fn ids_with_slashes_percent_signs_and_more() {
    let api = Api::new();
    let ids = ["a/b", "50%", "%2F", "a b+c", "ä?#&=", "..", "events", "6e1f7f04-1c3c-8b1e-9c52-3a0a52a2f7ef"];
    for id in ids {
        api.send(&format!(r#"[{{"type":"account","accountId":"{id}","messageId":"1"}},{{"type":"track","accountId":"{id}","event":"e","messageId":"1"}}]"#));
        let encoded: String = id.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(api.read(&format!("/resources/accounts/{encoded}"))["externalId"], id);
        let page = api.read(&format!("/resources/accounts/{encoded}/events"));
        assert_eq!(page["results"][0]["accountId"], id);
    }
    let answer = api.ask("GET /resources/accounts/%ff", "");
    assert_eq!((answer.status, answer.json()["error"].as_str().unwrap().contains("UTF-8")), (400, true));
}

#[test]
fn an_external_id_that_is_another_records_uuid_means_that_record() {
    let api = Api::new();
    api.send(r#"[{"type":"account","accountId":"a","messageId":"1"},{"type":"account","accountId":"<account:a>","messageId":"1"}]"#);
    let id = api.read("/resources/accounts/a")["id"].clone();
    let found = api.read(&format!("/resources/accounts/{}", id.as_str().unwrap()));
    assert_eq!(found["externalId"], "a");
    let upper = id.as_str().unwrap().to_uppercase();
    assert_eq!(api.read(&format!("/resources/accounts/{upper}"))["externalId"], "a");
}
