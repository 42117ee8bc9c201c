//! `members`: who may do what.

use clap::Args;
use ledgerstone_verify::{Json, b64, unb64};

use crate::failure::Failure;
use crate::open::{Reading, load_key};
use crate::output::Output;
use crate::table::{Table, json_line};

/// Show members, their keys that are not revoked, and roles; or admit one
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone members books.ledger
  ledgerstone members books.ledger --admit qf3…= --key me.pem

Admission gives no role: `grant` does.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    /// Admit a member with this public key, as `keys show` prints it
    #[arg(long, value_name = "PUBLIC KEY", requires = "key")]
    admit: Option<String>,
    /// The key file of the member who signs an admission
    #[arg(long, value_name = "FILE", env = "LEDGERSTONE_KEY", hide_env_values = true)]
    key: Option<std::path::PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        if let (Some(public), Some(key)) = (&self.admit, &self.key) {
            let bytes: [u8; 32] = unb64(public).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
                Failure::usage(format!("{public:?} is no public key: base64 of 32 bytes, as `keys show` prints it"))
            })?;
            let ledger = ledgerstone::Open::default().key(load_key(key)?).at(&self.ledger.ledger)?;
            out.line(ledger.admit_member(bytes)?)?;
            return Ok(0);
        }
        let mut table = Table::new(["member", "keys", "roles"]);
        for member in self.ledger.open()?.members()? {
            let keys: Vec<String> = member.keys.iter().filter(|(_, active)| *active).map(|(key, _)| b64(key)).collect();
            if self.json {
                let list = |words: &[String]| Json::List(words.iter().cloned().map(Json::Text).collect());
                out.line(json_line(&Json::Object(vec![
                    ("member".to_owned(), Json::Text(member.id)),
                    ("keys".to_owned(), list(&keys)),
                    ("roles".to_owned(), list(&member.roles)),
                ])))?;
                continue;
            }
            // One line a key or role, whichever are more.
            for line in 0..keys.len().max(member.roles.len()).max(1) {
                let at = |words: &[String]| words.get(line).cloned().unwrap_or_default();
                let id = if line == 0 { member.id.clone() } else { String::new() };
                table.push(vec![id, at(&keys), at(&member.roles)]);
            }
        }
        if !self.json {
            out.text(&table.render())?;
        }
        Ok(0)
    }
}
