//! Instants as text, and the instants that a comparison of texts means.
//!
//! SQLite compares texts byte by byte. `2024-01-05T00:00:00.000Z` sorts as its instant does from year 0 to 9999, so a
//! comparison with any text at all is a bound of time, found by halving. Earlier and later instants are never asked for
//! with digits first; they are left to SQLite.

use muster_model::time::Micros;

/// The first millisecond of year 0 and the last of year 9999.
const FIRST_MILLIS: i64 = -62_167_219_200_000;
const LAST_MILLIS: i64 = 253_402_300_799_999;

/// Bytes of the day in an instant's text.
const DAY_BYTES: usize = 10;

/// An instant's text, without an allocation where it has its usual form.
#[derive(Clone, Copy, Debug)]
pub struct InstantText {
    bytes: [u8; 24],
}

impl InstantText {
    /// The text of an instant from year 0 to 9999.
    pub fn of(at: Micros) -> Option<InstantText> {
        let millis = at.millis();
        if !InstantText::sorts(at) {
            return None;
        }
        let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
        let (year, month, day) = civil(days);
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1_000 % 60, of_day % 1_000);
        let mut bytes = *b"0000-00-00T00:00:00.000Z";
        let mut put = |at: usize, width: usize, mut number: i64| {
            for place in (at..at + width).rev() {
                bytes[place] = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        put(0, 4, year);
        put(5, 2, month);
        put(8, 2, day);
        put(11, 2, hour);
        put(14, 2, minute);
        put(17, 2, second);
        put(20, 3, milli);
        Some(InstantText { bytes })
    }

    /// Whether an instant has a text that sorts among those of others as the instant does.
    pub fn sorts(at: Micros) -> bool {
        (FIRST_MILLIS..=LAST_MILLIS).contains(&at.millis())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// The day in it.
    pub fn day(&self) -> &str {
        self.as_str().get(..DAY_BYTES).unwrap_or_default()
    }
}

/// Year, month and day of a number of days since 1970, by counting from the first of March, when leap days are last.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// How a column of instants is compared with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// Bounds of time, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    pub first: Option<Micros>,
    pub last: Option<Micros>,
}

impl Bounds {
    /// Narrows the bounds to the instants whose texts compare so; nothing when the text does not begin like one.
    pub fn narrow(&mut self, compared: Compared, text: &str) {
        self.narrow_by(compared, text, |shown| shown);
    }

    /// Narrows the bounds to the instants whose days compare so.
    pub fn narrow_days(&mut self, compared: Compared, text: &str) {
        self.narrow_by(compared, text, |shown| shown.get(..DAY_BYTES).unwrap_or_default());
    }

    fn narrow_by(&mut self, compared: Compared, text: &str, part: impl Fn(&str) -> &str) {
        if !text.starts_with(|first: char| first.is_ascii_digit()) {
            return;
        }
        let least = |millis: i64| Micros(millis * 1_000);
        let most = |millis: i64| Micros(millis * 1_000 + 999);
        let from = first_millis(|shown| part(shown) >= text);
        let after = first_millis(|shown| part(shown) > text);
        let (first, last) = match compared {
            Compared::Equal => (Some(from), Some(after - 1)),
            Compared::AtLeast => (Some(from), None),
            Compared::More => (Some(after), None),
            // What is before year 0 sorts before every digit, so there is no lower bound here.
            Compared::Less => (None, Some(from - 1)),
            Compared::AtMost => (None, Some(after - 1)),
        };
        self.first = self.first.max(first.map(least));
        self.last = [self.last, last.map(most)].into_iter().flatten().min();
    }
}

/// The first millisecond whose text meets a condition that holds from some text on; the one after the last if none does.
fn first_millis(meets: impl Fn(&str) -> bool) -> i64 {
    let (mut low, mut high) = (FIRST_MILLIS, LAST_MILLIS + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let meets = InstantText::of(Micros(middle * 1_000)).is_some_and(|text| meets(text.as_str()));
        if meets { high = middle } else { low = middle + 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_everywhere() {
        for text in [
            "2024-02-29T23:59:59.999Z",
            "1970-01-01T00:00:00.000Z",
            "1969-12-31T23:59:59.999Z",
            "0000-01-01T00:00:00.000Z",
            "0001-03-01T12:30:00.001Z",
            "1900-02-28T00:00:00.000Z",
            "2000-02-29T00:00:00.000Z",
            "9999-12-31T23:59:59.999Z",
        ] {
            let at = Micros::parse(text).unwrap();
            assert_eq!(InstantText::of(at).unwrap().as_str(), text);
        }
        for step in -4_000..4_000 {
            let at = Micros(step * 86_400_000_000 * 3 + step * 12_345_678);
            assert_eq!(InstantText::of(at).unwrap().as_str(), at.to_millis_text());
        }
        assert!(InstantText::of(Micros(-62_167_219_200_001_000)).is_none());
    }

    #[test]
    fn a_comparison_of_texts_is_a_bound_of_time() {
        let instants = [
            "0000-01-01T00:00:00.000Z",
            "2023-12-31T23:59:59.999Z",
            "2024-01-01T00:00:00.000Z",
            "2024-01-01T05:00:00.000Z",
            "2024-01-01T05:00:00.001Z",
            "2024-01-02T00:00:00.000Z",
            "9999-12-31T23:59:59.999Z",
        ];
        let texts = [
            "2024",
            "2024-01-01",
            "2024-01-01 05:00",
            "2024-01-01T05",
            "2024-01-01T05:00:00Z",
            "2024-01-01T05:00:00.000Z",
            "2024-01-01T05:00:00.000",
            "0",
            "9999-12-31T23:59:59.999Z",
            "99999",
            "2024-01-01T05:00:00.000Zz",
        ];
        for text in texts {
            for (compared, holds) in [
                (Compared::Equal, (|one, other| one == other) as fn(&str, &str) -> bool),
                (Compared::Less, |one, other| one < other),
                (Compared::AtMost, |one, other| one <= other),
                (Compared::More, |one, other| one > other),
                (Compared::AtLeast, |one, other| one >= other),
            ] {
                let (mut bounds, mut of_days) = (Bounds::default(), Bounds::default());
                bounds.narrow(compared, text);
                of_days.narrow_days(compared, text);
                for shown in instants {
                    for micros in [0, 999] {
                        let at = Micros::parse(shown).unwrap().plus_micros(micros);
                        let within = |bounds: Bounds| {
                            bounds.first.is_none_or(|first| first <= at) && bounds.last.is_none_or(|last| at <= last)
                        };
                        assert_eq!(within(bounds), holds(shown, text), "{shown} {compared:?} {text}");
                        let day = InstantText::of(at).unwrap();
                        assert_eq!(within(of_days), holds(day.day(), text), "the day of {shown} {compared:?} {text}");
                    }
                }
            }
        }
        let mut bounds = Bounds::default();
        bounds.narrow(Compared::AtLeast, "-000001");
        bounds.narrow(Compared::Less, "");
        assert_eq!(bounds, Bounds::default());
    }
}
