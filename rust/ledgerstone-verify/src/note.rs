//! Signed notes and verifier keys (C2SP signed-note, v1).
//!
//! A note is text that ends in a line feed, an empty line, and one line for each signature:
//! `— <name> <base64(key id ‖ signature)>`. Lines by keys that nobody asked about are ignored, so
//! that witnesses can add theirs; a line that claims a known key and does not hold refuses the
//! whole note.

use std::fmt;

use crate::canon::{b64, unb64};
use crate::error::NoteError;
use crate::hash::sha256;
use crate::key::PublicKey;

/// A note has at most this many signature lines.
pub const MAX_SIGNATURES: usize = 64;

/// The signature type of Ed25519 in key ids and verifier keys.
const ED25519: u8 = 0x01;

/// U+2014 and a space begin each signature line.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// The key id of a name and key: the first four bytes of
/// SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key), SHA-256 whatever the tree's hash is.
pub fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    let digest = sha256(&[name.as_bytes(), &[b'\n', ED25519], key.as_bytes()]);
    [digest[0], digest[1], digest[2], digest[3]]
}

/// The public half of a note-signing key: a name, and an Ed25519 key. As text it is
/// `<name>+<8 hexadecimal digits of the key id>+<base64(0x01 ‖ public key)>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    key: PublicKey,
    id: [u8; 4],
}

impl VerifierKey {
    /// A verifier key of this name.
    pub fn new(name: impl Into<String>, key: PublicKey) -> Result<Self, NoteError> {
        let name = name.into();
        if !is_key_name(&name) {
            return Err(NoteError::Malformed("the name of a key is empty, or has a space or '+'"));
        }
        let id = key_id(&name, &key);
        Ok(VerifierKey { name, key, id })
    }

    /// Reads the text form; the key id must be that of the name and key, in lower case.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("not a verifier key: <name>+<key id>+<base64>");
        // The name has no '+', the base64 may.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed);
        };
        let key = match unb64(key).ok().as_deref() {
            Some([ED25519, key @ ..]) => key.try_into().map_err(|_| malformed)?,
            Some([_, ..]) => return Err(NoteError::Malformed("not an Ed25519 verifier key")),
            _ => return Err(malformed),
        };
        let verifier = VerifierKey::new(name, PublicKey::admit(&key).map_err(NoteError::Key)?)?;
        if hex8(verifier.id) != id {
            return Err(NoteError::Malformed("the key id is not that of the name and key"));
        }
        Ok(verifier)
    }

    /// The name, which for a log is its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The key id.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = [ED25519; 33];
        typed[1..].copy_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex8(self.id), b64(&typed))
    }
}

impl std::str::FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        VerifierKey::parse(text)
    }
}

fn hex8(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c == '+' || c.is_whitespace() || c < '\u{20}')
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: [u8; 4],
    signature: Vec<u8>,
}

impl NoteSignature {
    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key.
    pub fn key_id(&self) -> [u8; 4] {
        self.key_id
    }

