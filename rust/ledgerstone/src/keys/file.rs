//! Key files: PKCS#8 PEM (RFC 5208, RFC 8410), as OpenSSL reads and writes it; encrypted where a passphrase is given (PBES2 of RFC 8018:
//! PBKDF2 with HMAC-SHA-256, or scrypt of RFC 7914 where another tool wrote it so; AES-256-CBC).

use std::fs;
use std::io;
use std::path::Path;

use ledgerstone_verify::canon::{b64, unb64};
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::Encode;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use super::{KeyFileError, random_bytes};
use crate::files;
use crate::limits::{KEY_FILE_BYTES, PASSPHRASE_BYTES, PBKDF2_ITERATIONS, PBKDF2_ITERATIONS_MAX, SCRYPT_BYTES_MAX};

/// DER of a PKCS#8 v1 Ed25519 private key (RFC 8410 section 7), up to its seed.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const PEM_LABEL: &str = "PRIVATE KEY";
const PEM_LABEL_ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
/// Characters of a line of PEM (RFC 7468 section 2).
const PEM_LINE: usize = 64;
/// What the first line of a member's key file says.
pub(super) const MEMBER_KEY: &str = "ledgerstone member key";
/// What the first line of a log key's file says.
pub(super) const LOG_KEY: &str = "ledgerstone log key";

/// The words that a key file is encrypted under. Wiped when it goes.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// A passphrase: one line, not empty.
    pub fn new(text: impl Into<Vec<u8>>) -> Result<Self, KeyFileError> {
        let text = Zeroizing::new(text.into());
        let fits = (1..=PASSPHRASE_BYTES).contains(&text.len()) && !text.iter().any(u8::is_ascii_control);
        if fits { Ok(Passphrase(text)) } else { Err(KeyFileError::BadPassphrase) }
    }

    /// The first line of a file.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let text = Zeroizing::new(fs::read(path).map_err(|source| io_error(path, source))?);
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Passphrase::new(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase")
    }
}

/// The seed and the label in a key file. `argument` is how the caller takes the passphrase, in Python and on the command line.
pub(super) fn read(
    path: &Path,
    role: &str,
    passphrase: Option<&Passphrase>,
    argument: &'static str,
) -> Result<(Zeroizing<[u8; 32]>, String), KeyFileError> {
    let (text, head) = pem_text(path)?;
    let is_encrypted = text.starts_with(PEM_LABEL_ENCRYPTED);
    let label = if is_encrypted { PEM_LABEL_ENCRYPTED } else { PEM_LABEL };
    let body = text.strip_prefix(label).and_then(|rest| rest.strip_prefix("-----"));
    let body = body.ok_or_else(|| not_a_key(path, "it holds no PKCS#8 PEM private key"))?;
    let (body, _) = body
        .split_once(&format!("-----END {label}-----"))
        .ok_or_else(|| not_a_key(path, "its PEM block has no end"))?;
    for known in [MEMBER_KEY, LOG_KEY] {
        if head.starts_with(known) && known != role {
            return Err(not_a_key(path, &format!("it is a {known}, a {role} is needed")));
        }
    }
    let body = Zeroizing::new(body.split_whitespace().collect::<String>());
    let der = Zeroizing::new(unb64(&body).map_err(|_| not_a_key(path, "its PEM block is not base64"))?);
    let der = match (is_encrypted, passphrase) {
        (false, None) => der,
        (true, None) => return Err(KeyFileError::NeedsPassphrase { path: path.to_owned(), argument }),
        (false, Some(_)) => {
            return Err(not_a_key(path, "it is not protected, and a passphrase was given (keys passwd protects it)"));
        }
        (true, Some(passphrase)) => decrypted(path, &der, passphrase)?,
    };
    let seed = seed_of(&der)
        .ok_or_else(|| not_a_key(path, "it is not an Ed25519 private key (openssl genpkey -algorithm ed25519)"))?;
    let label = head.strip_prefix(role).and_then(|rest| rest.strip_prefix(": ")).unwrap_or("").trim();
    Ok((seed, label.to_owned()))
}

/// Whose key a file says that it holds; a file of another tool says nothing, and is a member's.
pub(super) fn role_of(path: &Path) -> Result<&'static str, KeyFileError> {
    Ok(if pem_text(path)?.1.starts_with(LOG_KEY) { LOG_KEY } else { MEMBER_KEY })
}

