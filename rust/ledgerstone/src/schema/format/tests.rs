//! Known-good identifiers, what one wrong character does to them, and real files.

use super::*;

fn good(format: &str, texts: &[&str]) {
    let format = Format::parse(format).unwrap();
    for text in texts {
        assert_eq!(format.check(text), Ok(()), "{} {text}", format.name());
    }
}

fn bad(format: &str, texts: &[&str]) {
    let format = Format::parse(format).unwrap();
    for text in texts {
        assert!(format.check(text).is_err(), "{} {text}", format.name());
    }
}

#[test]
fn known_good() {
    good(
        "iban",
        &["DE89370400440532013000", "GB29NWBK60161331926819", "MT84MALT011000012345MTLCAST001S", "NO9386011117947"],
    );
    good("bic", &["DEUTDEFF", "DEUTDEFF500", "NEDSZAJJXXX", "NCBVXKPR"]);
    good("lei", &["529900T8BM49AURSDO55", "08IRJODWFYBI7QWRGS31"]);
    good("isin", &["US0378331005", "AU0000XVGZA3", "DE0007164600", "GB0002634946"]);
    good("cusip", &["037833100", "17275R102", "38259P508", "68389X105"]);
    good("iso4217", &["EUR", "JPY", "XAU"]);
    good("iso3166", &["DE", "US", "AX"]);
    good("gtin", &["96385074", "036000291452", "4006381333931", "10614141543219"]);
    good("gln", &["4012345000009", "0614141000012"]);
    good("sscc", &["106141412345678908", "340123450000000000"]);
    good("npi", &["1234567893", "1245319599"]);
    good("dea", &["AB1234563", "F91234563"]);
    good("period", &["2026-03", "0001-01", "9999-12"]);
    good("member", &["6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d"]);
}

#[test]
fn known_bad() {
    bad(
        "iban",
        &[
            "",
            "DE",
            "DE8937040044053201300",
            "de89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "ZZ89370400440532013000",
            "DÉ9370400440532013000",
        ],
    );
    bad("bic", &["", "DEUTDEF", "DEUTZZFF", "deutdeff", "DEUTDEFF50", "DEUTD\u{c9}F"]);
    bad("lei", &["", "529900T8BM49AURSDO5", "529900t8bm49aursdo55"]);
    bad("isin", &["", "us0378331005", "US037833100", "120378331005"]);
    bad("cusip", &["", "03783310", "03783310A"]);
    bad("iso4217", &["DEM", "eur", "EU"]);
    bad("iso3166", &["XX", "de", "D", "DEU", " D", "E F"]);
    bad("gtin", &["", "123", "4006381333930", "400638133393a"]);
    bad("npi", &["1234567890", "3234567893", "12345678930"]);
    bad("dea", &["AB1234560", "1B1234563", "AB12345635"]);
    bad(
        "period",
        &[
            "", "226", "2026", "2026-", "2026-Q1", "2026-13", "2026-00", "2026-3", "0000-01", "2026-03 ", "202603",
            "+026-03",
        ],
    );
    bad("member", &["6F1C0D6A5F0E4B7A9C3D2E1F0A9B8C7D", "6f1c", ""]);
}

#[test]
fn periods_are_whole_days() {
    let day = |year, month, day| days_from_civil(year, month, day).unwrap();
    assert_eq!(period_bounds("2024-12"), Some((day(2024, 12, 1), day(2024, 12, 31))));
    assert_eq!(period_bounds("2024-02"), Some((day(2024, 2, 1), day(2024, 2, 29))));
    assert_eq!(period_bounds("2023-02"), Some((day(2023, 2, 1), day(2023, 2, 28))));
}

/// Replaces every character by every other one of the alphabet; how many still pass.
fn survivors(format: &str, text: &str, alphabet: &str) -> Vec<String> {
    let format = Format::parse(format).unwrap();
    let mut passed = Vec::new();
    for (place, old) in text.char_indices() {
        for new in alphabet.chars().filter(|new| *new != old) {
            let mut mutated = text.to_owned();
            mutated.replace_range(place..place + 1, &new.to_string());
            if format.check(&mutated).is_ok() {
                passed.push(mutated);
            }
        }
    }
    passed
}

