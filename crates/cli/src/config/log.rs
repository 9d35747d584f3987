//! What is logged and in which form.

use tracing_subscriber::filter::Targets;

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

/// Parts below us that tell at `info` what concerns nobody else; naming one in `log.level` overrides this.
const QUIET: &str = "fjall=warn,lsm_tree=warn";

/// A bare word that is no level would be taken for the name of a part whose every line is shown; it is a mistake.
fn parse_levels(text: &str) -> Option<Targets> {
    let known = |level: &str| matches!(level, "off" | "error" | "warn" | "info" | "debug" | "trace");
    let fits = |directive: &str| match directive.split_once('=') {
        Some((part, level)) => !part.trim().is_empty() && known(level.trim()),
        None => known(directive.trim()),
    };
    if !text.split(',').all(fits) {
        return None;
    }
    format!("{QUIET},{}", text.replace(' ', "")).parse().ok()
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter;

    use super::parse_levels;

    #[test]
    fn the_store_below_is_quiet_unless_it_is_named() {
        let level = |text: &str, part: &str| {
            let levels = parse_levels(text).unwrap();
            levels.iter().find(|(target, _)| *target == part).map(|(_, level)| level)
        };
        assert_eq!(level("info", "fjall"), Some(LevelFilter::WARN));
        assert_eq!(level("info,fjall=debug", "fjall"), Some(LevelFilter::DEBUG));
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
