//! Logs: one line or one JSON object an event, on standard error.
//!
//! Never logs keys, bodies or personal data; that is the duty of whoever writes an event, and nothing here adds any.

use std::io::{self, IsTerminal};

use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::log::{Format, Log};

/// Starts logging. Called once, before anything that has something to say.
pub fn start(log: &Log) {
    let registry = tracing_subscriber::registry().with(log.levels.clone());
    // A second start keeps the first one's settings; nothing is lost by it.
    let _ = match log.format {
        Format::Text => {
            let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
            registry.with(lines).try_init()
        }
        Format::Json => {
            let objects = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(io::stderr);
            registry.with(objects).try_init()
        }
    };
}
