//! Beginning an import, or going on with one that was cut short.
//!
//! Numbers are given out one at a time, so that no two imports have the same. A workspace keeps a bounded number of imports;
//! beyond it the oldest of which nothing is left is forgotten.

use axum::{
    Extension,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use muster_model::{
    id::{ImportId, WorkspaceId},
    limits::ID_BYTES_MAX,
};
use muster_store::{
    batch::BatchBuilder,
    error::AdminError,
    import::{IMPORTS_MAX, Import, Note, Source, Stage, note::NAME_BYTES_MAX},
};

use crate::{
    error::ApiError,
    ingest::{self, journal},
    keys::{Caller, unread},
    resources::{
        answer::json,
        query::Query,
        write::{
            body::Members,
            form::{Form, Said},
        },
    },
    state::AppState,
    violation::Violation,
    wire::import,
};

const BODY_BYTES_MAX: usize = 64 << 10;
const FINGERPRINT_DIGITS: usize = 32;

/// What is asked.
struct Asked {
    source: Source,
    /// Also when one of the same sources was cut short.
    again: bool,
}

/// Answers with the import that is to be told of from now on.
pub(super) async fn begin(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let (head, mut body) = request.into_parts();
    let key_id = caller.key_id();
    let begun = async {
        let workspace = caller.workspace(&state, &Query::of(&head.uri))?;
        let (bytes, _reservation) = ingest::whole(&state, &head, &mut body, BODY_BYTES_MAX).await?;
        let import = go_on(&state, workspace.id, key_id, read(&bytes)?).await?;
        let now = state.clock.now();
        Ok(json(StatusCode::OK, |object| import::write(object, &import, now)))
    };
    begun.await.map_err(|error: ApiError| unread(body, error.into_response()))
}

fn read(bytes: &[u8]) -> Result<Asked, ApiError> {
    let members = Members::read(bytes)?;
    let mut form = Form::new(&members);
    let name = match form.text("name") {
        Said::Some(name) if name.len() <= NAME_BYTES_MAX => name.as_ref().into(),
        Said::Some(_) => {
            let says = format!("must be at most {NAME_BYTES_MAX} bytes");
            form.note(Violation::new("/name", "maxLength", NAME_BYTES_MAX.to_string(), says));
            Box::default()
        }
        Said::Nothing | Said::None => Box::default(),
    };
    const _: () = assert!(ID_BYTES_MAX <= NAME_BYTES_MAX);
    let word = form.required_id("format");
    let bytes = match form.integer("bytes", 0, i64::MAX) {
        Said::Some(bytes) => u64::try_from(bytes).ok(),
        Said::Nothing | Said::None => None,
    };
    let fingerprint = match form.text("fingerprint") {
        Said::Some(digits) => {
            let is = digits.len() == FINGERPRINT_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let read = u128::from_str_radix(&digits, 16).ok().filter(|_| is);
            if read.is_none() {
                let says = "must be 32 hexadecimal digits";
                form.note(Violation::new("/fingerprint", "pattern", "^[0-9a-fA-F]{32}$", says));
            }
            read
        }
        Said::Nothing | Said::None => None,
    };
    let again = form.boolean("again") == Some("true");
    form.close()?;
    Ok(Asked { source: Source { name, form: word.as_ref().into(), bytes, fingerprint }, again })
}

async fn go_on(state: &AppState, workspace: WorkspaceId, key_id: u64, asked: Asked) -> Result<Import, ApiError> {
    let _one_at_a_time = state.importing.lock().await;
    let known = state.store.imports(workspace).await.map_err(ApiError::Read)?;
    let Asked { source, again } = asked;
    let cut_short = |import: &&Import| {
        let is_same = import.source.fingerprint == source.fingerprint && import.source.form == source.form;
        is_same && source.fingerprint.is_some() && import.stage == Stage::Running
    };
    let found = known.iter().find(cut_short).filter(|_| !again).map(|import| import.id);
    let mut batch = BatchBuilder::new(workspace, 256);
    let id = match found {
        Some(id) => id,
        None => {
            if known.len() >= IMPORTS_MAX {
                batch.import(&Note::Forget { id: forgettable(&known)? });
            }
            ImportId(known.first().map_or(1, |newest| newest.id.0.saturating_add(1)))
        }
    };
    batch.import(&Note::Begin { id, at: state.clock.now(), key_id, source });
    journal::append_batch(state, batch.build()).await?;
    let import = state.store.import(workspace, id).await.map_err(ApiError::Read)?;
    let import = import.ok_or(ApiError::Internal)?;
    tracing::info!(import = import.id.0, from = import.position, "an import begins");
    Ok(import)
}

/// The oldest import of which nothing is left; not the newest of all, whose number is never to be used again.
fn forgettable(known: &[Import]) -> Result<ImportId, ApiError> {
    let oldest = known.iter().skip(1).rev().find(|import| import.is_void());
    oldest.map(|import| import.id).ok_or_else(|| {
        let says = format!("the workspace has {IMPORTS_MAX} imports that brought something, and keeps no more of them");
        ApiError::Admin(AdminError::Exists(says))
    })
}
