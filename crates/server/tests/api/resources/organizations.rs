//! One organization.

use crate::harness::Api;

#[test]
fn every_field_in_its_order() {
    let api = Api::new();
    api.send(
        r#"[{"type":"organization","organizationId":"o","messageId":"1","traits":{"name":"World Cup","sport":"futbol","mrr":12.50,
            "nextRenewalDate":"2026-03-01","churnedAt":"never","trialEndDate":"2026-02-03T04:05:06+01:00"}},
           {"type":"account","accountId":"a","organizationId":"o","messageId":"2"}]"#,
    );
    let expected = concat!(
        r#"200 {"id":"<organization:o>","createdAt":"<now>","updatedAt":"<now>","externalId":"o","name":"World Cup","#,
        r#""traits":{"churnedAt":"never","mrr":12.50,"name":"World Cup","nextRenewalDate":"2026-03-01","sport":"futbol","#,
        r#""trialEndDate":"2026-02-03T04:05:06+01:00"},"organizationOwnerId":null,"mrr":12.50,"firstPaidDate":null,"#,
        r#""nextRenewalDate":"2026-03-01T00:00:00.000Z","churnedAt":null,"trialEndDate":"2026-02-03T03:05:06.000Z","#,
        r#""usersCount":0,"accountsCount":1,"healthScore":null,"csmId":null,"accountExecutiveId":null,"segments":[],"#,
        r#""keyRoles":[],"npsDetractorCount":0,"npsPassiveCount":0,"npsPromoterCount":0,"npsScore":null,"implied":false}"#
    );
    api.check("GET /resources/organizations/o", "", expected);
    api.check(
        "GET /resources/organizations/<organization:o>"
            .replace("<organization:o>", &crate::harness::expand("<organization:o>"))
            .as_str(),
        "",
        expected,
    );
}

#[test]
fn one_that_was_only_named_says_so() {
    let api = Api::new();
    api.send(r#"[{"type":"track","organizationId":"o","event":"e","messageId":"1"}]"#);
    let record = api.read("/resources/organizations/o");
    assert_eq!(
        (&record["implied"], &record["name"], &record["traits"]),
        (&true.into(), &serde_json::Value::Null, &serde_json::json!({}))
    );
}

#[test]
fn users_count_once_however_they_belong() {
    let api = Api::new();
    let count = || api.read("/resources/organizations/o")["usersCount"].clone();
    api.send(
        r#"[{"type":"account","accountId":"a","organizationId":"o","messageId":"1"},
            {"type":"user","userId":"1","accountId":"a","messageId":"1"},
            {"type":"user","userId":"2","accountId":"a","messageId":"1"}]"#,
    );
    assert_eq!(count(), 2);
    api.send(
        r#"[{"type":"account","accountId":"b","organizationId":"o","messageId":"1"},
            {"type":"user","userId":"2","accountId":"b","messageId":"2"},
            {"type":"user","userId":"2","organizationId":"o","messageId":"3"},
            {"type":"user","userId":"3","organizationId":"o","messageId":"1"}]"#,
    );
    assert_eq!(count(), 3);
    api.pass_seconds(1);
    api.send(r#"[{"type":"unlink","userId":"1","accountId":"a","messageId":"1"}]"#);
    assert_eq!(count(), 2);
    // An account that moves away takes with it who is linked to nothing else there.
    api.send(r#"[{"type":"account","accountId":"b","organizationId":"p","messageId":"2"},{"type":"user","userId":"4","accountId":"b","messageId":"1"}]"#);
    assert_eq!(count(), 2);
    assert_eq!(api.read("/resources/organizations/p")["usersCount"], 2);
}

#[test]
fn counting_reads_nobody() {
    let api = Api::with(|settings| settings.related_records_max = 3);
    let user = |id: usize, parent: &str| {
        format!(r#"{{"type":"user","userId":"{id}",{parent},"messageId":"{}"}}"#, parent.len())
    };
    let both = r#""accountId":"a","organizationId":"o""#;
    let users: Vec<String> = (0..5).map(|id| user(id, both)).collect();
    api.send(&format!(
        r#"[{{"type":"account","accountId":"a","organizationId":"o","messageId":"1"}},{}]"#,
        users.join(",")
    ));
    assert_eq!(api.read("/resources/organizations/o")["usersCount"], 5);
    api.pass_seconds(1);
    api.send(r#"[{"type":"unlink","userId":"0","accountId":"a","messageId":"1"}]"#);
    assert_eq!(api.read("/resources/organizations/o")["usersCount"], 5, "still linked directly");
}

#[test]
fn unknown_ones_are_not_found() {
    let api = Api::new();
    let expected = r#"404 {"error":"there is no such organization; its id or external id is not known here"}"#;
    api.check("GET /resources/organizations/nobody", "", expected);
    api.check("GET /resources/organizations/00000000-0000-8000-8000-000000000000", "", expected);
    api.check("GET /resources/organizations/nobody/events", "", expected);
}
