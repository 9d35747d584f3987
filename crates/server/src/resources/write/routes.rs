//! The routes of this part, with their words in the API document.

use axum::{extract::State, handler::Handler, http::Method};
use muster_model::kind::RecordKind;
use muster_store::credentials::Scopes;
use serde_json::{Value, json};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema, Type};

use super::{
    super::{custom_objects as objects, instances as of_object, nps_responses as responses, records},
    accounts, custom_objects, instances, nps_responses, organizations, users,
};
use crate::{
    openapi::{Words, named, schema},
    router::{Access, Route},
    state::AppState,
};

const READ: Access = Access::Scope(Scopes::READ);
const WRITE: Access = Access::Scope(Scopes::WRITE);
const ID: &str = "The record's UUID or its external id, percent-encoded.";
const OBJECT: &str = "The custom object's UUID, or the name by which messages name it.";

/// Creating and updating records; custom objects, instances and NPS responses as a whole.
pub(in crate::resources) fn routes() -> Vec<Route> {
    let mut routes = vec![
        create(
            "/resources/organizations",
            "organization",
            organizations::create,
            organization(),
            example_of("World Cup"),
        ),
        update("/resources/organizations/{id}", "organization", organizations::update, organization()),
        create("/resources/accounts", "account", accounts::create, account(), example_of("Argentina")),
        update("/resources/accounts/{id}", "account", accounts::update, account()),
        create("/resources/users", "user", users::create, user(), user_example()),
        update("/resources/users/{id}", "user", users::update, user()),
    ];
    routes.extend(custom_object_routes());
    routes.extend(instance_routes());
    routes.extend(nps_routes());
    routes
}

fn custom_object_routes() -> [Route; 3] {
    let part = "Custom objects";
    let about = "An object that messages named and nobody described is `implied`.";
    let listed = super::super::routes::paged(Words::new(part, "Lists custom objects", about), 100).answer(
        200,
        "A page.",
        named("CustomObjects"),
    );
    let one = Words::new(part, "Shows one custom object", about)
        .segment("id", OBJECT)
        .answer(200, "The record.", named("CustomObject"))
        .answer(404, "There is no such record.", named("Error"));
    let example = json!({"name": "tickets", "label": "Ticket"});
    let made = writes(part, "Creates a custom object", "One with the same name is updated.", custom_object(), example)
        .answer(200, "The record as it is now.", named("CustomObject"));
    [
        Route::new(Method::GET, "/resources/customObjects", READ, objects::list, listed),
        Route::new(Method::GET, "/resources/customObjects/{id}", READ, objects::show, one),
        Route::new(Method::POST, "/resources/customObjects", WRITE, custom_objects::create, made),
    ]
}

fn instance_routes() -> [Route; 4] {
    let part = "Custom objects";
    let path = "/resources/customObjects/{id}/instances";
    let archived = "Only those that are archived, or only those that are not.";
    let listed = super::super::list_routes::sorted(Words::new(part, "Lists the instances of a custom object", ""))
        .segment("id", OBJECT)
        .query("archived", archived, schema::words(&["true", "false"]))
        .answer(200, "A page.", named("CustomObjectInstances"))
        .answer(404, "There is no such custom object.", named("Error"));
    let about = "Exactly one of `id`, `externalId`, `customerId` and `organizationId`, or `customFieldId` (the key of a \
                 trait) with `customFieldValue`. The answer is a bare array.";
    let mut sought = Words::new(part, "Finds instances of a custom object", about).segment("id", OBJECT);
    for name in ["id", "externalId", "customerId", "organizationId", "customFieldId", "customFieldValue"] {
        sought = sought.query(name, "", schema::text());
    }
    let found = ArrayBuilder::new().items(named("CustomObjectInstance"));
    let sought = sought
        .answer(200, "What was found.", Schema::from(found))
        .answer(400, "None or several properties were asked for.", named("Error"))
        .answer(404, "There is no such custom object.", named("Error"));
    let example = json!({"externalId": "t-1", "name": "First ticket", "customerId": "123456"});
    let about = "One with the same `externalId` is updated. Without an `externalId` it is given one.";
    let made = writes(part, "Creates an instance", about, instance(), example)
        .segment("id", OBJECT)
        .answer(200, "The record as it is now.", named("CustomObjectInstance"))
        .answer(404, "There is no such custom object.", named("Error"));
    let example = json!({"traits": {"priority": "high"}});
    let changed = writes(part, "Updates an instance", MERGES, instance(), example)
        .segment("id", OBJECT)
        .segment("instanceId", ID)
        .answer(200, "The record as it is now.", named("CustomObjectInstance"))
        .answer(404, "There is no such record.", named("Error"));
    [
        Route::new(Method::GET, path, READ, of_object::list, listed),
        Route::new(Method::GET, format!("{path}/search"), READ, of_object::search, sought),
        Route::new(Method::POST, path, WRITE, instances::create, made),
        Route::new(Method::PUT, format!("{path}/{{instanceId}}"), WRITE, instances::update, changed),
    ]
}

