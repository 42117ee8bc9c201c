//! GS1 Digital Link URIs in the one form that a key may have (GS1 Digital Link standard, URI syntax, canonical URIs): domain
//! `id.gs1.org`, GTINs as 14 digits, no query.

use super::gs1_problem;

const DOMAIN: &str = "https://id.gs1.org/";
const SHAPE: &str = "a canonical GS1 Digital Link is https://id.gs1.org/ and /01/{GTIN of 14 digits}[/22/…][/10/lot][/21/serial], \
    /00/{SSCC}, /414/{GLN}[/254/extension], /417/{GLN}, /8003/{GRAI} or /8004/{GIAI}";
const VALUE: &str = "a part of a Digital Link is too long, empty, or has characters that are not written so: \
    A-Z a-z 0-9 - . _, others of GS1's set as %XX";

/// What is wrong with a canonical Digital Link.
pub(super) fn problem(text: &str) -> Option<&'static str> {
    let Some(parts) = text.strip_prefix(DOMAIN).map(|path| path.split('/').collect::<Vec<_>>()) else {
        return Some(SHAPE);
    };
    match parts.as_slice() {
        ["01", gtin, qualifiers @ ..] => {
            gs1_problem(gtin, &[14], SHAPE).or_else(|| qualified(qualifiers, &[("22", 20), ("10", 20), ("21", 20)]))
        }
        ["414", gln, qualifiers @ ..] => {
            gs1_problem(gln, &[13], SHAPE).or_else(|| qualified(qualifiers, &[("254", 20)]))
        }
        ["00", sscc] => gs1_problem(sscc, &[18], SHAPE),
        ["417", gln] => gs1_problem(gln, &[13], SHAPE),
        ["8003", grai] => grai_problem(grai),
        ["8004", giai] => (!is_value(giai, 30)).then_some(VALUE),
        _ => Some(SHAPE),
    }
}

/// Qualifiers come in the standard's order, each at most once.
fn qualified(parts: &[&str], allowed: &[(&str, usize)]) -> Option<&'static str> {
    match parts {
        [] => None,
        [key, value, rest @ ..] => match allowed.iter().position(|(known, _)| known == key) {
            Some(place) if is_value(value, allowed[place].1) => qualified(rest, &allowed[place + 1..]),
            Some(_) => Some(VALUE),
            None => Some(SHAPE),
        },
        [_] => Some(SHAPE),
    }
}

/// A returnable asset: 0, 13 digits with their check digit, and up to 16 characters of a serial.
fn grai_problem(grai: &str) -> Option<&'static str> {
    let (Some(asset), Some(serial)) = (grai.get(..14), grai.get(14..)) else {
        return Some(SHAPE);
    };
    let problem = asset.strip_prefix('0').map_or(Some(SHAPE), |asset| gs1_problem(asset, &[13], SHAPE));
    problem.or_else(|| (!serial.is_empty() && !is_value(serial, 16)).then_some(VALUE))
}

/// One to `max` characters of GS1's set 82: those that URIs leave alone stand for themselves, the others are percent-encoded in upper
/// case (RFC 3986 section 6.2.2), so that one value has one spelling.
fn is_value(text: &str, max: usize) -> bool {
    let mut count = 0;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_written_so = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => true,
            b'%' => match (bytes.next().and_then(hex), bytes.next().and_then(hex)) {
                (Some(high), Some(low)) => br#"!"%&'()*+,/:;<=>?"#.contains(&(high * 16 + low)),
                _ => false,
            },
            _ => false,
        };
        if !is_written_so {
            return false;
        }
        count += 1;
    }
    (1..=max).contains(&count)
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_links() {
        for path in [
            "01/09506000134352",
            "01/09521141012345/21/2017",
            "01/70614141123451/10/998877",
            "01/09506000134352/22/2A/10/L-1/21/a%2Fb",
            "00/040123451111111127",
            "414/4012345000245",
            "414/4012345000245/254/1",
            "417/4012345000009",
            "8003/04012345000009",
            "8003/04012345000009K7",
            "8004/4000001111",
        ] {
            assert_eq!(problem(&format!("{DOMAIN}{path}")), None, "{path}");
        }
    }

    #[test]
    fn other_spellings_and_wrong_check_digits() {
        for text in [
            "",
            "https://id.gs1.org/",
            "http://id.gs1.org/01/09506000134352",
            "https://example.com/01/09506000134352",
            "https://id.gs1.org/gtin/09506000134352",
            "https://id.gs1.org/01/09506000134353",
            "https://id.gs1.org/01/9506000134352",
            "https://id.gs1.org/01/09506000134352/",
            "https://id.gs1.org/01/09506000134352/21",
            "https://id.gs1.org/01/09506000134352/21/",
            "https://id.gs1.org/01/09506000134352/21/a/10/b",
            "https://id.gs1.org/01/09506000134352/21/a/21/b",
            "https://id.gs1.org/01/09506000134352/21/a?17=260101",
            "https://id.gs1.org/01/09506000134352/21/a%2fb",
            "https://id.gs1.org/01/09506000134352/21/%41",
            "https://id.gs1.org/01/09506000134352/21/a b",
            "https://id.gs1.org/01/09506000134352/21/é",
            "https://id.gs1.org/01/09506000134352/21/a%",
            "https://id.gs1.org/01/09506000134352/21/123456789012345678901",
            "https://id.gs1.org/00/040123451111111128",
            "https://id.gs1.org/00/040123451111111127/21/1",
            "https://id.gs1.org/8003/14012345000009",
            "https://id.gs1.org/8003/04012345000008",
            "https://id.gs1.org/8003/é",
            "https://id.gs1.org/8004/",
        ] {
            assert!(problem(text).is_some(), "{text}");
        }
    }
}