const DIGITS: &str = "0123456789";
const LETTERS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

#[test]
fn a_wrong_digit_is_always_found() {
    let none: Vec<String> = Vec::new();
    for (format, text) in [
        ("iban", "DE89370400440532013000"),
        ("gtin", "96385074"),
        ("gtin", "036000291452"),
        ("gtin", "4006381333931"),
        ("gtin", "10614141543219"),
        ("gln", "4012345000009"),
        ("sscc", "106141412345678908"),
        ("npi", "1234567893"),
    ] {
        assert_eq!(survivors(format, text, DIGITS), none, "{format}");
    }
    // In ISIN, CUSIP and DEA a digit in a place of a digit.
    assert_eq!(survivors("isin", "US0378331005", DIGITS), none);
    assert_eq!(survivors("cusip", "037833100", DIGITS), none);
    // What the check digit of DEA cannot tell: the letters, and in its even places, doubled modulo 10, d and d + 5.
    let alike = |passed: &[String]| {
        passed.iter().all(|text| [1, 3, 5, 7].iter().any(|place| text.as_bytes()[*place] != b"AB1234563"[*place]))
    };
    assert!(alike(&survivors("dea", "AB1234563", DIGITS)));
}

#[test]
fn a_wrong_character_is_found_by_mod_97() {
    // Letters are two digits of the number, so a letter for a digit shifts the rest; 97 is prime to any single difference in place.
    for (format, text) in [("lei", "529900T8BM49AURSDO55"), ("iban", "GB29NWBK60161331926819")] {
        let format_checked = Format::parse(format).unwrap();
        for (place, old) in text.char_indices() {
            let alphabet = if old.is_ascii_digit() { DIGITS } else { &LETTERS[10..] };
            for new in alphabet.chars().filter(|new| *new != old) {
                let mut mutated = text.to_owned();
                mutated.replace_range(place..place + 1, &new.to_string());
                assert!(format_checked.check(&mutated).is_err(), "{mutated}");
            }
        }
    }
}

#[test]
fn patterns_match_the_whole_text() {
    let format = Format::pattern("[A-Z]{2}|[0-9]+").unwrap();
    assert_eq!(format.name(), "pattern");
    assert!(format.check("AB").is_ok() && format.check("123").is_ok());
    assert!(format.check("ABC").is_err() && format.check("1x").is_err() && format.check("AB\n").is_err());
    assert!(Format::pattern("(").is_err() && Format::pattern("a)|(b").is_err());
    assert!(Format::pattern("(?:[a-z]{1000}){1000}").is_err());
}

#[test]
fn every_name_parses_to_itself() {
    for name in Format::names() {
        assert_eq!(Format::parse(name).unwrap().name(), name);
    }
    assert!(Format::parse("pattern").is_none());
    assert_eq!(ISO_3166.split_ascii_whitespace().count(), 249);
}

/// Text of a file that nobody on this project wrote; `None`, with the reason printed, where the data is not here.
fn real_file(path: &str) -> Option<String> {
    let root = std::env::var("LEDGERSTONE_DATA")
        .unwrap_or_else(|_| format!("{}/../../../shared/data", env!("CARGO_MANIFEST_DIR")));
    match std::fs::read_to_string(format!("{root}/{path}")) {
        Ok(text) => Some(text),
        Err(error) if std::env::var_os("CI").is_some() => panic!("{root}/{path}: {error}"),
        Err(error) => {
            println!("skipped, set LEDGERSTONE_DATA: {root}/{path}: {error}");
            None
        }
    }
}

#[test]
fn every_example_of_the_iban_registry() {
    let Some(text) = real_file("finance/iban_registry_examples.txt") else {
        return;
    };
    let ibans: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert!(ibans.len() > 80, "{} IBANs", ibans.len());
    good("iban", &ibans);
}

#[test]
fn every_lei_of_an_extract_of_the_global_index() {
    let Some(text) = real_file("finance/lei_gleif_open.csv") else {
        return;
    };
    let leis: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert!(leis.len() > 1000, "{} LEIs", leis.len());
    let format = Format::parse("lei").unwrap();
    let wrong: Vec<&&str> = leis.iter().filter(|lei| format.check(lei).is_err()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
