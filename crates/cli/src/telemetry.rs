//! Logs: one line or one JSON object an event, on standard error.
//!
//! Never logs keys, bodies or personal data; that is the duty of whoever writes an event, and nothing here adds any.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal},
    panic::{Location, PanicHookInfo},
};

use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    config::log::{Format, Log},
    output,
};

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

/// From now on a panic is told by its place. Its text is left out unless it stands in the source as it is: text that is
/// put together holds what was being worked on, and that may be what somebody sent.
pub fn tell_of_panics_by_place() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), Location::to_string);
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let (text, backtrace) = (fixed_text(panic), Backtrace::capture());
        if tracing::dispatcher::has_been_set() {
            tracing::error!(place, thread, text, "a panic");
        } else {
            output::talk(&format!("a panic in thread {thread} at {place}: {text}"));
        }
        if backtrace.status() == BacktraceStatus::Captured {
            output::talk(&backtrace.to_string());
        }
    }));
}

fn fixed_text(panic: &PanicHookInfo<'_>) -> &'static str {
    panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(its text is left out)")
}
