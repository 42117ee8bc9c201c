//! Envelopes: exactly the members named, in range, in canonical form; and later versions.

mod common;

use common::{AUTHOR, Sample, member_mutations, mixed, trust};
use ledgerstone_verify::*;

#[test]
fn envelopes_hold_exactly_their_members() {
    let envelope = Sample { endorsers: 1, ..mixed() }.envelope();
    let text = envelope.to_canonical();
    assert_eq!(parse_canonical(&text).unwrap().canonical(), text);
    assert_eq!(Envelope::parse(&text).unwrap(), envelope);
    let mutations = member_mutations(&Json::parse(&text).unwrap());
    assert!(mutations.len() > 150, "{}", mutations.len());
    for (what, json) in mutations {
        let result = Envelope::parse(&json.canonical());
        if what == "intent: without idempotency" {
            assert!(result.is_ok());
        } else {
            assert_eq!(result.unwrap_err().kind(), VerifyErrorKind::Malformed, "{what}");
        }
    }
}

#[test]
fn envelopes_have_one_text() {
    let envelope = mixed().envelope();
    let text = String::from_utf8(envelope.to_canonical()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let other_order = text.replacen("{\"cells\":", "{\"semantics\":0,\"cells\":", 1);
    for other in [
        serde_json::to_string_pretty(&json).unwrap(),
        format!("{text}\n"),
        text.replacen("\"atomic\"", "\"\\u0061tomic\"", 1).replacen("each", "\\u0065ach", 1),
        text.replacen("four eyes", "four\\u0020eyes", 1),
        text.replacen("\"index\":4", "\"index\":4.0", 1),
        text.replacen("\"index\":4", "\"index\":4e0", 1),
        other_order.replacen(",\"semantics\":0,\"signatures\"", ",\"signatures\"", 1),
    ] {
        assert_ne!(other, text);
        let error = Envelope::parse(other.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), VerifyErrorKind::Malformed, "{other}");
    }
}

#[test]
fn envelopes_are_in_range() {
    type Change = fn(&mut Envelope);
    let changes: [(&str, Change); 14] = [
        ("index", |e| e.index = 1 << 53),
        ("index 0 with genesis and seen", |e| e.index = 0),
        ("no genesis", |e| e.intent.genesis = None),
        ("no seen", |e| e.intent.seen = None),
        ("seen of size 0", |e| e.intent.seen.as_mut().unwrap().size = 0),
        ("seen beyond index", |e| e.intent.seen.as_mut().unwrap().size = 5),
        ("time at expires", |e| e.time = e.intent.expires.clone()),
        ("count", |e| e.intent.count = 0),
        ("more exceptions than records", |e| e.exceptions.count = 10),
        ("a root without entries", |e| e.cells.count = 0),
        ("the author endorses", |e| e.signatures[2].member = AUTHOR.into()),
        ("endorsers out of order", |e| e.signatures.swap(1, 2)),
        ("an endorser twice", |e| e.signatures[2] = e.signatures[1].clone()),
        ("another author", |e| e.signatures[0].member.replace_range(0..1, "0")),
    ];
    for (what, change) in changes {
        let mut envelope = mixed().envelope();
        change(&mut envelope);
        let error = Envelope::parse(&envelope.to_canonical()).unwrap_err();
        assert_eq!(error.kind(), VerifyErrorKind::Malformed, "{what}");
    }
    let mut first = Sample { index: 0, ..Sample::default() }.envelope();
    assert!(Envelope::parse(&first.to_canonical()).is_ok());
    first.prev = [4; 32];
    assert!(Envelope::parse(&first.to_canonical()).is_err(), "prev of the empty tree");
}

#[test]
fn envelopes_are_bounded() {
    let many = |endorsers| Sample { endorsers, ..Sample::default() }.envelope().to_canonical();
    assert!(Envelope::parse(&many(16)).is_ok());
    assert!(Envelope::parse(&many(17)).is_err());
    // The length counts the tag.
    let mut long = Sample { endorsers: 1, ..Sample::default() }.envelope();
    let room = 65_535 - long.leaf_data().len();
    let meaning = |e: &mut Envelope, room| {
        e.signatures[1].endorsement.as_mut().unwrap().meaning.push_str(&"x".repeat(room));
    };
    meaning(&mut long, room);
    assert_eq!(long.leaf_data().len(), 65_535);
    assert!(Envelope::parse(&long.to_canonical()).is_ok());
    meaning(&mut long, 1);
    assert!(Envelope::parse(&long.to_canonical()).is_err());
}

#[test]
fn a_later_version_is_not_an_alarm() {
    let sample = Sample::default();
    let text = String::from_utf8(sample.envelope().to_canonical()).unwrap();
    for later in [
        text.replacen("\"format\":1,\"index\"", "\"format\":2,\"index\"", 1),
        text.replacen("\"semantics\":0", "\"semantics\":1", 1),
        text.replacen("\"semantics\":0", "\"semantics\":1,\"shape\":{\"new\":1.5}", 1),
        "{\"format\":3,\"leaf\":[]}".into(),
        "{\"format\":1,\"semantics\":9007199254740991}".into(),
    ] {
        assert_ne!(later, text);
        let error = Envelope::parse(later.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), VerifyErrorKind::UnverifiableVersion, "{later}");
        let receipt = sample.receipt_over(later);
        let error = receipt.verify(&trust()).unwrap_err();
        assert_eq!(error.kind(), VerifyErrorKind::UnverifiableVersion);
    }
    for not_a_version in ["{}", "{\"format\":0}", "{\"format\":\"2\"}", "{\"format\":-1}", "[2]"] {
        let error = Envelope::parse(not_a_version.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), VerifyErrorKind::Malformed, "{not_a_version}");
    }
    let receipt = sample.receipt().to_json().replacen("receipt/v1", "receipt/v2", 1);
    let error = Receipt::parse(receipt.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), VerifyErrorKind::UnverifiableVersion);
}
