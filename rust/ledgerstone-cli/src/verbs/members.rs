//! `members`: who may do what.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use ledgerstone::{Ledger, QueryRequest};
use ledgerstone_verify::{Json, unb64};

use crate::failure::Failure;
use crate::open::{Reading, load_key};
use crate::output::Output;
use crate::table::{Table, json_line, objects};

/// Show members, their keys and roles; or admit one
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

/// A member, as the records say.
#[derive(Default)]
pub(crate) struct Member {
    /// Index of the admission.
    since: i64,
    /// Public keys that are not revoked.
    keys: Vec<String>,
    roles: Vec<String>,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        if let (Some(public), Some(key)) = (&self.admit, &self.key) {
            let bytes: [u8; 32] = unb64(public)
                .ok()
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| Failure::usage(format!("{public:?} is no public key: base64 of 32 bytes, as `keys show` prints it")))?;
            let ledger = ledgerstone::Open::default().key(load_key(key)?).at(&self.ledger.ledger)?;
            out.line(ledger.admit_member(bytes)?)?;
            return Ok(0);
        }
        let members = members(&self.ledger.open()?)?;
        let mut table = Table::new(["member", "since", "keys", "roles"]);
        for (id, member) in &members {
            let list = |words: &[String]| Json::List(words.iter().cloned().map(Json::Text).collect());
            if self.json {
                out.line(json_line(&Json::Object(vec![
                    ("member".to_owned(), Json::Text(id.clone())),
                    ("since".to_owned(), Json::Int(member.since)),
                    ("keys".to_owned(), list(&member.keys)),
                    ("roles".to_owned(), list(&member.roles)),
                ])))?;
                continue;
            }
            // One line a key or role, whichever are more.
            for line in 0..member.keys.len().max(member.roles.len()).max(1) {
                let at = |words: &[String]| words.get(line).cloned().unwrap_or_default();
                let (id, since) = if line == 0 { (id.clone(), member.since.to_string()) } else { Default::default() };
                table.push(vec![id, since, at(&member.keys), at(&member.roles)]);
            }
        }
        if !self.json {
            out.text(&table.render())?;
        }
        Ok(0)
    }
}

/// Members by id, from the records that admit, grant and revoke.
pub(crate) fn members(ledger: &Arc<Ledger>) -> Result<BTreeMap<String, Member>, Failure> {
    let mut events = Vec::new();
    for (kind, columns) in [
        ("genesis", &["member", "key"][..]),
        ("member", &["member", "key"]),
        ("key", &["member", "key"]),
        ("revoke", &["key"]),
        ("grant", &["member", "role", "granted"]),
    ] {
        let columns = columns.iter().chain(&["_index", "_position"]).map(|name| (*name).to_owned()).collect();
        let request =
            QueryRequest { record_type: format!("ledger.{kind}"), columns: Some(columns), ..QueryRequest::default() };
        for batch in ledger.query(&request)? {
            for record in objects(&batch?) {
                let number = |name| record.get(name).and_then(Json::as_int).unwrap_or(0);
                events.push((number("_index"), number("_position"), kind, record));
            }
        }
    }
    events.sort_by_key(|(index, position, ..)| (*index, *position));
    let mut members: BTreeMap<String, Member> = BTreeMap::new();
    for (index, _, kind, record) in events {
        let text = |name| record.get(name).and_then(Json::as_text).unwrap_or("").to_owned();
        if kind == "revoke" {
            members.values_mut().for_each(|member| member.keys.retain(|key| *key != text("key")));
            continue;
        }
        let member = members.entry(text("member")).or_insert_with(|| Member { since: index, ..Member::default() });
        match kind {
            "grant" => {
                member.roles.retain(|role| *role != text("role"));
                if record.get("granted") == Some(&Json::Bool(true)) {
                    member.roles.push(text("role"));
                }
            }
            _ => member.keys.push(text("key")),
        }
        if kind == "genesis" {
            member.roles.push("ledger.admin".to_owned());
        }
    }
    Ok(members)
}
