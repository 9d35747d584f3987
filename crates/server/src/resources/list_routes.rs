//! The routes of lists that belong to a record, of searches and of the catalogue; and the words that all lists share.

use axum::{
    extract::State,
    http::{Method, Uri},
};
use muster_model::kind::RecordKind;
use muster_store::credentials::Scopes;
use utoipa::openapi::{ArrayBuilder, Schema};

use super::{
    accounts, custom_fields,
    records::{PathId, Reader},
    routes::{ID, paged},
    users,
};
use crate::{
    openapi::{Words, named, schema},
    router::{Access, Route},
    state::AppState,
};

const READ: Access = Access::Scope(Scopes::READ);
/// What `status` says.
const STATUS: &str = "`active` hides accounts that have churned, `churned` shows no others.";

/// A list of records: its pages, its order, its filters.
pub(super) fn sorted(words: Words) -> Words {
    let by = "`updatedAt` (the default), `createdAt`, any other field with a number or a date, or a trait: its key, or \
              `trait.` and its key.";
    let text = "Only records whose name, e-mail address or external id contains this text, whatever the case of its \
                letters.";
    let filter = "Only records with this value of a trait. `trait.<key>.gte` and `trait.<key>.lte` bound a number or a \
                  date, `trait.<key>.exists` is `true` or `false`.";
    paged(words, 100)
        .query("sortBy", by, schema::text())
        .query("order", "From the greatest to the least, or the other way.", schema::one_of(&["desc", "asc"]))
        .query("search", text, schema::text())
        .query("trait.<key>", filter, schema::text())
        .query("updatedAfter", "Only records with this `updatedAt` or a later one.", schema::instant())
        .query("updatedBefore", "Only records with an earlier `updatedAt`.", schema::instant())
}

/// The same, of records that are seen to do something.
pub(super) fn seen(words: Words) -> Words {
    sorted(words).query("seenAfter", "Only records last seen at or after this instant.", schema::instant()).query(
        "seenBefore",
        "Only records last seen before this instant.",
        schema::instant(),
    )
}

/// The same, of accounts.
pub(super) fn of_accounts(words: Words) -> Words {
    seen(words).query("status", STATUS, schema::one_of(&["active", "churned", "activeOrChurned"]))
}

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    let of = |what: &str, list: &str| {
        let words = Words::new("Records", what, "The parameters are those of the list of all.").segment("id", ID);
        words.answer(200, "A page.", named(list)).answer(404, "There is no such record.", named("Error"))
    };
    let accounts = of_accounts(of("Lists the accounts of an organization", "Accounts"));
    let users_of = |kind: RecordKind, path: &str| {
        let words = seen(of(&format!("Lists the users of one {}", kind.as_str()), "Users"));
        let handler = move |state: State<AppState>, reader: Reader, id: PathId, uri: Uri| {
            users::list_of(kind, state, reader, id, uri)
        };
        Route::new(Method::GET, format!("/resources/{path}/{{id}}/users"), READ, handler, words)
    };
    vec![
        Route::new(
            Method::GET,
            "/resources/organizations/{id}/accounts",
            READ,
            accounts::list_of_organization,
            accounts,
        ),
        users_of(RecordKind::Organization, "organizations"),
        users_of(RecordKind::Account, "accounts"),
        Route::new(Method::GET, "/resources/users/search", READ, users::search, search()),
        Route::new(Method::GET, "/resources/customFields", READ, custom_fields::list, catalogue()),
    ]
}

fn search() -> Words {
    let about = "Exactly one of `externalId`, `email` and `emailSubdomain`, which is the domain of the e-mail address. The \
                 case of letters of addresses does not matter.";
    paged(Words::new("Records", "Finds users", about), 100)
        .query("externalId", "", schema::text())
        .query("email", "", schema::text())
        .query("emailSubdomain", "", schema::text())
        .answer(200, "A page of what was found.", named("Users"))
}

fn catalogue() -> Words {
    let about = "Every key that a message ever stated, by label, with the type of its values: `string`, `number`, \
                 `boolean`, `datetime`, `array` or `object`; `string` when they differ. The answer is a bare array.";
    let models = &["accounts", "users", "organizations", "customObjects"];
    Words::new("Records", "Lists the traits of a kind of record", about)
        .query("model", "Whose traits.", schema::words(models))
        .query("customObjectId", "With `customObjects`: the UUID or the name of the custom object.", schema::text())
        .answer(200, "The traits.", Schema::from(ArrayBuilder::new().items(named("CustomField"))))
        .answer(400, "A parameter is missing or is not what it may be.", named("Error"))
        .answer(404, "There is no such custom object.", named("Error"))
}
