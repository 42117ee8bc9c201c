//! Decimals of the model: integers that count 10^-12.

/// Digits behind the point.
pub(crate) const SCALE: usize = 12;

/// The number that a decimal text means.
pub(crate) fn parse(text: &str) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(behind_point(text) <= SCALE, "{text} has more digits than the model");
    let padded = format!("{whole}{:0<SCALE$}", fraction.trim_end_matches('0'));
    sign * padded.parse::<i128>().unwrap_or_else(|_| panic!("{text} is no decimal"))
}

/// The canonical text of a number.
pub(crate) fn show(amount: i128) -> String {
    let digits = format!("{:0>13}", amount.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - SCALE);
    let fraction = fraction.trim_end_matches('0');
    let sign = if amount < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Digits behind the point that a decimal text needs.
pub(crate) fn behind_point(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, fraction)| fraction.trim_end_matches('0').len())
}

/// Whether a number needs more digits behind the point than `digits`.
pub(crate) fn is_finer(amount: i128, digits: u32) -> bool {
    amount % 10i128.pow(SCALE as u32 - digits) != 0
}

/// The canonical form of a decimal text.
pub(crate) fn canonical(text: &str) -> String {
    show(parse(text))
}
