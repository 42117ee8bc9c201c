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

/// A rotation while the ledger is open, and the passphrase was changed since: the new key would be written under the old one, or under none.
#[test]
fn a_rotation_does_not_undo_a_change_of_the_passphrase() {
    let ways = [
        (None, Some("battery staple"), codes::NEEDS_PASSPHRASE),
        (Some("correct horse"), Some("battery staple"), codes::WRONG_PASSPHRASE),
        (Some("correct horse"), None, codes::NOT_A_KEY),
    ];
    for (before, after, code) in ways {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.ledger");
        let file = folder.path().join("vault.ledger.logkey.pem");
        let create = Create::new(ORIGIN, key()).module(VAULT, "vault.toml");
        let create = match before {
            Some(text) => create.log_passphrase(words(text)),
            None => create,
        };
        let ledger = create.at(&path).unwrap();
        Key::change_passphrase(&file, before.map(words).as_ref(), after.map(words).as_ref()).unwrap();
        let kept = std::fs::read(&file).unwrap();
        let error = ledger.rotate_log_key().unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!((std::fs::read(&file).unwrap(), ledger.size().unwrap()), (kept, 2));
        assert!(!folder.path().join("vault.ledger.logkey.pem.next").exists());
        drop(ledger);
        let ledger = open(&path, after).unwrap();
        ledger.rotate_log_key().unwrap();
        drop(ledger);
        assert_eq!(ledgerstone::keys::is_protected(&file).unwrap(), after.is_some());
        open(&path, after).unwrap();
    }
}

/// The file of the log key in force may still wait beside that of the one before, where a rotation could not put it in its place.
#[test]
fn a_rotation_finds_the_log_key_in_force_where_the_one_before_left_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.ledger");
    let file = folder.path().join("vault.ledger.logkey.pem");
    let next = folder.path().join("vault.ledger.logkey.pem.next");
    let ledger = Create::new(ORIGIN, key()).module(VAULT, "vault.toml").at(&path).unwrap();
    let ann = Key::from_seed([9; 32], "ann");
    ledger.admit_member(ann.public()).unwrap();
    let first = std::fs::read(&file).unwrap();
    ledger.rotate_log_key().unwrap();
    let second = std::fs::read(&file).unwrap();
    drop(ledger);

    let ledger = Open::default().key(ann).at(&path).unwrap();
    std::fs::rename(&file, &next).unwrap();
    std::fs::write(&file, &first).unwrap();
    // Ann may not rotate it. What she tried has cost no key.
    ledger.rotate_log_key().unwrap_err();
    assert_eq!(std::fs::read(&file).unwrap(), second);
    drop(ledger);
    open(&path, None).unwrap().rotate_log_key().unwrap();
    assert!(!next.exists() && std::fs::read(&file).unwrap() != second);
}
