//! Stores with something in them, and queries asked of them.

use std::time::Duration;

use muster_model::{id::WorkspaceId, time::Micros};
use muster_query::{Engine, Format, Limits, Params, QueryError, Request, Stop, Summary, TraitNames, run};
use muster_store::{
    Store,
    batch::BatchBuilder,
    memory::MemoryStore,
    suite::{Sent, desk::workspace_named},
};
use serde_json::Value;

/// A store and a workspace in it.
pub struct Asked<S> {
    pub store: S,
    pub workspace: (WorkspaceId, String),
    now: Micros,
    pub limits: Limits,
}

/// The twin, with these messages.
pub async fn twin(messages: &[String]) -> Asked<MemoryStore> {
    Asked::over(MemoryStore::new(), messages).await
}

/// The first instant at which something is received.
pub const START: Micros = Micros(1_719_792_000_000_000);

impl<S: Store> Asked<S> {
    pub async fn over(store: S, messages: &[String]) -> Asked<S> {
        let workspace = workspace_named(&store, "default", START).await;
        let limits = Limits { time_max: Duration::from_secs(20), ..Limits::default() };
        let mut asked = Asked { store, workspace: (workspace.id, workspace.name), now: START, limits };
        asked.send(messages).await;
        asked
    }

    /// Sends messages in batches of a hundred.
    pub async fn send(&mut self, messages: &[String]) {
        let ids = muster_model::id::IdSpace::new(&self.workspace.1);
        for some in messages.chunks(100) {
            let mut batch = BatchBuilder::new(self.workspace.0, 0);
            for text in some {
                Sent::new(text, self.now).add_to(&mut batch, ids);
            }
            self.store.append(batch.build()).await.expect("a batch is taken");
            self.now = self.now.plus_micros(1_000_000);
        }
    }

    /// Another workspace of the same store.
    pub async fn enter(&mut self, name: &str) {
        let workspace = workspace_named(&self.store, name, START).await;
        self.workspace = (workspace.id, workspace.name);
    }

    pub fn answer(&self, format: Format, sql: &str, params: Params) -> Result<(Vec<u8>, Summary), QueryError> {
        self.answer_until(format, sql, params, Stop::after(self.limits.time_max))
    }

    pub fn answer_until(
        &self,
        format: Format,
        sql: &str,
        params: Params,
        stop: Stop,
    ) -> Result<(Vec<u8>, Summary), QueryError> {
        let names = TraitNames {
            mrr: "mrr".to_owned(),
            next_renewal_date: "nextRenewalDate".to_owned(),
            churned_at: "churnedAt".to_owned(),
            trial_end_date: "trialEndDate".to_owned(),
        };
        let engine = Engine { store: &self.store, workspace: (self.workspace.0, &self.workspace.1), names };
        let request = Request { sql: sql.to_owned(), params };
        let mut out = Vec::new();
        let summary = run(&engine, &request, &self.limits, format, stop, &mut out)?;
        Ok((out, summary))
    }

    /// The rows of an answer, as JSON.
    pub fn rows(&self, sql: &str) -> Vec<Value> {
        self.rows_with(sql, Params::None)
    }

    pub fn rows_with(&self, sql: &str, params: Params) -> Vec<Value> {
        let (out, _) = self.answer(Format::Json, sql, params).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let answer: Value = serde_json::from_slice(&out).expect("an answer is JSON");
        assert_eq!(answer["truncated"], false, "{sql}");
        answer["rows"].as_array().expect("an answer has rows").clone()
    }

    /// One line a row, values with bars between.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let line = |row: &Value| row.as_array().into_iter().flatten().map(shown).collect::<Vec<_>>().join("|");
        self.rows(sql).iter().map(line).collect()
    }

    pub fn error(&self, sql: &str) -> QueryError {
        self.answer(Format::Json, sql, Params::None).map(|_| ()).expect_err(sql)
    }
}

pub fn texts(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}
