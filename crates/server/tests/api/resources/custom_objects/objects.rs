//! The objects themselves.

use muster_model::id::IdSpace;
use serde_json::{Value, json};

use crate::harness::Api;

fn id(name: &str) -> String {
    IdSpace::new("default").custom_object(name).to_string()
}

#[test]
fn every_field_in_its_order() {
    let api = Api::new();
    let body =
        r#"{"name":"tickets","label":"Ticket","writeMode":"api","syncActive":true,"customFields":[{"path":"a"}]}"#;
    let expected = format!(
        concat!(
            r#"200 {{"id":"{}","createdAt":"<now>","updatedAt":"<now>","name":"tickets","label":"Ticket","#,
            r#""syncActive":true,"writeMode":"api","customFields":[{{"path":"a"}}],"implied":false}}"#
        ),
        id("tickets")
    );
    api.check("POST /resources/customObjects", body, &expected);
    api.check("GET /resources/customObjects/tickets", "", &expected);
    api.check(&format!("GET /resources/customObjects/{}", id("tickets")), "", &expected);
    let page = format!(r#"200 {{"results":[{}],"next":null,"atEnd":true}}"#, &expected[4..]);
    api.check("GET /resources/customObjects", "", &page);
    api.check("GET /resources/customObjects?sortBy=createdAt&limit=1", "", &page);
    api.pass_seconds(1);
    let again = api.ask("POST /resources/customObjects", r#"{"name":"tickets","label":"Support ticket"}"#).json();
    assert_eq!(
        (&again["id"], &again["label"], &again["writeMode"]),
        (&json!(id("tickets")), &json!("Support ticket"), &json!("api"))
    );
}

#[test]
fn one_that_instances_name_is_there_and_says_so() {
    let api = Api::new();
    let uuid = "9C1D8F4E-0000-4000-8000-000000000001";
    api.send(&format!(
        r#"[{{"type":"customobjectinstance","externalId":"1","customObjectId":"deals","accountId":"a","messageId":"1"}},
            {{"type":"customobjectinstance","externalId":"1","customObjectId":"{uuid}","accountId":"a","messageId":"1"}}]"#
    ));
    let deals = api.read("/resources/customObjects/deals");
    assert_eq!(
        (&deals["name"], &deals["implied"], &deals["customFields"]),
        (&json!("deals"), &json!(true), &json!([]))
    );
    assert_eq!(
        (&deals["label"], &deals["syncActive"], &deals["writeMode"]),
        (&Value::Null, &json!(false), &Value::Null)
    );
    // A UUID names the object that has it, in any spelling.
    let named = api.read(&format!("/resources/customObjects/{}", uuid.to_lowercase()));
    assert_eq!((&named["id"], &named["name"]), (&json!(uuid.to_lowercase()), &Value::Null));
    api.send(&format!(
        r#"[{{"type":"customobjectinstance","externalId":"2","customObjectId":"{}","accountId":"a","messageId":"1"}}]"#,
        id("deals")
    ));
    assert_eq!(api.page("/resources/customObjects/deals/instances").0.len(), 2);
    assert_eq!(api.read("/resources/customObjects")["results"].as_array().unwrap().len(), 2);
}

#[test]
fn rules_and_unknown_ones() {
    let api = Api::new();
    let missing = r#"400 {"error":{"message":"validation failed","errors":[{"instancePath":"","keyword":"required","params":{"missingProperty":"name"},"message":"must have required property 'name'"}]}}"#;
    api.check("POST /resources/customObjects", "{}", missing);
    let array = api.ask("POST /resources/customObjects", r#"{"name":"x","customFields":{}}"#).json();
    assert_eq!(array["error"]["errors"][0]["instancePath"], "/customFields");
    let unknown = r#"404 {"error":"there is no such custom object; its id or external id is not known here"}"#;
    api.check("GET /resources/customObjects/x", "", unknown);
    api.check("GET /resources/customObjects/x/instances", "", unknown);
    api.check("GET /resources/customObjects/x/instances/search?id=1", "", unknown);
    api.check("POST /resources/customObjects/x/instances", r#"{"customerId":"a"}"#, unknown);
}