/// Whether a key file, a member's or that of a log key, is protected by a passphrase.
pub fn is_protected(path: &Path) -> Result<bool, KeyFileError> {
    Ok(pem_text(path)?.0.starts_with(PEM_LABEL_ENCRYPTED))
}

/// What stands behind the first `-----BEGIN `, and before it.
fn pem_text(path: &Path) -> Result<(Zeroizing<String>, String), KeyFileError> {
    let is_long = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > KEY_FILE_BYTES as u64);
    if is_long {
        return Err(not_a_key(path, "it is too large to be a key file"));
    }
    let text = fs::read_to_string(path).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => not_a_key(path, "it is not text"),
        _ => io_error(path, source),
    });
    let text = Zeroizing::new(text?);
    let (head, rest) =
        text.split_once("-----BEGIN ").ok_or_else(|| not_a_key(path, "it holds no PKCS#8 PEM private key"))?;
    Ok((Zeroizing::new(rest.to_owned()), head.to_owned()))
}

/// Writes a new key file.
pub(super) fn write(
    path: &Path,
    role: &str,
    label: &str,
    seed: &[u8; 32],
    passphrase: Option<&Passphrase>,
) -> Result<(), KeyFileError> {
    let text = pem_of(role, label, seed, passphrase)?;
    files::write_new(path, text.as_bytes()).map_err(|source| io_error(path, source))
}

/// Writes a key file over the one that is there, which stays until the new one is whole.
pub(super) fn rewrite(
    path: &Path,
    role: &str,
    label: &str,
    seed: &[u8; 32],
    passphrase: Option<&Passphrase>,
) -> Result<(), KeyFileError> {
    let text = pem_of(role, label, seed, passphrase)?;
    files::replace_private(path, text.as_bytes()).map_err(|source| io_error(path, source))
}

/// The text of a key file.
fn pem_of(
    role: &str,
    label: &str,
    seed: &[u8; 32],
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<String>, KeyFileError> {
    let der = Zeroizing::new([PKCS8_PREFIX.as_slice(), seed].concat());
    let (pem_label, der) = match passphrase {
        None => (PEM_LABEL, der),
        Some(passphrase) => (PEM_LABEL_ENCRYPTED, encrypted(&der, passphrase)?),
    };
    let body = Zeroizing::new(b64(&der));
    let mut text = Zeroizing::new(format!("{role}: {label}\n-----BEGIN {pem_label}-----\n"));
    for line in body.as_bytes().chunks(PEM_LINE) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str(&format!("-----END {pem_label}-----\n"));
    Ok(text)
}

fn encrypted(der: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    // PBKDF2 rather than scrypt: OpenSSL reads scrypt only at costs that a graphics card laughs at.
    let salt: [u8; 16] = random_bytes()?;
    let parameters = Parameters::generate_pbkdf2_sha256_aes256cbc(PBKDF2_ITERATIONS, &salt, random_bytes()?);
    let parameters = parameters.expect("salt and iterations are within bounds");
    let data = parameters.encrypt(&passphrase.0, der).expect("AES-256-CBC is compiled in");
    let data = OctetStringRef::new(&data).expect("a key is short");
    let info = EncryptedPrivateKeyInfoRef { encryption_algorithm: parameters.into(), encrypted_data: data };
    Ok(Zeroizing::new(info.to_der().expect("a key is short")))
}

fn decrypted(path: &Path, der: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let unknown = "its encryption is not PBES2 with PBKDF2-HMAC-SHA-256 or scrypt and AES-CBC (openssl pkcs8 -topk8 -v2 aes-256-cbc)";
    let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| not_a_key(path, unknown))?;
    let parameters = info.encryption_algorithm.pbes2().ok_or_else(|| not_a_key(path, unknown))?;
    let is_dear = match &parameters.kdf {
        Kdf::Pbkdf2(kdf) => kdf.iteration_count > PBKDF2_ITERATIONS_MAX,
        // scrypt works in 128 · N · r bytes, p times over (RFC 7914 section 6).
        Kdf::Scrypt(kdf) => {
            let bytes = 128u64.saturating_mul(kdf.cost_parameter).saturating_mul(u64::from(kdf.block_size));
            bytes.saturating_mul(u64::from(kdf.parallelization)) > SCRYPT_BYTES_MAX
        }
        _ => return Err(not_a_key(path, unknown)),
    };
    if is_dear {
        return Err(not_a_key(path, "its key derivation costs more than this build is willing to spend"));
    }
    // A wrong key shows as wrong padding, or as bytes that are no key.
    let opened = info.decrypt(&passphrase.0).map_err(|_| KeyFileError::WrongPassphrase(path.to_owned()))?;
    Ok(Zeroizing::new(opened.as_bytes().to_vec()))
}

