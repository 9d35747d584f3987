//! Values, counts and times as people read them.
//!
//! What comes from here as [`Html`](crate::ui::shown::Html) is escaped already. Text of customers is set apart from the direction of the text
//! around it, so that right-to-left names disturb nothing.

use askama::filters::Safe;
use muster_model::{json::string_value, kind::RecordKind, time::Micros};
use muster_store::status::Records;

pub(super) use crate::html::{escaped, put};

/// Text that is HTML.
pub(super) type Html = Safe<String>;

/// Letters of a value that a cell shows.
const CELL_LETTERS_MAX: usize = 120;
/// The same where nothing is cut or broken, in tables that are pushed aside.
const EXACT_LETTERS_MAX: usize = 80;

/// Nothing to show.
pub(super) fn nothing() -> Html {
    Safe("<span class=\"quiet\" aria-label=\"none\">–</span>".to_owned())
}

/// Text of a customer.
pub(super) fn text(text: &str) -> Html {
    Safe(format!("<bdi>{}</bdi>", escaped(text)))
}

/// A count, with its thousands set apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count of things, each of which is called this.
pub(super) fn many(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// How many records of a kind there are, once that is known.
pub(super) fn counted(records: Option<Records>, kind: RecordKind) -> String {
    match records {
        Some(records) => records.of(kind).map(count).unwrap_or_default(),
        None => "counting".to_owned(),
    }
}

/// Bytes in a unit that people read.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, bits)| bytes >> bits > 0) {
        Some((unit, bits)) => format!("{}.{} {unit}", bytes >> bits, ((bytes >> (bits - 10)) % 1_024) * 10 / 1_024),
        None => format!("{bytes} bytes"),
    }
}

/// How two counts compare.
pub(super) fn change(now: u64, before: u64) -> Html {
    let difference = now.abs_diff(before);
    let percent = (u128::from(difference) * 100).checked_div(u128::from(before));
    Safe(match percent {
        None if now == 0 => nothing().0,
        None => "<small class=\"up\">new</small>".to_owned(),
        Some(0) => "<small class=\"quiet\">±0 %</small>".to_owned(),
        Some(percent) if now > before => format!("<small class=\"up\">+{percent} %</small>"),
        Some(percent) => format!("<small class=\"down\">−{percent} %</small>"),
    })
}

/// How an instant is shown by the script; without it, all of them are in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As far away as it is.
    Ago,
    /// The time of the day.
    Clock,
    /// Day and time.
    Full,
}

/// An instant, in the viewer's zone, with the exact one on hover.
pub(super) fn time(at: Micros, form: Form) -> Html {
    let exact = at.to_millis_text();
    let (name, plain) = match form {
        Form::Ago => ("ago", exact.get(..10)),
        Form::Clock => ("clock", exact.get(11..19)),
        Form::Full => ("full", exact.get(..16)),
    };
    let plain = plain.unwrap_or(&exact).replace('T', " ");
    Safe(format!("<time datetime=\"{exact}\" title=\"{exact}\" data-form=\"{name}\">{plain}</time>"))
}

/// An instant, if there is one.
pub(super) fn time_or_nothing(at: Option<Micros>, form: Form) -> Html {
    at.map_or_else(nothing, |at| time(at, form))
}

/// What becomes of a value that is longer than a cell has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Long {
    /// Its beginning is shown, the whole on hover; there is a page with all of it.
    Cut,
    /// Its beginning is shown, and unfolds to the whole.
    Folded,
    /// All of it is shown.
    Whole,
}

/// A value of a trait or a property: text without its quotes, a number with its thousands, an instant as one, the rest
/// as JSON. A day without a time is shown as it was sent: it lies in no zone.
pub(super) fn value(json: &str, long: Long) -> Html {
    match string_value(json) {
        Some(content) => {
            let content = content.unwrap_or_else(|broken| broken.into());
            match dated(&content) {
                Some(at) => time(at, Form::Full),
                None => cut(&content, ("bdi", ""), long),
            }
        }
        None if json == "true" => Safe("yes".to_owned()),
        None if json == "false" => Safe("no".to_owned()),
        None if json.starts_with(['[', '{']) => cut(json, ("code", " class=\"wrap\""), long),
        None => Safe(number(json)),
    }
}

/// Text exactly as it is; long one unfolds.
pub(super) fn exact(content: &str) -> Html {
    folded(content, ("bdi", ""), EXACT_LETTERS_MAX)
}

