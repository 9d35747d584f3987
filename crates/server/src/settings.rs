//! What an operator may set about the server, every bound with its unit.
//!
//! Defaults suit one machine; whoever reads settings calls [`ServerSettings::check`] before using them. Never reads a
//! file or the environment itself.

use std::time::Duration;

use muster_model::limits::{DEPTH_CEILING, MESSAGE_BYTES_CEILING, MessageLimits};
use muster_query::Limits;

use crate::{forward::Retries, keys::Token, listen::Tls};

const MIB: usize = 1024 * 1024;

/// Bytes of a compressed body.
const COMPRESSED_BYTES_MAX: usize = 5 * MIB;
/// Bytes of a body as it is parsed.
const BODY_BYTES_MAX: usize = 20 * MIB;
/// Bytes of all bodies in memory at one time.
const IN_FLIGHT_BYTES_MAX: usize = 256 * MIB;
/// Bytes of one page of an answer, beyond which it ends early and says where the next one starts.
const PAGE_BYTES_MAX: usize = 8 * MIB;
/// The smallest buffer that the HTTP library takes for a request's head.
const HEAD_BYTES_FLOOR: usize = 8 * 1024;

const _: () = assert!(COMPRESSED_BYTES_MAX <= BODY_BYTES_MAX && BODY_BYTES_MAX <= IN_FLIGHT_BYTES_MAX);

/// Which parts of the API a node answers; `/healthz`, `/readyz`, `/metrics` and the documentation in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serves {
    /// Taking messages.
    pub intake: bool,
    /// Everything that is read, changes to records, and the console's pages.
    pub console: bool,
}

/// Settings of the HTTP server.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// What of the API it answers.
    pub serves: Serves,
    /// Bounds of one message.
    pub message: MessageLimits,
    /// Bytes of a compressed body; more is answered with 413.
    pub compressed_bytes_max: usize,
    /// Bytes of a body after decompression, and of one that is not compressed; more is answered with 413.
    pub body_bytes_max: usize,
    /// Bytes of request bodies in memory at one time, all connections together; when they are taken, requests are
    /// answered with 503. What is made of the bodies takes up to about three times as much.
    pub in_flight_bytes_max: usize,
    /// Bodies up to so many bytes are parsed where they arrive; larger ones on threads of their own.
    pub inline_bytes_max: usize,
    /// Large bodies that are decompressed and parsed at one time.
    pub heavy_jobs_max: usize,
    /// Requests a key may make in a minute, and at once; more are answered with 429.
    pub requests_per_minute: u32,
    /// Connections open at one time; further ones are answered with 503 and closed.
    pub connections_max: usize,
    /// Clients beyond that which are told so at one time; even further ones are only closed.
    pub turned_away_max: usize,
    /// Bytes of a request's line and headers; more is answered with 431.
    pub head_bytes_max: usize,
    /// How connections are kept secret, if they are.
    pub tls: Option<Tls>,
    /// How long a request's head may take to arrive, and a new connection to begin one; and a handshake, if there is one.
    pub head_timeout: Duration,
    /// How long a connection may stay open between two requests.
    pub idle_timeout: Duration,
    /// How long a body may take to arrive as a whole.
    pub body_timeout: Duration,
    /// How long a body may pause.
    pub body_gap_timeout: Duration,
    /// How long a client may take nothing of its answer before the connection is closed.
    pub write_timeout: Duration,
    /// How long a batch may wait for the store before its sender is told to try again.
    pub store_timeout: Duration,
    /// How long requests under way may take to end once the server was asked to stop.
    pub shutdown_timeout: Duration,
    /// Bytes of one page of an answer; a page that grows larger ends early.
    pub page_bytes_max: usize,
    /// Records that one answer may look at beside those it shows: parents shown within a user, users counted for an
    /// organization.
    pub related_records_max: usize,
    /// Which traits feed the fields of records that come from traits.
    pub trait_names: TraitNames,
    /// The trait of a group, in calls of the Segment spec, that says that the group is an organization.
    pub organization_trait: String,
    /// What one query in SQL may cost.
    pub query_limits: Limits,
    /// Queries in SQL that run at one time; further ones are answered with 503.
    pub queries_max: usize,
    /// Whether messages go on to destinations; without it destinations can be managed and nothing is sent.
    pub forwards: bool,
    /// Whether keys with the scope `admin` may say where messages go; otherwise the local operator and the settings file alone
    /// do.
    pub destinations_by_keys: bool,
    /// How long to wait before a destination that failed is tried again.
    pub retries: Retries,
    /// A token that manages the keys of every workspace and asks queries of it, and nothing else; for commands run beside
    /// the server.
    pub operator_token: Option<Token>,
}

