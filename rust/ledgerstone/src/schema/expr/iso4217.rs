//! The table `iso4217@2026-01`: active ISO 4217 codes and their exponents. Part of the semantics: a change is a new semantics.

/// Active codes with two digits behind the point, sorted.
const TWO: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC \
    CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK \
    LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB \
    SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER \
    ZAR ZMW ZWG";
/// Active codes without a minor unit.
const NONE: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
/// Active codes with three digits.
const THREE: &str = "BHD IQD JOD KWD LYD OMR TND";
/// Active codes with four digits.
const FOUR: &str = "CLF UYW";
/// Codes without an exponent: metals, baskets, testing, no currency.
const UNITLESS: &str = "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX";

/// Marks a code without an exponent.
const NO_EXPONENT: u8 = 255;
/// Marks three letters that are no code.
const NO_CODE: u8 = 254;

/// Exponent by code, at ((a·26)+b)·26+c.
static TABLE: [u8; 26 * 26 * 26] = table();

const fn table() -> [u8; 26 * 26 * 26] {
    let mut table = [NO_CODE; 26 * 26 * 26];
    table = filled(table, TWO.as_bytes(), 2);
    table = filled(table, NONE.as_bytes(), 0);
    table = filled(table, THREE.as_bytes(), 3);
    table = filled(table, FOUR.as_bytes(), 4);
    filled(table, UNITLESS.as_bytes(), NO_EXPONENT)
}

const fn filled(mut table: [u8; 26 * 26 * 26], codes: &[u8], exponent: u8) -> [u8; 26 * 26 * 26] {
    let mut at = 0;
    while at < codes.len() {
        if codes[at] == b' ' {
            at += 1;
            continue;
        }
        table[place(codes[at], codes[at + 1], codes[at + 2])] = exponent;
        at += 3;
    }
    table
}

const fn place(a: u8, b: u8, c: u8) -> usize {
    ((a - b'A') as usize * 26 + (b - b'A') as usize) * 26 + (c - b'A') as usize
}

fn entry(code: &str) -> u8 {
    match *code.as_bytes() {
        [a @ b'A'..=b'Z', b @ b'A'..=b'Z', c @ b'A'..=b'Z'] => TABLE[place(a, b, c)],
        _ => NO_CODE,
    }
}

/// Digits behind the point of a currency; `None` for what is no active code or has no minor unit defined.
pub(crate) fn currency_digits(code: &str) -> Option<u8> {
    match entry(code) {
        NO_CODE | NO_EXPONENT => None,
        digits => Some(digits),
    }
}

/// Whether the text is an active code, those without an exponent included.
pub(crate) fn is_currency(code: &str) -> bool {
    entry(code) != NO_CODE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_in_one_list_once() {
        let mut all: Vec<&str> =
            [TWO, NONE, THREE, FOUR, UNITLESS].iter().flat_map(|list| list.split_whitespace()).collect();
        let listed = all.len();
        assert!(all.iter().all(|code| code.len() == 3));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), listed);
        assert_eq!(TABLE.iter().filter(|&&entry| entry != NO_CODE).count(), listed);
    }

    #[test]
    fn exponents() {
        for (code, digits) in [
            ("EUR", Some(2)),
            ("JPY", Some(0)),
            ("KWD", Some(3)),
            ("CLF", Some(4)),
            ("XAU", None),
            ("AAPL", None),
            ("eur", None),
            ("", None),
        ] {
            assert_eq!(currency_digits(code), digits, "{code}");
        }
        assert!(is_currency("XAU") && !is_currency("DEM") && !is_currency("ÄÖ"));
    }
}
