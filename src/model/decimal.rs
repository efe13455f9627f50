//! Numbers as text writes them, to their last digit: JSON's, and DynamoDB's, which are the same.
//!
//! A float would do for neither: DynamoDB's numbers have 38 digits, and a version of a float's precision may be
//! another version.

/// A decimal number: `digits` times ten to the power of `exponent`, with no zero at either end of the digits, so that
/// equal numbers are equal values however they were written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads `-12.50`, `1E+2` and the like.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, text) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (number, power) = match text.split_once(['e', 'E']) {
            Some((number, power)) => (number, power.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
        {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let significant = all.trim_end_matches('0');
        let dropped = i64::try_from(all.len() - significant.len()).ok()?;
        let exponent = power.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
        let digits = significant.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Decimal { negative: false, digits, exponent: 0 });
        }
        Some(Decimal { negative, digits, exponent })
    }

    /// The number, if it is whole and fits.
    pub fn whole(&self) -> Option<i64> {
        let zeros = usize::try_from(self.exponent).ok().filter(|zeros| *zeros < 20)?;
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}{}", if self.digits.is_empty() { "0" } else { &self.digits }, "0".repeat(zeros)).parse().ok()
    }

    /// Whether it is not whole.
    pub fn has_fraction(&self) -> bool {
        self.exponent < 0
    }

    /// How many digits it needs.
    pub fn precision(&self) -> usize {
        self.digits.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        for (a, b) in [
            ("1", "1.0"),
            ("1", "1e0"),
            ("100", "1E+2"),
            ("0.1", "0.10"),
            ("-0.0", "0"),
            ("1.2345678901234567e-5", "0.000012345678901234567"),
            ("0.5e1", "5"),
            ("+7", "07"),
        ] {
            assert_eq!(Decimal::parse(a), Decimal::parse(b), "{a} {b}");
            assert!(Decimal::parse(a).is_some());
        }
    }

    #[test]
    fn numbers_that_differ_in_their_last_digit_differ() {
        for (a, b) in [
            ("18446744073709551616", "18446744073709551617"),
            ("0.1", "0.10000000000000001"),
            ("1e400", "1e401"),
            ("1", "-1"),
            ("1", "10"),
        ] {
            assert_ne!(Decimal::parse(a), Decimal::parse(b), "{a} {b}");
        }
    }

    #[test]
    fn a_whole_number_that_fits_has_a_value() {
        for (text, whole) in [
            ("12.0", Some(12)),
            ("1E+2", Some(100)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("0e5", Some(0)),
            ("1.5", None),
            ("1e-3", None),
            ("1e999999999", None),
            ("99999999999999999999999999999999999999", None),
        ] {
            assert_eq!(Decimal::parse(text).and_then(|number| number.whole()), whole, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", ".", "e5", "1e", "1x", "NaN", "Infinity", "0x1", "1e99999999999999999999", "1.2.3", "é"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
