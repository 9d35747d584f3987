//! JSON numbers as plain decimal digits.
//!
//! One value has one text, however it was written: `1e3`, `1000.0` and `1000` are `1000`. Digits are moved, never
//! computed with, so nothing is rounded however long a number is. Never writes more than it is asked to.

use std::borrow::Cow;

/// The digits of a JSON number without an exponent and without zeros that say nothing; an integer that was written as one
/// stays as it is. `None` when that takes more than so many bytes.
#[must_use]
pub fn plain(number: &str, bytes_max: usize) -> Option<Cow<'_, str>> {
    let (sign, written) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    if written.bytes().all(|byte| byte.is_ascii_digit()) {
        return (number.len() <= bytes_max).then_some(Cow::Borrowed(number));
    }
    let (mantissa, exponent) = written.split_once(['e', 'E']).unwrap_or((written, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let leading = all.len() - all.trim_start_matches('0').len();
    let digits = all[leading..].trim_end_matches('0');
    if digits.is_empty() {
        return Some(Cow::Owned(format!("{sign}0")));
    }
    // How many of the digits stand before the point; fewer than none when zeros stand between the two.
    let exponent: i64 = exponent.parse().ok()?;
    let before = i64::try_from(whole.len()).ok()?.checked_sub(i64::try_from(leading).ok()?)?.checked_add(exponent)?;
    let after = i64::try_from(digits.len()).ok()?.checked_sub(before)?;
    let point = if after > 0 { "." } else { "" };
    let bytes = before.max(1).checked_add(after.max(0))?.checked_add((sign.len() + point.len()) as i64)?;
    if bytes > i64::try_from(bytes_max).ok()? {
        return None;
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    let at = usize::try_from(before.clamp(0, digits.len() as i64)).ok()?;
    let (front, back) = digits.split_at(at);
    let front = if before <= 0 { "0".to_owned() } else { format!("{front}{}", zeros(-after)) };
    Some(Cow::Owned(format!("{sign}{front}{point}{}{back}", zeros(-before))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_text() {
        let check = |number: &str, expected: Option<&str>| {
            assert_eq!(plain(number, 40).as_deref(), expected, "{number}");
        };
        for number in ["1000", "1e3", "1E+3", "1000.0", "0.1e4", "10000e-1", "1000.000e0"] {
            check(number, Some("1000"));
        }
        for number in ["1.5", "1.50", "15e-1", "0.15e1", "0.0015E3"] {
            check(number, Some("1.5"));
        }
        check("-2.50e1", Some("-25"));
        check("-1e-3", Some("-0.001"));
        check("0.10", Some("0.1"));
        check("12345678901234567890.125", Some("12345678901234567890.125"));
        check("12345678901234567890123e0", Some("12345678901234567890123"));
        check("0.0", Some("0"));
        check("0e999999999999999999999", Some("0"));
        // An integer was always kept as it was sent.
        check("-0", Some("-0"));
        check("-0.0", Some("-0"));
    }

    #[test]
    fn what_would_be_too_long_is_none() {
        assert_eq!(plain("1e39", 40).unwrap().len(), 40);
        assert_eq!(plain("1e40", 40), None);
        assert_eq!(plain("-1e39", 40), None);
        assert_eq!(plain("1e-38", 40).unwrap().len(), 40);
        assert_eq!(plain("1e-39", 40), None);
        assert_eq!(plain("1e999999999999", 40), None);
        assert_eq!(plain("1e-999999999999", 40), None);
        assert_eq!(plain("-1e9223372036854775806", 40), None);
        assert_eq!(plain("1e9223372036854775807", 40), None);
        assert_eq!(plain("1e-9223372036854775808", 40), None);
        assert_eq!(plain("1e99999999999999999999", 40), None);
        assert_eq!(plain(&"1".repeat(41), 40), None);
    }
}