    /// The signature: 64 bytes for Ed25519, other lengths for types that are not ours.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// A text and the signatures over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// A note that nobody has signed yet. The text is not empty, ends in a line feed, and has no
    /// other control characters.
    pub fn unsigned(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        check_characters(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Malformed("the text of a note ends in a line feed"));
        }
        Ok(SignedNote { text, signatures: Vec::new() })
    }

    /// The note with one more signature line, made elsewhere over [`SignedNote::text`].
    pub fn with_signature(mut self, name: &str, key_id: [u8; 4], signature: &[u8]) -> Result<Self, NoteError> {
        if !is_key_name(name) || signature.is_empty() {
            return Err(NoteError::Malformed("a signature line has a name and a signature"));
        }
        if self.signatures.len() == MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        let signature = signature.to_vec();
        self.signatures.push(NoteSignature { name: name.to_owned(), key_id, signature });
        Ok(self)
    }

    /// Reads a note; it has at least one signature line. Nothing is verified.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        check_characters(note)?;
        // The text may itself hold empty lines; the last one ends it.
        let split = note.rfind("\n\n");
        let split = split.ok_or(NoteError::Malformed("a note has an empty line after its text"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines =
            lines.strip_suffix('\n').ok_or(NoteError::Malformed("a note ends in a signature line and a line feed"))?;
        let mut signed = SignedNote::unsigned(text)?;
        for line in lines.split('\n') {
            let (name, key_id, signature) = parse_line(line)?;
            signed = signed.with_signature(name, key_id, &signature)?;
        }
        Ok(signed)
    }

    /// The signed text, with its last line feed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, as they stand.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks the signatures by these keys and returns the keys that signed, in their order here.
    /// Lines by other keys are ignored; a line that claims one of these keys and does not hold
    /// refuses the note; at least one must hold.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signed = Vec::new();
        for key in keys {
            let claims = |line: &&NoteSignature| line.name == key.name && line.key_id == key.id;
            let mut held = false;
            for line in self.signatures.iter().filter(claims) {
                key.key
                    .verify(self.text.as_bytes(), &line.signature)
                    .map_err(|_| NoteError::BadSignature(key.name.clone()))?;
                held = true;
            }
            if held {
                signed.push(key);
            }
        }
        if signed.is_empty() { Err(NoteError::NoTrustedSignature) } else { Ok(signed) }
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for line in &self.signatures {
            let blob = [line.key_id.as_slice(), &line.signature].concat();
            writeln!(f, "{SIGNATURE_PREFIX}{} {}", line.name, b64(&blob))?;
        }
        Ok(())
    }
}

impl std::str::FromStr for SignedNote {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        SignedNote::parse(note)
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::Malformed("a note has no control characters but line feeds"));
    }
    Ok(())
}

