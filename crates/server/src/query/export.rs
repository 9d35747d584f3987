//! `GET /export`: the workspace's messages as a file, or as the files of a directory, whole or a selection of them.
//!
//! What is handed out is as of the moment at which it was asked for. It takes one of the places that queries have, for as
//! long as its client takes.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    Extension,
    extract::{Request, State},
    http::Method,
    response::{IntoResponse, Response},
};
use muster_model::kind::Kind;
use muster_query::{ExportForm, Parts, QueryError, Selection, export, export_parts};
use muster_store::{
    credentials::Workspace,
    scan::{Names, Wanted},
};
use utoipa::openapi::content::Content;

use super::{
    answer::{Ending, stream},
    tail,
};
use crate::{
    error::ApiError,
    keys::{Caller, unread},
    openapi::{Words, named, schema},
    resources::query::Query,
    router::{Access, Route},
    state::AppState,
};

const PATH: &str = "/export";
/// The longest export; one whose client has gone ends at once.
const TIME_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Bytes of one file of a directory: by default, at least and at the most.
const PART_BYTES_DEFAULT: u64 = 256 << 20;
const PART_BYTES_MIN: u64 = 1 << 20;
const PART_BYTES_MAX: u64 = 16 << 30;
/// The media type of many files in one stream.
const PARTS_TYPE: &str = "application/vnd.muster.parts";

/// What an export becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    File,
    /// Files by kind and month.
    Directory,
}

/// The route of this file.
pub(super) fn route() -> Route {
    let about = "Every message as it was sent, in no particular order, as of one moment. As `ndjson` each line is \
                 `{\"receivedAt\":\"…\",\"message\":{…}}`, which `POST /admin/v1/import` takes; `csv` and `parquet` have the columns \
                 of the table `messages`. An export that is not whole breaks off. With `layout=directory` the answer holds \
                 the files of a directory, one a kind and month or several, in frames that `muster export` reads.";
    let form = "The form of the file.";
    let part = "With `layout=directory`: bytes after which a file ends and the next one begins.";
    let words = Words::new("Import and export", "Exports messages", about)
        .query("format", form, schema::one_of(&ExportForm::ALL.map(ExportForm::as_str)))
        .query(
            "tail",
            "With `ndjson`: a tail that was made before; the last line is the position where it goes on.",
            schema::text(),
        )
        .query("layout", "One file, or the files of a directory.", schema::one_of(&["file", "directory"]))
        .query(
            "partBytes",
            part,
            schema::between(PART_BYTES_MIN as i64, PART_BYTES_MAX as i64, PART_BYTES_DEFAULT as i64),
        )
        .query("workspace", "For the local operator: the workspace to export.", schema::text())
        .answer_as(200, "The file.", "application/x-ndjson", Content::new(Some(schema::text())))
        .answer(400, "A parameter is wrong.", named("Error"));
    Route::new(Method::GET, PATH, Access::ReadOrOperator, answer, selecting(words))
}

/// Adds the parameters that select messages.
pub(super) fn selecting(words: Words) -> Words {
    words
        .query("kind", "Only messages of these kinds, with commas between.", schema::text())
        .query("organization", "Only messages that name this organization, by the sender's id. In an export that is not followed: the tracks of its timeline.", schema::text())
        .query("account", "The same of this account.", schema::text())
        .query("user", "The same of this user.", schema::text())
        .query("event", "Only tracks of this name.", schema::text())
        .query("after", "Only messages whose timestamp is this instant or later.", schema::text())
        .query("before", "Only messages whose timestamp is earlier than this instant.", schema::text())
}

async fn answer(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let (head, body) = request.into_parts();
    let parameters = Query::of(&head.uri);
    let asked = async {
        let workspace = caller.workspace(&state, &parameters)?;
        let (wanted, form) = (wanted(&parameters)?, form(&parameters)?);
        match parameters.word("layout", &[("file", Layout::File), ("directory", Layout::Directory)])? {
            Layout::File => begin(&state, &workspace, wanted, form, parameters.filled("tail")).await,
            Layout::Directory => begin_parts(&state, workspace, wanted, form, part_bytes(&parameters)?).await,
        }
    };
    asked.await.map_err(|error: ApiError| unread(body, error.into_response()))
}

async fn begin(
    state: &AppState,
    workspace: &Workspace,
    wanted: Wanted,
    form: ExportForm,
    tail: Option<&str>,
) -> Result<Response, ApiError> {
    if let Some(name) = tail {
        tail::find(&*state.store, workspace, name)?;
        if form != ExportForm::Ndjson {
            return Err(ApiError::parameter("format must be ndjson for an export that is followed"));
        }
    }
    let (asked, workspace, is_followed) = (state.clone(), workspace.id, tail.is_some());
    // What comes later is judged as it comes, when nobody knows yet what a late link will make of it.
    let selection = if is_followed { Selection::named(wanted) } else { Selection::belonging(wanted) };
    stream(state, form.media_type(), TIME_MAX, Ending::BrokenOff, move |stop, out| {
        let moment = asked.store.moment(workspace)?;
        let place = moment.place();
        export(&moment, &selection, form, &stop, out)?;
        if !is_followed {
            return Ok(());
        }
        let mut line = Vec::new();
        tail::position_line(&place, &mut line);
        out.take(line).map_err(|_| QueryError::Cancelled)
    })
    .await
}

async fn begin_parts(
    state: &AppState,
    workspace: Workspace,
    wanted: Wanted,
    form: ExportForm,
    part_bytes: u64,
) -> Result<Response, ApiError> {
    let (asked, selection) = (state.clone(), Selection::belonging(wanted));
    stream(state, PARTS_TYPE, TIME_MAX, Ending::BrokenOff, move |stop, out| {
        let parts = Parts { part_bytes, as_of: asked.clock.now() };
        export_parts(&*asked.store, workspace.id, &selection, form, &parts, &stop, out).map(|_| ())
    })
    .await
}

fn part_bytes(parameters: &Query) -> Result<u64, ApiError> {
    Ok(parameters.whole("partBytes", PART_BYTES_MIN..=PART_BYTES_MAX)?.unwrap_or(PART_BYTES_DEFAULT))
}

fn form(parameters: &Query) -> Result<ExportForm, ApiError> {
    parameters.word("format", &ExportForm::ALL.map(|form| (form.as_str(), form)))
}

pub(super) fn wanted(parameters: &Query) -> Result<Wanted, ApiError> {
    let kinds = match parameters.filled("kind") {
        None => Kind::ALL.to_vec(),
        Some(names) => names.split(',').map(|name| kind(name.trim())).collect::<Result<Vec<Kind>, ApiError>>()?,
    };
    let name = |parameter: &str| -> Names { parameters.filled(parameter).map(|name| BTreeSet::from([name.into()])) };
    Ok(Wanted {
        kinds,
        organizations: name("organization"),
        accounts: name("account"),
        users: name("user"),
        events: name("event"),
        first: parameters.instant("after")?,
        last: parameters.instant("before")?.map(|before| before.plus_micros(-1)),
        ..Wanted::everything()
    })
}

fn kind(name: &str) -> Result<Kind, ApiError> {
    Kind::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        ApiError::parameter(format!("kind must be some of {}", known.join(", ")))
    })
}
