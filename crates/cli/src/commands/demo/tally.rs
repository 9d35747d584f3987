//! What was made, counted, and shown to people and programs.

use std::collections::HashSet;

use muster_model::kind::Kind;
use serde::Serialize;

use super::{
    cast::Cast,
    message::About,
    story::{DAYS, Story},
};
use crate::{commands::send::report::Summary, output};

/// How many accounts of one kind of story are named.
const NAMED_MAX: usize = 3;

/// Counts while messages pass.
#[derive(Debug, Default)]
pub struct Tally {
    records: HashSet<(Kind, String)>,
    events: u64,
    faults: u64,
}

/// What the command prints.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    pub seed: u64,
    /// The first and the last day.
    pub from: String,
    pub until: String,
    pub organizations: u64,
    pub accounts: u64,
    pub users: u64,
    pub events: u64,
    pub nps_responses: u64,
    pub custom_objects: u64,
    pub custom_object_instances: u64,
    pub messages: u64,
    pub stored: u64,
    /// There already.
    pub duplicates: u64,
    /// Refused on purpose, all of them unless something went wrong.
    pub refused: u64,
    pub seconds: f64,
}

impl Tally {
    pub fn count(&mut self, about: About) {
        match about {
            About::Record(kind, id) => {
                self.records.insert((kind, id));
            }
            About::Event => self.events += 1,
            About::Change => {}
            About::Fault => self.faults += 1,
        }
    }

    /// Messages that are to be refused.
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// What was made and what became of it.
    pub fn made(&self, seed: u64, [from, until]: [String; 2], summary: &Summary) -> Made {
        let records = |wanted: Kind| self.records.iter().filter(|(kind, _)| *kind == wanted).count() as u64;
        Made {
            seed,
            from,
            until,
            organizations: records(Kind::Organization),
            accounts: records(Kind::Account),
            users: records(Kind::User),
            events: self.events,
            nps_responses: records(Kind::NpsResponse),
            custom_objects: records(Kind::CustomObject),
            custom_object_instances: records(Kind::CustomObjectInstance),
            messages: summary.messages,
            stored: summary.stored,
            duplicates: summary.duplicates,
            refused: summary.refused,
            seconds: summary.seconds,
        }
    }
}

impl Made {
    /// The same for people.
    pub fn table(&self) -> String {
        let row = |count: u64, what: &str| vec![what.to_owned(), count.to_string()];
        let mut rows = vec![
            row(self.organizations, "organizations"),
            row(self.accounts, "accounts"),
            row(self.users, "users"),
            row(self.events, "events"),
            row(self.nps_responses, "NPS responses"),
            row(self.custom_object_instances, "tickets and subscriptions"),
            row(self.messages, "messages in all"),
            row(self.stored, "stored"),
            row(self.refused, "refused on purpose"),
        ];
        if self.duplicates > 0 {
            rows.push(row(self.duplicates, "there already"));
        }
        let Made { from, until, seconds, .. } = self;
        format!(
            "Fieldnote, which does not exist, from {from} to {until}, in {seconds:.1} s:\n\n{}",
            output::table(&rows)
        )
    }
}

/// What is worth a look.
pub fn sights(cast: &Cast) -> String {
    let named = |story: Story| {
        let of_story =
            cast.accounts.iter().filter(|account| account.course.story == story && account.course.begins < DAYS);
        let names: Vec<String> =
            of_story.take(NAMED_MAX).map(|account| format!("{} ({})", account.name.shown, account.id)).collect();
        names.join(", ")
    };
    let importer = cast.accounts.first().map_or("", |account| account.name.shown.as_str());
    format!(
        "What to look at:\n\
         - left after they had gone quiet: {}\n\
         - going quiet now: {}\n\
         - grew, from plan to plan: {}\n\
         - {importer} brought in its archive on one morning\n\
         - `summary-generated` came out in the middle of the year; watch accounts take it up\n\
         - a campaign brought many accounts in one week, and `template-used` with them\n\
         - what was refused, with reasons: the page Refused of the console, or `/resources/refused`\n\
         - muster query \"select strftime('%Y-%m', day) as month, sum(events) from daily group by 1 order by 1\"",
        named(Story::Churned),
        named(Story::Fading),
        named(Story::Growing),
    )
}