/// The traits that feed fields of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraitNames {
    pub mrr: String,
    pub next_renewal_date: String,
    pub churned_at: String,
    pub trial_end_date: String,
}

impl Default for TraitNames {
    fn default() -> Self {
        TraitNames {
            mrr: "mrr".to_owned(),
            next_renewal_date: "nextRenewalDate".to_owned(),
            churned_at: "churnedAt".to_owned(),
            trial_end_date: "trialEndDate".to_owned(),
        }
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        ServerSettings {
            serves: Serves { intake: true, console: true },
            message: MessageLimits::default(),
            compressed_bytes_max: COMPRESSED_BYTES_MAX,
            body_bytes_max: BODY_BYTES_MAX,
            in_flight_bytes_max: IN_FLIGHT_BYTES_MAX,
            inline_bytes_max: 256 * 1024,
            heavy_jobs_max: std::thread::available_parallelism().map_or(2, usize::from),
            requests_per_minute: 60_000,
            connections_max: 12_288,
            turned_away_max: 256,
            head_bytes_max: 64 * 1024,
            tls: None,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            body_gap_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(30),
            store_timeout: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(20),
            page_bytes_max: PAGE_BYTES_MAX,
            related_records_max: 10_000,
            trait_names: TraitNames::default(),
            organization_trait: "isOrganization".to_owned(),
            query_limits: Limits::default(),
            queries_max: 4,
            forwards: true,
            destinations_by_keys: true,
            retries: Retries::default(),
            operator_token: None,
        }
    }
}

impl ServerSettings {
    /// Says what does not fit together, in a sentence that names the setting and what it may be.
    pub fn check(&self) -> Result<(), String> {
        let rules = [
            (
                self.message.message_bytes_max > 0 && self.message.message_bytes_max <= MESSAGE_BYTES_CEILING,
                format!("message_bytes_max must be from 1 to {MESSAGE_BYTES_CEILING}"),
            ),
            (
                self.message.message_depth_max > 0 && self.message.message_depth_max <= DEPTH_CEILING,
                format!("message_depth_max must be from 1 to {DEPTH_CEILING}"),
            ),
            (self.message.message_keys_max > 0, "message_keys_max must be at least 1".to_owned()),
            (
                self.compressed_bytes_max > 0 && self.compressed_bytes_max <= self.body_bytes_max,
                "compressed_bytes_max must be from 1 to body_bytes_max".to_owned(),
            ),
            (
                self.body_bytes_max.saturating_add(self.compressed_bytes_max) <= self.in_flight_bytes_max,
                "in_flight_bytes_max must be at least body_bytes_max and compressed_bytes_max together, so that the \
                 largest body can be taken"
                    .to_owned(),
            ),
            (self.heavy_jobs_max > 0, "heavy_jobs_max must be at least 1".to_owned()),
            (self.requests_per_minute > 0, "requests_per_minute must be at least 1".to_owned()),
            (
                self.connections_max > 0 && self.connections_max <= 1_000_000,
                "connections_max must be from 1 to 1000000".to_owned(),
            ),
            (self.head_bytes_max >= HEAD_BYTES_FLOOR, format!("head_bytes_max must be at least {HEAD_BYTES_FLOOR}")),
            (self.page_bytes_max > 0, "page_bytes_max must be at least 1".to_owned()),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, says)) => Err(says),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut ServerSettings), names: &str) {
        let mut settings = ServerSettings::default();
        change(&mut settings);
        let says = settings.check().expect_err(names);
        assert!(says.starts_with(names), "{says}");
    }

    #[test]
    fn defaults_fit_together_and_contradictions_are_named() {
        assert_eq!(ServerSettings::default().check(), Ok(()));
        check(|settings| settings.message.message_depth_max = 129, "message_depth_max");
        check(|settings| settings.message.message_bytes_max = 0, "message_bytes_max");
        check(|settings| settings.compressed_bytes_max = 21 * MIB, "compressed_bytes_max");
        check(|settings| settings.in_flight_bytes_max = 20 * MIB, "in_flight_bytes_max");
        check(|settings| settings.requests_per_minute = 0, "requests_per_minute");
        check(|settings| settings.head_bytes_max = 100, "head_bytes_max");
        check(|settings| settings.connections_max = 0, "connections_max");
    }
}
