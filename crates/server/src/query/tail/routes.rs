//! The routes of this part, with their words in the API document.

use axum::http::Method;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Schema, Type, content::Content};

use super::{
    super::export::selecting,
    manage::{self, KEPT_SECONDS_DEFAULT, KEPT_SECONDS_MAX, KEPT_SECONDS_MIN},
    stream,
};
use crate::{
    openapi::{Words, named, schema},
    router::{Access, Route},
};

const PATH: &str = "/export/tails";
const ONE_PATH: &str = "/export/tails/{id}";

/// The routes.
pub(in crate::query) fn routes() -> [Route; 4] {
    let words = |summary: &str, about: &str| {
        let says = "For the local operator: the workspace.";
        Words::new("Import and export", summary, about).query("workspace", says, schema::text())
    };
    let one = |summary: &str, about: &str| {
        let words = words(summary, about).segment("id", "The tail's name.");
        words.answer(404, "There is no such tail.", named("Error"))
    };
    let about = "What is stored from now on is kept for whoever follows the export `GET /export?tail=NAME`, until a position after \
                 it comes with a request. At most 8 tails; what is kept is bounded by `forward.kept_bytes_max`.";
    let kept = schema::between(KEPT_SECONDS_MIN as i64, KEPT_SECONDS_MAX as i64, KEPT_SECONDS_DEFAULT as i64);
    let made = words("Makes a tail", about)
        .query("keptSeconds", "After how long without a request it is removed.", kept)
        .answer(200, "Its name.", named("Tail"))
        .answer(400, "There are as many as may be.", named("Error"));
    let listed = words("Lists tails", "Oldest first.").answer(200, "The tails.", named("Tails"));
    let about = "What was stored after a position, in the order of the journal, as lines like those of `GET /export`, and what is \
                 stored meanwhile. After each piece comes a line `{\"position\":\"…\"}`; what stands before it need not be asked for again. \
                 The answer ends after half a minute: ask again with the last position, which says that everything before it \
                 may be let go of.";
    let seconds = schema::between(0, stream::ANSWER_SECONDS_MAX as i64, stream::ANSWER_SECONDS_MAX as i64);
    let read = selecting(one("Follows an export", about))
        .query("seconds", "How long the answer goes on; with 0 it ends when there is no more.", seconds)
        .query("position", "The last position that was told.", schema::text())
        .answer_as(200, "Lines.", "application/x-ndjson", Content::new(Some(schema::text())))
        .answer(400, "A parameter is wrong.", named("Error"))
        .answer(409, "The position is over.", named("Error"))
        .answer(503, "Somebody else still reads the tail.", named("Error"));
    let ended = one("Ends a tail", "").bare(204, "It is gone.");
    [
        Route::new(Method::POST, PATH, Access::ReadOrOperator, manage::create, made),
        Route::new(Method::GET, PATH, Access::ReadOrOperator, manage::list, listed),
        Route::new(Method::GET, ONE_PATH, Access::ReadOrOperator, stream::answer, read).while_client_is_there(),
        Route::new(Method::DELETE, ONE_PATH, Access::ReadOrOperator, manage::end, ended),
    ]
}

/// Schemas of what is answered.
pub(in crate::query) fn schemas() -> [(&'static str, Schema); 2] {
    let number = || ObjectBuilder::new().schema_type(Type::Integer);
    let tail = || ObjectBuilder::new().schema_type(Type::Object).property("name", schema::text());
    let listed = tail()
        .property("createdAt", schema::instant())
        .property("keptSeconds", number())
        .property("idleSeconds", number());
    let tails = ObjectBuilder::new().schema_type(Type::Object).property("results", ArrayBuilder::new().items(listed));
    [("Tail", tail().into()), ("Tails", tails.into())]
}
