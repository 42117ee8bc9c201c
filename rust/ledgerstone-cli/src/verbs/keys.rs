//! `keys`: key files.

use std::path::PathBuf;

use clap::Subcommand;
use ledgerstone::{Error, Key, LogKey};
use ledgerstone_verify::b64;

use crate::failure::Failure;
use crate::output::Output;

/// Make and show key files
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a member's key: an Ed25519 key in a PKCS#8 PEM file, mode 0600
    #[command(after_help = "Example:\n  ledgerstone keys generate me.pem --label controller")]
    Generate {
        /// The file to make, which must not exist
        file: PathBuf,
        /// A name for people; it stays in the file
        #[arg(long, default_value = "")]
        label: String,
    },
    /// Show the public key of a key file
    #[command(after_help = "Example:\n  ledgerstone keys show me.pem")]
    Show {
        /// The key file
        file: PathBuf,
    },
}

impl Verb {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        match self {
            Verb::Generate { file, label } => {
                let key = Key::generate(label).map_err(Error::from)?;
                key.save(file).map_err(Error::from)?;
                out.line(b64(&key.public()))?;
            }
            Verb::Show { file } => match Key::load(file) {
                Ok(key) => {
                    out.line(b64(&key.public()))?;
                    eprintln!("member key {:?}", key.label());
                }
                Err(error) => {
                    let log_key = LogKey::load(file).map_err(|_| Error::from(error))?;
                    out.line(b64(log_key.public().as_bytes()))?;
                    eprintln!("log key");
                }
            },
        }
        Ok(0)
    }
}
