//! The routes of this part, with their words in the API document.

use axum::http::Method;
use serde_json::json;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Schema, Type, schema::SchemaType};

use super::{answer, export, tail};
use crate::{
    openapi::{Words, named, schema},
    router::{Access, Route},
};

/// Codes of failed queries.
pub(crate) const CODES: [&str; 9] = [
    "invalid_sql",
    "not_allowed",
    "invalid_parameters",
    "sql_too_long",
    "query_too_slow",
    "query_too_large",
    "answer_too_large",
    "cancelled",
    "failed",
];

/// The routes.
pub(crate) fn routes() -> Vec<Route> {
    let description = "One statement in SQLite's SQL over the tables `organizations`, `accounts`, `users`, `links`, \
                       `events`, `messages`, `traits` and `daily` of the caller's workspace, as of one moment; docs/sql.md \
                       describes them. As `format=csv` and `format=parquet` the answer has another form; one that is not \
                       whole then breaks off.";
    let example = json!({
        "sql": "select account_id, count(distinct user_id) as users from events where timestamp >= ? group by 1",
        "params": ["2024-01-01"]
    });
    let words = Words::new("SQL", "Answers a query", description)
        .query("format", "The form of the answer; `Accept` says the same.", schema::one_of(&["json", "csv", "parquet"]))
        .query("workspace", "For the local operator: the workspace to ask.", schema::text())
        .body("The statement and values for its parameters, a list or an object.", true, ask_schema(), example)
        .answer(200, "The rows.", named("QueryAnswer"))
        .answer(400, "The statement or its parameters are wrong.", named("QueryError"))
        .answer(
            422,
            "The query takes more time or memory than it may, or its answer is too large.",
            named("QueryError"),
        );
    let ask = Route::new(Method::POST, "/query", Access::ReadOrOperator, answer::answer, words);
    let mut routes = vec![ask.while_client_is_there(), export::route().while_client_is_there()];
    routes.extend(tail::routes::routes());
    routes
}

fn ask_schema() -> Schema {
    let params = "A list for `?`, an object for `:name`. Lists and objects among the values become JSON text.";
    let params = ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(params));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("sql", schema::text())
        .required("sql")
        .property("params", params)
        .into()
}

/// Schemas of what is answered.
pub(crate) fn schemas() -> [(&'static str, Schema); 4] {
    let typed = |kind: Type| ObjectBuilder::new().schema_type(kind);
    let told = |kind: Type, says: &str| ObjectBuilder::new().schema_type(kind).description(Some(says.to_owned()));
    let column = typed(Type::Object).property("name", schema::text()).property(
        "type",
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("The type of the table's column that it shows; `null` when it is computed.")),
    );
    let row = ArrayBuilder::new().items(ObjectBuilder::new().schema_type(SchemaType::AnyValue));
    let scanned =
        typed(Type::Object).property("messages", typed(Type::Integer)).property("records", typed(Type::Integer));
    let late = typed(Type::Object).property("code", schema::one_of(&CODES)).property("message", schema::text());
    let answer = typed(Type::Object)
        .property("columns", ArrayBuilder::new().items(column))
        .property("rows", ArrayBuilder::new().items(row))
        .property("rowCount", typed(Type::Integer))
        .property(
            "truncated",
            told(Type::Boolean, "There are more rows than may be answered, or an error came between."),
        )
        .property("scanned", scanned)
        .property("error", late);
    let one = typed(Type::Object)
        .property("code", schema::one_of(&CODES))
        .property("instancePath", told(Type::String, "JSON pointer into the body."))
        .property("message", schema::text())
        .property("position", told(Type::Integer, "The byte of the statement at which it stops making sense."));
    let error =
        typed(Type::Object).property("message", schema::text()).property("errors", ArrayBuilder::new().items(one));
    let error = typed(Type::Object).property("error", error);
    let [one, all] = tail::routes::schemas();
    [("QueryAnswer", answer.into()), ("QueryError", error.into()), one, all]
}
