//! Log keys whose files are protected by a passphrase.

use std::path::Path;

use ledgerstone::{Create, Error, Key, Ledger, Open, Passphrase, codes};
use ledgerstone_tests::{ORIGIN, audited, key};

use super::VAULT;

fn words(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

fn open(path: &Path, passphrase: Option<&str>) -> Result<Ledger, Error> {
    let open = Open::default().key(key());
    match passphrase {
        Some(text) => open.log_passphrase(words(text)),
        None => open,
    }
    .at(path)
}

#[test]
fn a_protected_log_key_opens_with_its_passphrase_and_stays_protected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.ledger");
    let file = folder.path().join("vault.ledger.logkey.pem");
    let made = Create::new(ORIGIN, key()).module(VAULT, "vault.toml").log_passphrase(words("correct horse")).at(&path);
    drop(made.unwrap());
    for (passphrase, code) in [(None, codes::NEEDS_PASSPHRASE), (Some("battery staple"), codes::WRONG_PASSPHRASE)] {
        let error = open(&path, passphrase).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
    // Who only reads needs no key.
    assert_eq!(Open::default().readonly(true).at(&path).unwrap().size().unwrap(), 2);

    let ledger = open(&path, Some("correct horse")).unwrap();
    ledger.rotate_log_key().unwrap();
    let newest = ledger.verifier_keys().unwrap()[0].to_string();
    drop(ledger);
    assert_eq!(open(&path, None).unwrap_err().code(), codes::NEEDS_PASSPHRASE, "the new key is protected as well");
    let ledger = open(&path, Some("correct horse")).unwrap();
    assert_eq!(ledger.verifier_keys().unwrap()[0].to_string(), newest);
    ledger.admit_member(Key::from_seed([9; 32], "ann").public()).unwrap();
    audited(&ledger);
    drop(ledger);

    Key::change_passphrase(&file, Some(&words("correct horse")), None).unwrap();
    assert_eq!(
        open(&path, Some("correct horse")).unwrap_err().code(),
        codes::NOT_A_KEY,
        "its owner believes that it is"
    );
    assert_eq!(open(&path, None).unwrap().size().unwrap(), 4);
}