fn parse_line(line: &str) -> Result<(&str, [u8; 4], Vec<u8>), NoteError> {
    let malformed = NoteError::Malformed("not a signature line: \u{2014} <name> <base64>");
    let parts = line.strip_prefix(SIGNATURE_PREFIX).and_then(|rest| rest.split_once(' '));
    let (name, blob) = parts.ok_or(malformed.clone())?;
    let blob = unb64(blob).map_err(|_| malformed.clone())?;
    let (id, signature) = blob.split_first_chunk::<4>().ok_or(malformed)?;
    Ok((name, *id, signature.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    const NAME: &str = "example.com/log";

    fn signer(seed: u8) -> (SigningKey, VerifierKey) {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        let key = PublicKey::admit(&secret.verifying_key().to_bytes()).unwrap();
        (secret, VerifierKey::new(NAME, key).unwrap())
    }

    fn sign(note: SignedNote, secret: &SigningKey, key: &VerifierKey) -> SignedNote {
        let signature = secret.sign(note.text().as_bytes()).to_bytes();
        note.with_signature(key.name(), key.id(), &signature).unwrap()
    }

    #[test]
    fn a_note_reads_back() {
        let (secret, key) = signer(1);
        let note = SignedNote::unsigned("first\n\n\u{2014} not a signature\n").unwrap();
        assert_eq!(note.verify(std::slice::from_ref(&key)), Err(NoteError::NoTrustedSignature));
        let note = sign(note, &secret, &key);
        let again = SignedNote::parse(&note.to_string()).unwrap();
        assert_eq!(again, note);
        assert_eq!(again.verify(std::slice::from_ref(&key)).unwrap(), [&key]);
    }

    #[test]
    fn unknown_keys_are_ignored_and_known_keys_must_hold() {
        let ((secret, key), (_, other)) = (signer(1), signer(2));
        let note = sign(SignedNote::unsigned("text\n").unwrap(), &secret, &key);
        let foreign = note.clone().with_signature("witness", [0; 4], &[0; 72]).unwrap();
        assert_eq!(foreign.verify(&[other.clone(), key.clone()]).unwrap(), [&key]);
        // A line that claims the other known key, and does not hold, refuses everything.
        let forged = note.clone().with_signature(NAME, other.id(), &[0; 64]).unwrap();
        assert_eq!(forged.verify(std::slice::from_ref(&key)).unwrap(), [&key]);
        let refused = Err(NoteError::BadSignature(NAME.into()));
        assert_eq!(forged.verify(&[key.clone(), other]), refused);
        // So does a second line of the known key, after one that holds.
        let doubled = note.with_signature(NAME, key.id(), &[0; 64]).unwrap();
        assert_eq!(doubled.verify(&[key]), Err(NoteError::BadSignature(NAME.into())));
    }

    #[test]
    fn signature_lines_are_bounded() {
        let mut note = SignedNote::unsigned("text\n").unwrap();
        for _ in 0..MAX_SIGNATURES {
            note = note.with_signature("w", [0; 4], &[1]).unwrap();
        }
        let text = note.to_string();
        assert_eq!(SignedNote::parse(&text).unwrap(), note);
        assert_eq!(note.with_signature("w", [0; 4], &[1]), Err(NoteError::TooManySignatures));
        let line = text.lines().last().unwrap();
        let longer = format!("{text}{line}\n");
        assert_eq!(SignedNote::parse(&longer), Err(NoteError::TooManySignatures));
    }

    #[test]
    fn what_is_not_a_note_is_refused() {
        let good = "text\n\n\u{2014} name AAAAAAA=\n";
        assert!(SignedNote::parse(good).is_ok());
        for bad in [
            "",
            "text\n",
            "text\n\n",
            "text\n\n\n",
            "text\n\u{2014} name AAAAAAA=\n",
            "text\n\n\u{2014} name AAAAAAA=",
            "text\n\n\u{2014} name AAAAAAA=\n\n",
            "text\n\n- name AAAAAAA=\n",
            "text\n\n\u{2014}  AAAAAAA=\n",
            "text\n\n\u{2014} name  AAAAAAA=\n",
            "text\n\n\u{2014} name\n",
            "text\n\n\u{2014} na+me AAAAAAA=\n",
            "text\n\n\u{2014} na\u{a0}me AAAAAAA=\n",
            "text\n\n\u{2014} name AAAAAA==\n",
            "text\n\n\u{2014} name AAAAAAB=\n",
            "text\n\n\u{2014} name AAAAAAA\n",
            "text\n\n\u{2014} name AAAAAAA= \n",
            "te\txt\n\n\u{2014} name AAAAAAA=\n",
            "text\r\n\n\u{2014} name AAAAAAA=\n",
        ] {
            assert!(SignedNote::parse(bad).is_err(), "{bad:?}");
        }
        assert!(SignedNote::unsigned("no line feed").is_err());
        assert!(SignedNote::unsigned("").is_err());
    }

    #[test]
    fn a_verifier_key_has_one_text() {
        let (_, key) = signer(1);
        let text = key.to_string();
        assert_eq!(VerifierKey::parse(&text).unwrap(), key);
        let mut parts = text.splitn(3, '+').skip(1);
        let (id, base64) = (parts.next().unwrap(), parts.next().unwrap());
        for bad in [
            String::new(),
            NAME.to_owned(),
            format!("{NAME}+{id}"),
            format!("other+{id}+{base64}"),
            format!("+{id}+{base64}"),
            format!("{NAME}+{id}0+{base64}"),
            format!("{NAME}+{id}+{base64}="),
            format!("{NAME}+{id}+{}", b64(&[2; 33])),
            format!("{NAME}+{id}+{}", b64(&[1; 32])),
            format!("{NAME}+{id}+{}", b64(&[1])),
            format!("{NAME}+{id}+"),
            format!(" {text}"),
            format!("{text}\n"),
        ] {
            assert!(VerifierKey::parse(&bad).is_err(), "{bad:?}");
        }
    }
}
