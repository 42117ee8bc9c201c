//! `members`: who may do what.

use std::path::PathBuf;

use clap::Args;
use ledgerstone::{Grant, Member, MemberKey, Open};
use ledgerstone_verify::{Json, b64};

use crate::failure::Failure;
use crate::open::{Clock, Reading, writable};
use crate::output::Output;
use crate::passphrase::{LogKeyFile, Protection};
use crate::table::{Table, instant, json_line};
use crate::verbs::keys::public_key;

/// Show members, their keys that are not revoked, and roles; or admit one
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone members books.ledger
  ledgerstone members books.ledger --history
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
    key: Option<PathBuf>,
    #[command(flatten)]
    protection: Protection,
    #[command(flatten)]
    clock: Clock,
    #[command(flatten)]
    log_key: LogKeyFile,
    /// Every key, revoked ones too, and every grant, with the transactions that made and ended them
    #[arg(long)]
    history: bool,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        if let (Some(public), Some(key)) = (&self.admit, &self.key) {
            let public = public_key(public)?;
            let open = self.clock.accepting(Open::default().key(self.protection.load_key(key)?));
            let member = writable(open, &self.ledger.ledger, &self.log_key)?.admit_member(public)?;
            if out.is_json() {
                out.object([("member", Json::Text(member))])?;
            } else {
                out.line(member)?;
            }
            return Ok(0);
        }
        let members = self.ledger.open()?.members()?;
        if out.is_json() {
            for member in &members {
                out.line(json_line(&json(member)))?;
            }
            return Ok(0);
        }
        let table = if self.history { history(&members) } else { overview(&members) };
        out.text(&table.render())?;
        Ok(0)
    }
}

fn overview(members: &[Member]) -> Table {
    let mut table = Table::new(["member", "keys", "roles"]);
    for member in members {
        let active = member.keys.iter().filter(|key| key.revoked.is_none());
        let keys: Vec<String> = active.map(|key| b64(&key.public)).collect();
        // One line a key or role, whichever are more.
        for line in 0..keys.len().max(member.roles.len()).max(1) {
            let at = |words: &[String]| words.get(line).cloned().unwrap_or_default();
            let id = if line == 0 { member.id.clone() } else { String::new() };
            table.push(vec![id, at(&keys), at(&member.roles)]);
        }
    }
    table
}

fn history(members: &[Member]) -> Table {
    let mut table = Table::new(["member", "key or role", "since", "until", ""]).whole();
    for member in members {
        let keys = member.keys.iter().map(|key| {
            let until = key.revoked.as_ref().map_or_else(String::new, |end| format!("transaction {}", end.index));
            (b64(&key.public), format!("transaction {}", key.added), until, ending(key))
        });
        let grants = member.grants.iter().map(|grant| {
            let since = grant.from.map_or_else(|| format!("transaction {}", grant.index), instant);
            (grant.role.clone(), since, grant.until.map_or_else(String::new, instant), String::new())
        });
        for (place, (what, since, until, note)) in keys.chain(grants).enumerate() {
            let id = if place == 0 { member.id.clone() } else { String::new() };
            table.push(vec![id, what, since, until, note]);
        }
    }
    table
}

/// Why a key ended, and what is doubtful of what it signed.
fn ending(key: &MemberKey) -> String {
    let Some(end) = &key.revoked else { return String::new() };
    let mut words: Vec<String> = end.reason.iter().cloned().collect();
    words.extend(
        end.suspected_since
            .map(|since| format!("suspected since {}: {} transactions are doubtful", instant(since), end.doubtful)),
    );
    words.join("; ")
}

fn json(member: &Member) -> Json {
    let text = |text: &str| Json::Text(text.to_owned());
    let number = |number: u64| Json::Int(number as i64);
    let object = |members: Vec<(&str, Option<Json>)>| {
        let present = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Json::Object(present.collect())
    };
    let key = |key: &MemberKey| {
        let end = key.revoked.as_ref();
        object(vec![
            ("key", Some(text(&b64(&key.public)))),
            ("added", Some(number(key.added))),
            ("revoked", end.map(|end| number(end.index))),
            ("reason", end.and_then(|end| end.reason.as_deref()).map(text)),
            ("suspected_since", end.and_then(|end| end.suspected_since).map(|since| text(&instant(since)))),
            ("doubtful", end.filter(|end| end.suspected_since.is_some()).map(|end| number(end.doubtful))),
        ])
    };
    let grant = |grant: &Grant| {
        object(vec![
            ("role", Some(text(&grant.role))),
            ("granted", Some(number(grant.index))),
            ("from", grant.from.map(|from| text(&instant(from)))),
            ("until", grant.until.map(|until| text(&instant(until)))),
        ])
    };
    let active = member.keys.iter().filter(|key| key.revoked.is_none()).map(|key| text(&b64(&key.public)));
    object(vec![
        ("member", Some(text(&member.id))),
        ("keys", Some(Json::List(active.collect()))),
        ("roles", Some(Json::List(member.roles.iter().map(|role| text(role)).collect()))),
        ("history", Some(Json::List(member.keys.iter().map(key).collect()))),
        ("grants", Some(Json::List(member.grants.iter().map(grant).collect()))),
    ])
}