fn nps_routes() -> Vec<Route> {
    let part = "NPS";
    let path = "/resources/npsResponses";
    let paged = |summary: &str, about: &str| {
        super::super::list_routes::sorted(Words::new(part, summary, about)).answer(
            200,
            "A page.",
            named("NpsResponses"),
        )
    };
    let target = "`accounts`: of users with an account, and of users without any parent; `organization`: of users who \
                  are linked to an organization themselves.";
    let listed = paged("Lists NPS responses", "Newest first.").query(
        "target",
        target,
        schema::one_of(&["accounts", "organization"]),
    );
    let one = Words::new(part, "Shows one NPS response", "")
        .segment("id", ID)
        .answer(200, "The record.", named("NpsResponse"))
        .answer(404, "There is no such record.", named("Error"));
    let example = json!({"externalId": "nps-1", "userId": "32", "score": 9, "respondedAt": "2026-01-01T00:00:00.000Z"});
    let about = "One with the same `externalId` is updated. `userId` is the user's UUID or external id. A user counts in \
                 accounts and organizations by the last answer.";
    let made = writes(part, "Creates an NPS response", about, response(), example).answer(
        200,
        "The record as it is now.",
        named("NpsResponse"),
    );
    let changed = writes(part, "Updates an NPS response", "What is not sent stays.", response(), json!({"score": 10}))
        .segment("id", ID)
        .answer(200, "The record as it is now.", named("NpsResponse"))
        .answer(404, "There is no such record.", named("Error"));
    let mut routes = vec![
        Route::new(Method::GET, path, READ, responses::list, listed),
        Route::new(Method::POST, path, WRITE, nps_responses::create, made),
        Route::new(Method::GET, format!("{path}/{{id}}"), READ, responses::show, one),
        Route::new(Method::PUT, format!("{path}/{{id}}"), WRITE, nps_responses::update, changed),
    ];
    for (kind, place) in [(RecordKind::Account, "accounts"), (RecordKind::Organization, "organizations")] {
        let words = paged(&format!("Lists the NPS responses of one {}", kind.as_str()), "Those of its users.")
            .segment("id", ID)
            .answer(404, "There is no such record.", named("Error"));
        let handler =
            move |state: State<AppState>, reader: records::Reader, id: records::PathId, uri: axum::http::Uri| {
                responses::list_of(kind, state, reader, id, uri)
            };
        routes.push(Route::new(Method::GET, format!("/resources/{place}/{{id}}/npsResponses"), READ, handler, words));
    }
    routes
}

const MERGES: &str = "Traits are merged: a key that is not sent stays, `null` removes one. The same holds for fields.";

fn create<H, T>(path: &str, what: &str, handler: H, fields: ObjectBuilder, example: Value) -> Route
where
    H: Handler<T, AppState>,
    T: 'static,
{
    let about = format!("One with the same `externalId` is updated. {MERGES}");
    let words = writes("Records", &format!("Creates one {what}"), &about, fields.required("externalId"), example)
        .answer(200, "The record as it is now.", named(&schema_name(what)));
    Route::new(Method::POST, path, WRITE, handler, words)
}

fn update<H, T>(path: &str, what: &str, handler: H, fields: ObjectBuilder) -> Route
where
    H: Handler<T, AppState>,
    T: 'static,
{
    let example = json!({"traits": {"plan": "pro", "trial": null}});
    let words = writes("Records", &format!("Updates one {what}"), MERGES, fields, example)
        .segment("id", ID)
        .answer(200, "The record as it is now.", named(&schema_name(what)))
        .answer(404, "There is no such record.", named("Error"));
    Route::new(Method::PUT, path, WRITE, handler, words)
}

fn writes(part: &str, summary: &str, about: &str, fields: ObjectBuilder, example: Value) -> Words {
    Words::new(part, summary, about).body("JSON, compressed or not.", true, Schema::from(fields), example).answer(
        400,
        "The body breaks a rule; `errors` lists each.",
        named("FieldError"),
    )
}

fn schema_name(what: &str) -> String {
    let mut letters = what.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn example_of(name: &str) -> Value {
    json!({"externalId": "123456", "name": name, "traits": {"plan": "pro"}})
}

fn user_example() -> Value {
    json!({"externalId": "32", "email": "user@example.com", "accountIds": ["123456"], "traits": {"role": "captain"}})
}

fn fields(texts: &[&str], dates: &[&str]) -> ObjectBuilder {
    let object = ObjectBuilder::new().schema_type(Type::Object).property("externalId", schema::text());
    let object = texts.iter().fold(object, |object, name| object.property(*name, schema::text()));
    let object = dates.iter().fold(object, |object, name| object.property(*name, schema::instant()));
    object.property("traits", schema::any_object())
}

fn organization() -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Number);
    fields(&["name", "avatar"], &["nextRenewalDate", "churnedAt", "trialEndDate"]).property("mrr", number)
}

fn account() -> ObjectBuilder {
    let what = "The organization's UUID or external id; `null` takes the account out of it.";
    let organization = ObjectBuilder::new().schema_type(Type::String).description(Some(what));
    self::organization().property("organizationId", organization)
}

fn user() -> ObjectBuilder {
    let ids = |what: &str| {
        ArrayBuilder::new()
            .items(RefOr::T(schema::text()))
            .max_items(Some(super::form::IDS_MAX))
            .description(Some(what))
    };
    fields(&["name", "email", "avatar"], &["joinDate", "deactivatedAt"])
        .property("accountIds", ids("All accounts of the user, by UUID or external id; others are unlinked."))
        .property("organizationIds", ids("All organizations of the user, by UUID or external id; others are left."))
        .property("unsubscribedFromConversations", ObjectBuilder::new().schema_type(Type::Boolean))
}

fn custom_object() -> ObjectBuilder {
    fields(&["name", "label", "writeMode"], &[])
        .property("syncActive", ObjectBuilder::new().schema_type(Type::Boolean))
        .property("customFields", ArrayBuilder::new().items(RefOr::T(schema::any_object())))
        .required("name")
}

fn instance() -> ObjectBuilder {
    fields(&["name", "customerId", "organizationId"], &["archivedAt"])
}

fn response() -> ObjectBuilder {
    let score = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(10));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("externalId", schema::text())
        .property("userId", schema::text())
        .property("score", score)
        .property("feedback", schema::text())
        .property("respondedAt", schema::instant())
        .property("dismissedAt", schema::instant())
}