/// Text that is an instant, and no day, number or word that could be read as one.
fn dated(text: &str) -> Option<Micros> {
    let bytes = text.as_bytes();
    let fits = (11..=35).contains(&bytes.len()) && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-';
    fits.then(|| Micros::parse(text)).flatten()
}

/// A JSON number with the thousands of its whole part set apart, if it is an ordinary one.
pub(super) fn number(json: &str) -> String {
    let (sign, rest) = json.strip_prefix('-').map_or(("", json), |rest| ("−", rest));
    let (whole, part) = rest.split_once('.').map_or((rest, ""), |(whole, part)| (whole, part));
    match whole.parse::<u64>() {
        Ok(whole) if part.bytes().all(|byte| byte.is_ascii_digit()) => {
            let point = if part.is_empty() { "" } else { "." };
            format!("{sign}{}{point}{part}", count(whole))
        }
        _ => escaped(json),
    }
}

fn cut(content: &str, (tag, attributes): (&str, &str), long: Long) -> Html {
    match (long, beginning(content, CELL_LETTERS_MAX)) {
        (Long::Folded, _) => folded(content, (tag, attributes), CELL_LETTERS_MAX),
        (Long::Cut, Some(short)) => {
            Safe(format!("<{tag}{attributes} title=\"{}\">{}…</{tag}>", escaped(content), escaped(short)))
        }
        (Long::Cut | Long::Whole, _) => Safe(format!("<{tag}{attributes}>{}</{tag}>", escaped(content))),
    }
}

fn folded(content: &str, (tag, attributes): (&str, &str), letters: usize) -> Html {
    let whole = format!("<{tag}{attributes}>{}</{tag}>", escaped(content));
    let Some(short) = beginning(content, letters) else { return Safe(whole) };
    let short = escaped(short);
    Safe(format!("<details class=\"long\"><summary><{tag}{attributes}>{short}…</{tag}></summary>{whole}</details>"))
}

/// The first letters of a text that has more.
fn beginning(content: &str, letters: usize) -> Option<&str> {
    content.char_indices().nth(letters).map(|(end, _)| &content[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_in_units() {
        for (many, shown) in [(5, "5 bytes"), (1_536, "1.5 KiB"), (5 << 20, "5.0 MiB"), (7 << 30, "7.0 GiB")] {
            assert_eq!(bytes(many), shown);
        }
    }

    #[test]
    fn counts_are_read_in_threes() {
        for (number, shown) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(count(number), shown);
        }
    }

    #[test]
    fn values_are_shown_as_what_they_are() {
        for (json, shown) in [
            ("12345.50", "12,345.50"),
            ("-7", "−7"),
            ("1e9", "1e9"),
            ("true", "yes"),
            ("\"<b>&\"", "<bdi>&lt;b&gt;&amp;</bdi>"),
            ("\"2024\"", "<bdi>2024</bdi>"),
            ("\"2024-05-06\"", "<bdi>2024-05-06</bdi>"),
            ("[1,\"<\"]", "<code class=\"wrap\">[1,&quot;&lt;&quot;]</code>"),
        ] {
            assert_eq!(value(json, Long::Cut).0, shown, "{json}");
        }
        let instant = value("\"2024-05-06T07:08:09Z\"", Long::Cut).0;
        assert!(instant.starts_with("<time datetime=\"2024-05-06T07:08:09.000Z\""), "{instant}");
        assert!(instant.contains("data-form=\"full\""), "{instant}");
        let long = format!("\"{}\"", "é".repeat(200));
        let (short, whole) = ("é".repeat(CELL_LETTERS_MAX), "é".repeat(200));
        let cut = value(&long, Long::Cut).0;
        assert!(cut.ends_with(&format!("\">{short}…</bdi>")), "{cut}");
        let folded = value(&long, Long::Folded).0;
        assert!(folded.contains(&format!("{short}…")) && folded.contains(&format!(">{whole}<")), "{folded}");
        assert_eq!(value(&long, Long::Whole).0, format!("<bdi>{whole}</bdi>"));
    }

    #[test]
    fn changes_are_told_in_percent() {
        for (now, before, shown) in [(0, 0, "–"), (5, 0, "new"), (5, 5, "±0 %"), (15, 10, "+50 %"), (0, 10, "−100 %")]
        {
            assert!(change(now, before).0.contains(shown), "{now} {before}");
        }
    }
}
