//! What is logged and in which form.

use tracing_subscriber::filter::{LevelFilter, Targets};

use super::{origin::SettingsError, values::Values};

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Form and level.
#[derive(Clone, Debug)]
pub struct Log {
    pub format: Format,
    pub levels: Targets,
}

impl Log {
    pub fn read(values: &Values) -> Result<Log, SettingsError> {
        let format = match values.text("log.format") {
            "text" => Format::Text,
            "json" => Format::Json,
            _ => return Err(values.refuse("log.format", "must be text or json")),
        };
        let levels = parse_levels(values.text("log.level")).ok_or_else(|| {
            values.refuse("log.level", "must be error, warn, info, debug or trace, or such as info,muster_server=debug")
        })?;
        Ok(Log { format, levels })
    }
}

/// Our own parts, whose every line is known to hold nothing personal and no secret.
const OURS: &str = "muster";
/// As far as all other parts go, whatever `log.level` says: beyond it they tell what they work on. The client that forwards
/// messages, for one, tells each request with its headers, the destination's key among them.
const OTHERS_MAX: LevelFilter = LevelFilter::INFO;
/// Parts below us that tell at `info` what concerns nobody else; naming one in `log.level` overrides this.
const QUIET: [&str; 2] = ["fjall", "lsm_tree"];
/// It tells of a merge that is given up because the server stops as of a failure; of failures whoever asked for the merge tells.
const SILENT: &str = "lsm_tree::compaction::worker";

/// A bare word that is no level would be taken for the name of a part whose every line is shown; it is a mistake.
fn parse_levels(text: &str) -> Option<Targets> {
    let silent = Targets::new().with_target(SILENT, LevelFilter::OFF);
    let mut levels = QUIET.into_iter().fold(silent, |levels, part| levels.with_target(part, LevelFilter::WARN));
    for directive in text.split(',') {
        levels = match directive.split_once('=') {
            Some((part, level)) => {
                let (part, level) = (part.trim(), parse_level(level)?);
                if part.is_empty() {
                    return None;
                }
                levels.with_target(part, if part.starts_with(OURS) { level } else { level.min(OTHERS_MAX) })
            }
            None => {
                let level = parse_level(directive)?;
                levels.with_default(level.min(OTHERS_MAX)).with_target(OURS, level)
            }
        };
    }
    Some(levels)
}

fn parse_level(text: &str) -> Option<LevelFilter> {
    Some(match text.trim() {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use tracing::Level;
    use tracing_subscriber::filter::LevelFilter;

    use super::parse_levels;

    #[test]
    fn the_store_below_is_quiet_unless_it_is_named() {
        let level = |text: &str, part: &str| {
            let levels = parse_levels(text).unwrap();
            levels.iter().find(|(target, _)| *target == part).map(|(_, level)| level)
        };
        assert_eq!(level("info", "fjall"), Some(LevelFilter::WARN));
        assert_eq!(level("info,fjall=info", "fjall"), Some(LevelFilter::INFO));
        let tells =
            |text: &str| parse_levels(text).unwrap().would_enable("lsm_tree::compaction::worker", &Level::ERROR);
        assert_eq!([tells("trace"), tells("info,lsm_tree::compaction::worker=error")], [false, true]);
    }

    /// They print requests, keys and all.
    #[test]
    fn no_level_makes_parts_of_others_tell_what_they_work_on() {
        for text in ["trace", "debug", "info,ureq=trace,ureq_proto::client=debug,rustls=trace", "u=trace,trace"] {
            let levels = parse_levels(text).unwrap();
            for part in ["ureq::run", "ureq_proto::client::flow", "rustls::client::hs", "hyper::proto"] {
                assert!(!levels.would_enable(part, &Level::DEBUG), "{text}: {part}");
                assert!(levels.would_enable(part, &Level::WARN), "{text}: {part}");
            }
        }
        let levels = parse_levels("trace,muster_server=debug").unwrap();
        assert!(levels.would_enable("muster::request", &Level::TRACE));
        assert!(levels.would_enable("muster_embedded::writer", &Level::TRACE));
        assert!(levels.would_enable("muster_server::state", &Level::DEBUG));
        assert!(!levels.would_enable("muster_server::state", &Level::TRACE));
        assert!(!parse_levels("muster_server=trace").unwrap().would_enable("muster_embedded", &Level::ERROR));
    }

    #[test]
    fn levels_are_words_everybody_knows() {
        for text in ["info", "off", "info,muster_server=debug", "warn, muster_embedded = trace"] {
            assert!(parse_levels(text).is_some(), "{text}");
        }
        for text in ["", "loud", "info,", "muster_server", "muster_server=loud", "=info"] {
            assert!(parse_levels(text).is_none(), "{text}");
        }
    }
}