/// The seed in the DER of a private key: PKCS#8 v1, or v2 with the public key behind (RFC 5958).
fn seed_of(der: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    if let Some(seed) = der.strip_prefix(&PKCS8_PREFIX) {
        return seed.try_into().ok().map(Zeroizing::new);
    }
    let (head, rest) = der.split_at_checked(PKCS8_PREFIX.len())?;
    let is_v2 = head[0] == 0x30 && head[2..5] == [0x02, 0x01, 0x01] && head[5..] == PKCS8_PREFIX[5..];
    let seed = Zeroizing::new(<[u8; 32]>::try_from(rest.get(..32)?).ok()?);
    let public = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).ok()?;
    (is_v2 && der.ends_with(public.public_key().as_ref())).then_some(seed)
}

fn not_a_key(path: &Path, why: &str) -> KeyFileError {
    KeyFileError::NotAKey { path: path.to_owned(), why: why.to_owned() }
}

fn io_error(path: &Path, source: io::Error) -> KeyFileError {
    match source.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing(path.to_owned()),
        io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
        _ if files::is_full(&source) => KeyFileError::DiskFull(path.to_owned()),
        _ => KeyFileError::Io { path: path.to_owned(), source },
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::{Key, KeyFileError, LogKey};
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text).unwrap()
    }

    /// Runs OpenSSL; `None`, with a word, where there is none.
    fn openssl(arguments: &[&str]) -> Option<Vec<u8>> {
        match Command::new("openssl").args(arguments).output() {
            Ok(output) => {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                Some(output.stdout)
            }
            Err(_) => {
                println!("skipped: there is no openssl");
                None
            }
        }
    }

    #[test]
    fn a_key_file_comes_back_as_it_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("me.pem");
        let key = Key::generate("controller").unwrap();
        key.save(&path, None).unwrap();
        let loaded = Key::load(&path, None).unwrap();
        assert_eq!((loaded.public(), loaded.label()), (key.public(), "controller"));
        assert!(matches!(key.save(&path, None), Err(KeyFileError::Exists(_))));
        assert!(matches!(Key::load(&path, Some(&passphrase("x"))), Err(KeyFileError::NotAKey { .. })));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_protected_key_opens_with_its_passphrase_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("me.pem");
        let key = Key::generate("controller").unwrap();
        let (right, other) = (passphrase("correct horse"), passphrase("battery staple"));
        key.save(&path, Some(&right)).unwrap();
        let loaded = Key::load(&path, Some(&right)).unwrap();
        assert_eq!((loaded.public(), loaded.label()), (key.public(), "controller"));
        assert!(matches!(Key::load(&path, None), Err(KeyFileError::NeedsPassphrase { .. })));
        assert!(matches!(Key::load(&path, Some(&other)), Err(KeyFileError::WrongPassphrase(_))));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().all(|line| line.len() <= PEM_LINE), "{text}");

        // What a crash left of an earlier change is in nobody's way.
        fs::write(folder.path().join("me.pem.new"), "half a key").unwrap();
        Key::change_passphrase(&path, Some(&right), Some(&other)).unwrap();
        assert!(matches!(Key::load(&path, Some(&right)), Err(KeyFileError::WrongPassphrase(_))));
        Key::change_passphrase(&path, Some(&other), None).unwrap();
        let loaded = Key::load(&path, None).unwrap();
        assert_eq!((loaded.public(), loaded.label()), (key.public(), "controller"));
    }

    #[test]
    fn openssl_reads_what_is_written_here() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("me.pem");
        let key = Key::generate("controller").unwrap();
        key.save(&path, Some(&passphrase("correct horse"))).unwrap();
        let file = path.to_str().unwrap();
        let asked = ["pkey", "-in", file, "-passin", "pass:correct horse", "-pubout", "-outform", "DER"];
        if let Some(public) = openssl(&asked) {
            assert!(public.ends_with(&key.public()));
        }
    }

    #[test]
    fn what_openssl_writes_is_read_here() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (plain, pbkdf2, scrypt) = (file("plain.pem"), file("pbkdf2.pem"), file("scrypt.pem"));
        if openssl(&["genpkey", "-algorithm", "ed25519", "-out", &plain]).is_none() {
            return;
        }
        let convert = ["pkcs8", "-topk8", "-in", &plain, "-passout", "pass:x y", "-out"];
        openssl(&[&convert[..], &[&pbkdf2]].concat()).unwrap();
        openssl(&[&convert[..], &[&scrypt, "-scrypt"]].concat()).unwrap();
        let public = openssl(&["pkey", "-in", &plain, "-pubout", "-outform", "DER"]).unwrap();
        for (path, passphrase) in [(plain, None), (pbkdf2, Some("x y")), (scrypt, Some("x y"))] {
            let passphrase = passphrase.map(|text| Passphrase::new(text).unwrap());
            let key = Key::load(Path::new(&path), passphrase.as_ref()).unwrap();
            assert!(public.ends_with(&key.public()), "{path}");
        }
    }

    #[test]
    fn a_log_key_is_protected_as_a_member_key_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.logkey.pem");
        let (right, wrong) = (passphrase("correct horse"), passphrase("battery staple"));
        let key = LogKey::generate().unwrap();
        key.save(&path, "acme.example/books", Some(&right)).unwrap();
        assert!(is_protected(&path).unwrap());
        let same = |passphrase| LogKey::load(&path, passphrase).unwrap().public().to_bytes() == key.public().to_bytes();
        assert!(same(Some(&right)));
        let error = LogKey::load(&path, None).unwrap_err();
        assert!(error.to_string().contains("log_passphrase=") && error.path() == Some(path.as_path()), "{error}");
        assert!(matches!(LogKey::load(&path, Some(&wrong)), Err(KeyFileError::WrongPassphrase(at)) if at == path));
        assert!(matches!(Key::load(&path, Some(&right)), Err(KeyFileError::NotAKey { .. })), "it is no member's key");

        Key::change_passphrase(&path, Some(&right), Some(&wrong)).unwrap();
        assert!(same(Some(&wrong)));
        Key::change_passphrase(&path, Some(&wrong), None).unwrap();
        assert!(same(None) && !is_protected(&path).unwrap());
        assert!(fs::read_to_string(&path).unwrap().starts_with("ledgerstone log key: acme.example/books\n"));
    }

    #[test]
    fn a_log_key_is_no_member_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.pem");
        LogKey::generate().unwrap().save(&path, "acme.example/books", None).unwrap();
        let error = Key::load(&path, None).unwrap_err().to_string();
        assert!(error.contains("it is a ledgerstone log key"), "{error}");
        assert!(LogKey::load(&path, None).is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pem");
        assert!(matches!(Key::load(&path, None), Err(KeyFileError::Missing(_))));
        let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        let bad =
            ["", "hello", &block(PEM_LABEL), &block(PEM_LABEL_ENCRYPTED), &block("CERTIFICATE")].map(str::to_owned);
        for text in bad.iter().chain([&block(PEM_LABEL)[..30].to_owned()]) {
            fs::write(&path, text).unwrap();
            let given = text.contains("ENCRYPTED").then(|| passphrase("x"));
            assert!(matches!(Key::load(&path, given.as_ref()), Err(KeyFileError::NotAKey { .. })), "{text}");
        }
    }

    #[test]
    fn a_derivation_that_costs_too_much_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pem");
        let parameters =
            Parameters::generate_pbkdf2_sha256_aes256cbc(PBKDF2_ITERATIONS_MAX + 1, &[1; 16], [2; 16]).unwrap();
        let data = OctetStringRef::new(&[0; 48]).unwrap();
        let info = EncryptedPrivateKeyInfoRef { encryption_algorithm: parameters.into(), encrypted_data: data };
        let body = b64(&info.to_der().unwrap());
        fs::write(
            &path,
            format!("-----BEGIN {PEM_LABEL_ENCRYPTED}-----\n{body}\n-----END {PEM_LABEL_ENCRYPTED}-----\n"),
        )
        .unwrap();
        let error = Key::load(&path, Some(&passphrase("x"))).unwrap_err().to_string();
        assert!(error.contains("costs more"), "{error}");
    }

    #[test]
    fn a_passphrase_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        fs::write(&path, "correct horse\r\nand more\n").unwrap();
        assert_eq!(Passphrase::load(&path).unwrap().0.as_slice(), b"correct horse");
        for bad in ["", "a\nb", "a\0b"] {
            assert!(matches!(Passphrase::new(bad), Err(KeyFileError::BadPassphrase)), "{bad:?}");
        }
    }
}
