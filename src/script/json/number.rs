//! A JSON number's text as an integer or a double.
//!
//! Both take what [`parse`](super::parse) has accepted. Short numbers, which are nearly all, are read
//! in one pass; the rest is left to the standard library.

/// The whole number `text`, or `None` where it does not fit 64 bits; nor does a zero with a sign.
#[inline]
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    // So many digits always fit.
    const SHORT: usize = 18;
    let (negative, digits) = sign(text);
    if digits.len() > SHORT {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    let number = digits.iter().fold(0, |number, digit| {
        number * 10 + i64::from(digit.wrapping_sub(b'0'))
    });
    match (negative, number) {
        // Only a float knows it from 0.
        (true, 0) => None,
        (true, number) => Some(-number),
        (false, number) => Some(number),
    }
}

/// The double nearest to `text`.
#[inline]
pub(super) fn float(text: &[u8]) -> f64 {
    short_decimal(text).unwrap_or_else(|| {
        let text = std::str::from_utf8(text).unwrap_or_default();
        text.parse().unwrap_or(f64::NAN)
    })
}

/// Whether a float of this text is written in the same way: a short decimal without an exponent, without
/// a 0 at its end, and not below what is written with an exponent. Where in doubt, `false`.
pub(super) fn is_as_written(text: &[u8]) -> bool {
    const DIGITS: usize = 15;
    let (_, digits) = sign(text);
    let plain = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    digits.len() <= DIGITS + 1
        && digits.contains(&b'.')
        && digits.iter().all(plain)
        && !digits.ends_with(b"0")
        && !digits.starts_with(b"0.0")
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    }
}

/// Digits with perhaps a point in them, where digits and power of ten are both exact as doubles: then
/// one division rounds once and so gives the nearest double.
fn short_decimal(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    let (negative, digits) = sign(text);
    // The point and at most 15 digits: below 2 to the power of 53.
    if digits.len() > POWERS.len() {
        return None;
    }
    let (mut number, mut decimals) = (0_i64, None);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                number = number * 10 + i64::from(byte - b'0');
                decimals = decimals.map(|decimals| decimals + 1);
            }
            b'.' => decimals = Some(0_usize),
            _ => return None,
        }
    }
    let power = POWERS.get(decimals?)?;
    let number = number as f64 / power;
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A decimal is read to the last bit as the standard library reads it.
        #[test]
        fn floats_are_the_nearest(text in "-?(0|[1-9][0-9]{0,19})\\.[0-9]{1,20}([eE][+-]?[0-9]{1,2})?") {
            let nearest: f64 = text.parse().unwrap();
            prop_assert_eq!(float(text.as_bytes()).to_bits(), nearest.to_bits());
        }

        /// A number that is said to be written as it is read, is.
        #[test]
        fn what_is_written_alike(text in "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?") {
            if is_as_written(text.as_bytes()) {
                let written = serde_json::to_string(&float(text.as_bytes())).unwrap();
                prop_assert_eq!(written, text);
            }
        }

        /// A whole number is read as it is, or not at all.
        #[test]
        fn integers_are_exact(text in "0|-?[1-9][0-9]{0,21}") {
            prop_assert_eq!(integer(text.as_bytes()), text.parse().ok());
        }
    }

    /// The longest numbers that are read in one pass, and the first that are not.
    #[test]
    fn edges_of_the_short_way() {
        for text in [
            "0.0",
            "-0.0",
            "0.1",
            "99999999999999.9",
            "999999999999999.9",
            "0.99999999999999",
            "1e15",
        ] {
            let nearest: f64 = text.parse().unwrap();
            assert_eq!(
                float(text.as_bytes()).to_bits(),
                nearest.to_bits(),
                "{text}"
            );
        }
        assert_eq!(integer(b"-0"), None);
        for text in [
            "999999999999999999",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
        ] {
            assert_eq!(integer(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }
}
