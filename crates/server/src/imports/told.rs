//! What a request with messages tells of its import: which part it is, and how far everything has come.

use std::{ops::RangeInclusive, sync::Arc};

use muster_model::{
    id::{ImportId, WorkspaceId},
    time::Micros,
};
use muster_store::{
    batch::{Batch, BatchBuilder},
    error::AppendError,
    import::{Note, Part, Stage, note::BOOKMARK_BYTES_MAX},
    receipt::Receipt,
};
use tokio::sync::watch;

use super::{show, turns};
use crate::{
    error::ApiError,
    openapi::{Words, schema},
    resources::query::Query,
    state::AppState,
};

/// What the numbers of a part may be.
const WHOLE: RangeInclusive<u64> = 0..=i64::MAX as u64;

/// A part of an import, as its request tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    id: ImportId,
    at: Micros,
    part: Part,
    bookmark: Option<Box<str>>,
    /// It is the last one.
    ends: bool,
}

impl Told {
    /// What the parameters of a request say; nothing when they name no import.
    pub(crate) async fn of(
        state: &AppState,
        workspace: WorkspaceId,
        parameters: &Query,
    ) -> Result<Option<Told>, ApiError> {
        let Some(id) = parameters.filled("import") else { return Ok(None) };
        let known = show::named(state, workspace, id).await?;
        let id = known.id;
        let number = |name: &str| parameters.whole(name, WHOLE).map(Option::unwrap_or_default);
        let part = Part {
            from: number("from")?,
            to: number("to")?,
            refused: number("broken")?,
            position: number("position")?,
            refused_bytes: number("refusedBytes")?,
            bytes: number("bytes")?,
            total: parameters.whole("total", WHOLE)?,
            ..Part::default()
        };
        if part.from > part.to || part.position > part.to {
            return Err(ApiError::parameter("to must not lie before from or position"));
        }
        let ends = parameters.word("ends", &[("false", false), ("true", true)])?;
        if known.is_closed() {
            return Err(ApiError::parameter(format!("import {id} was taken back; begin another one")));
        }
        let is_over = known.stage != Stage::Running && !known.has(part.from, part.to);
        if is_over {
            return Err(ApiError::parameter(format!("import {id} is complete; begin another one")));
        }
        let bookmark = parameters.filled("bookmark");
        if bookmark.is_some_and(|bookmark| bookmark.len() > BOOKMARK_BYTES_MAX) {
            return Err(ApiError::parameter(format!("bookmark must be at most {BOOKMARK_BYTES_MAX} bytes")));
        }
        Ok(Some(Told { id, at: state.clock.now(), part, bookmark: bookmark.map(Into::into), ends }))
    }

    /// Waits until everything before it is on its way to the journal.
    pub(crate) async fn turn(&self, state: &AppState, workspace: WorkspaceId) -> Result<Turn, ApiError> {
        let known = show::find(state, workspace, self.id).await?;
        let offered = state.turns.wait(workspace, &known, self.part.from).await?;
        Ok(Turn { offered, to: self.part.to })
    }

    /// Adds it to a batch, behind its messages, of which so many were refused.
    pub(crate) fn add_to(&self, batch: &mut BatchBuilder, refused: usize) {
        let part = Part { refused: self.part.refused + refused as u64, ..self.part };
        batch.import(&Note::Part { id: self.id, at: self.at, part, bookmark: self.bookmark.clone() });
        if self.ends {
            batch.import(&Note::End { id: self.id, at: self.at });
        }
    }

    /// Its parameters, in the words of a route.
    pub(crate) fn words(words: Words) -> Words {
        let count = || schema::between(0, i64::MAX, 0);
        words
            .query(
                "import",
                "The import that this is a part of. Without it nothing below is looked at.",
                schema::text(),
            )
            .query("from", "The place at which the part begins, counted message by message.", count())
            .query("to", "The place behind it. A part that was told of before is counted once.", count())
            .query("broken", "What of it was no message that could be sent.", count())
            .query("position", "Everything before this place was acknowledged.", count())
            .query("refusedBytes", "For whoever imports to go on from there: a number of its own.", count())
            .query("bookmark", "The same: a text of its own about that place, of at most 1024 bytes.", schema::text())
            .query("bytes", "Bytes of the sources read so far.", count())
            .query("total", "How many messages there are in all, once that is known.", count())
            .query("ends", "Whether this is the last part.", schema::one_of(&["false", "true"]))
    }
}

/// It is a part's turn.
pub(crate) struct Turn {
    offered: Arc<watch::Sender<u64>>,
    to: u64,
}

impl Turn {
    /// Appends the part.
    pub(crate) async fn append(&self, state: &AppState, batch: Batch) -> Result<Receipt, AppendError> {
        turns::append(state, batch, &self.offered, self.to).await
    }
}
