//! `keys`: key files, and a member's keys on a ledger.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ledgerstone::keys::AnyKey;
use ledgerstone::{Error, Key};
use ledgerstone_verify::{Json, b64, unb64};

use crate::failure::Failure;
use crate::open::Writing;
use crate::output::Output;
use crate::passphrase::{Protection, new_passphrase};
use crate::table::{number, text};
use crate::values::parse_time;

/// Make and show key files; add, rotate and revoke keys on a ledger
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a member's key: an Ed25519 key in a PKCS#8 PEM file, mode 0600
    #[command(after_help = "\
Example:
  ledgerstone keys generate me.pem --label controller
  ledgerstone keys generate me.pem --label controller --passphrase-file words.txt

A passphrase is never given on the command line, which other processes can read.")]
    Generate {
        /// The file to make, which must not exist
        file: PathBuf,
        /// A name for people; it stays in the file
        #[arg(long, default_value = "")]
        label: String,
        #[command(flatten)]
        protection: Protection,
    },
    /// Show the public key of a key file
    #[command(after_help = "Example:\n  ledgerstone keys show me.pem")]
    Show {
        /// The key file
        file: PathBuf,
        #[command(flatten)]
        protection: Protection,
    },
    /// Protect a key file, a member's or that of a log key, by another passphrase, or by none
    #[command(after_help = "\
Example:
  ledgerstone keys passwd me.pem --new-passphrase-file words.txt
  ledgerstone keys passwd me.pem --passphrase-file words.txt --remove")]
    Passwd {
        /// The key file
        file: PathBuf,
        #[command(flatten)]
        protection: Protection,
        /// A file whose first line is the new passphrase [or the variable LEDGERSTONE_NEW_PASSPHRASE holds it]
        #[arg(long, value_name = "FILE", conflicts_with = "remove")]
        new_passphrase_file: Option<PathBuf>,
        /// Leave the file without protection
        #[arg(long)]
        remove: bool,
    },
    Add(Add),
    Rotate(Rotate),
    Revoke(Revoke),
    RotateLog(RotateLog),
}

/// Add a public key to a member, beside the others
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ledgerstone keys add books.ledger qf3…= --key me.pem")]
pub(crate) struct Add {
    #[command(flatten)]
    ledger: Writing,
    /// The public key, as `keys show` prints it
    public: String,
    /// The member [default: the one who signs]
    #[arg(long)]
    member: Option<String>,
}

/// Put a new key in the place of the one that signs
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone keys generate new.pem --label controller
  ledgerstone keys rotate books.ledger new.pem --key me.pem")]
pub(crate) struct Rotate {
    #[command(flatten)]
    ledger: Writing,
    /// The new key's file
    new: PathBuf,
    /// A file whose first line is the new key's passphrase [or the variable LEDGERSTONE_NEW_PASSPHRASE holds it]
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

/// End a key: no later transaction is signed with it
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone keys revoke books.ledger qf3…= --reason \"laptop stolen\" --suspected-since 2026-03-01T00:00:00Z --key me.pem

What the key signed from --suspected-since on is called doubtful by audits, not invalid.")]
pub(crate) struct Revoke {
    #[command(flatten)]
    ledger: Writing,
    /// The public key, as `members` shows it
    public: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// Ledger time from which what it signed is doubtful (RFC 3339)
    #[arg(long, value_name = "TIME")]
    suspected_since: Option<String>,
}

/// Put a new log key in the place of the one in force; both sign for it
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone keys rotate-log books.ledger --key me.pem

The new key's file takes the place of the old one. Give the new verifier keys to whoever checks its receipts.")]
pub(crate) struct RotateLog {
    #[command(flatten)]
    ledger: Writing,
}

impl Verb {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        match self {
            Verb::Generate { file, label, protection } => {
                let key = Key::generate(label).map_err(Error::from)?;
                key.save(file, protection.passphrase()?.as_ref()).map_err(Error::from)?;
                tell_key(out, "member key", &b64(&key.public()), key.label())?;
            }
            Verb::Show { file, protection } => {
                match AnyKey::load(file, protection.for_file(file)?.as_ref()).map_err(Error::from)? {
                    AnyKey::Log(key) => tell_key(out, "log key", &b64(key.public().as_bytes()), "")?,
                    AnyKey::Member(key) => tell_key(out, "member key", &b64(&key.public()), key.label())?,
                }
            }
            Verb::Passwd { file, protection, new_passphrase_file, remove } => {
                let new = if *remove { None } else { new_passphrase(new_passphrase_file.as_deref())? };
                if new.is_none() && !remove {
                    return Err(Failure::usage("a new passphrase is needed: --new-passphrase-file, or --remove"));
                }
                Key::change_passphrase(file, protection.for_file(file)?.as_ref(), new.as_ref()).map_err(Error::from)?;
                if out.is_json() {
                    out.object([("path", text(file.display())), ("protected", Json::Bool(!remove))])?;
                } else {
                    out.line(if *remove { "the key file is not protected" } else { "the key file is protected" })?;
                }
            }
            Verb::Add(arguments) => arguments.run(out)?,
            Verb::Rotate(arguments) => arguments.run(out)?,
            Verb::Revoke(arguments) => arguments.run(out)?,
            Verb::RotateLog(arguments) => arguments.run(out)?,
        }
        Ok(0)
    }
}

impl Add {
    fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let key = public_key(&self.public)?;
        let appended = self.ledger.open()?.add_key(key, self.member.as_deref())?;
        Ok(out.done("added", appended.index, [("added", text(&self.public))])?)
    }
}

impl Rotate {
    fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let words = new_passphrase(self.new_passphrase_file.as_deref())?;
        let new = Key::load(&self.new, words.as_ref()).map_err(Error::from)?;
        let public = b64(&new.public());
        let appended = self.ledger.open()?.rotate_key(new)?;
        Ok(out.done(&format!("{public} from now on"), appended.index, [("key", text(&public))])?)
    }
}

impl Revoke {
    fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let key = public_key(&self.public)?;
        let since = self.suspected_since.as_deref().map(parse_time).transpose()?;
        let appended = self.ledger.open()?.revoke(key, self.reason.as_deref(), since)?;
        Ok(out.done("revoked", appended.index, [("revoked", text(&self.public))])?)
    }
}

impl RotateLog {
    fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let ledger = self.ledger.open()?;
        let appended = ledger.rotate_log_key()?;
        let keys = ledger.verifier_keys()?;
        let keys = &keys[..keys.len().min(2)];
        if out.is_json() {
            let keys = keys.iter().map(text).collect();
            out.object([("verifier_keys", Json::List(keys)), ("index", number(appended.index))])?;
            return Ok(());
        }
        out.line(format!("a new log key is in force, transaction {}; its verifier keys:", appended.index))?;
        for key in keys {
            out.line(key)?;
        }
        Ok(())
    }
}

/// Tells a public key on standard output, and what it is beside it.
fn tell_key(out: &mut Output, kind: &str, public: &str, label: &str) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(out.object([("public", text(public)), ("kind", text(kind)), ("label", text(label))])?);
    }
    out.line(public)?;
    let label = if label.is_empty() { String::new() } else { format!(" {label:?}") };
    eprintln!("{kind}{label}");
    Ok(())
}

/// A public key, as `keys show` prints it.
pub(crate) fn public_key(text: &str) -> Result<[u8; 32], Failure> {
    let bytes = unb64(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| {
        Failure::usage(format!("{text:?} is no public key: base64 of 32 bytes, as `keys show` prints it"))
    })
}
