//! Who signs a transaction: its author, and others who endorse it.

use ledgerstone_verify::Proposal;
use ledgerstone_verify::canon::b64;
use ledgerstone_verify::envelope::{Endorsement, Intent, Signature, endorsement_message};

use super::append::Draft;
use super::earlier::Earlier;
use super::load::Endorsed;
use super::{Ledger, Writer, clock};
use crate::codes;
use crate::error::{Error, Rejected, Result};
use crate::execute::authority::Authority;
use crate::keys::Key;
use crate::limits::{ENDORSERS, MEANING_BYTES};

/// How a draft comes by its signatures.
pub(crate) enum Signing<'a> {
    /// By keys at hand.
    Keys { author: &'a Key, endorsers: Vec<Endorser<'a>> },
    /// Elsewhere, before: what was signed is taken as it is.
    Done(&'a Proposal),
}

/// A member who endorses, and his key.
pub(crate) struct Endorser<'a> {
    pub(crate) member: String,
    pub(crate) key: &'a Key,
    pub(crate) endorsement: Endorsement,
}

impl Signing<'_> {
    /// The members who endorse, sorted.
    pub(super) fn endorsers(&self) -> Vec<String> {
        match self {
            Signing::Keys { endorsers, .. } => endorsers.iter().map(|endorser| endorser.member.clone()).collect(),
            Signing::Done(proposal) => proposal.endorsements().iter().map(|by| by.member.clone()).collect(),
        }
    }

    /// The author's signature of an intent, then the endorsers' by member.
    pub(super) fn signatures(&self, intent: &Intent) -> Vec<Signature> {
        let (author, endorsers) = match self {
            Signing::Done(proposal) => return proposal.signatures.clone(),
            Signing::Keys { author, endorsers } => (author, endorsers),
        };
        let mut signatures = vec![author_signature(author, intent)];
        if !endorsers.is_empty() {
            let digest = intent.digest();
            signatures.extend(endorsers.iter().map(|by| {
                let message = endorsement_message(&digest, &by.member, &by.key.public(), &by.endorsement);
                Signature {
                    member: by.member.clone(),
                    key: by.key.public(),
                    sig: by.key.sign(&message),
                    endorsement: Some(by.endorsement.clone()),
                }
            }));
        }
        signatures
    }

    /// Every member who signs, with the key and the words that errors show it by; the author first.
    fn signers<'s>(&'s self, author: &'s str) -> Vec<(&'s str, [u8; 32], String)> {
        match self {
            Signing::Keys { author: key, endorsers } => {
                let endorsers = endorsers.iter().map(|by| (by.member.as_str(), by.key));
                let all = std::iter::once((author, *key)).chain(endorsers);
                all.map(|(member, key)| (member, key.public(), format!("{key:?}"))).collect()
            }
            Signing::Done(proposal) => {
                let shown = |by: &Signature| format!("{} of member {}", b64(&by.key), by.member);
                proposal.signatures.iter().map(|by| (by.member.as_str(), by.key, shown(by))).collect()
            }
        }
    }
}

/// The author's signature of an intent.
pub(super) fn author_signature(key: &Key, intent: &Intent) -> Signature {
    Signature { member: intent.author.clone(), key: key.public(), sig: key.sign(&intent.message()), endorsement: None }
}

impl Ledger {
    /// Every key that signs is an active key of its member as the log stands.
    pub(super) fn check_signers(&self, writer: &Writer, draft: &Draft<'_>) -> Result<()> {
        if writer.trees.size() == 0 {
            return Ok(());
        }
        for (member, key, shown) in draft.signing.signers(&draft.author) {
            if writer.authority.member_of(&key) != Some(member) {
                return Err(self.unknown_key(&writer.authority, &key, &shown, draft.type_name()));
            }
        }
        Ok(())
    }

    /// The error where a key signs that is not an active key of the member who signs.
    pub(super) fn unknown_key(&self, authority: &Authority, key: &[u8; 32], shown: &str, record_type: &str) -> Error {
        let (code, message) = match authority.key(key).map(|state| state.revoked.as_ref()) {
            Some(Some(end)) => {
                let message = format!(
                    "the key {shown} was revoked by transaction {}: sign with another key of the member, which a holder of ledger.admin admits to {} with ledger.key",
                    end.index, self.origin
                );
                (codes::REVOKED_KEY, message)
            }
            Some(None) => (codes::NOT_ADMITTED, format!("the key {shown} is another member's")),
            None => {
                let message = format!(
                    "the key {shown} is not that of a member: a holder of ledger.admin admits it to {} with ledger.member or ledger.key",
                    self.origin
                );
                (codes::NOT_ADMITTED, message)
            }
        };
        forbidden(code, message, record_type)
    }

    /// The endorsers whose keys are at hand, sorted by member. None where the transaction is stored already: its signatures are in the log,
    /// and what has become of their keys since makes it no other.
    pub(super) fn endorsers<'a>(
        &self,
        authority: &Authority,
        author: &str,
        endorsed: Endorsed<'a>,
        earlier: Option<&Earlier>,
    ) -> Result<Vec<Endorser<'a>>> {
        let Endorsed { by: keys, meaning } = endorsed;
        if keys.is_empty() || earlier.is_some() {
            return Ok(Vec::new());
        }
        check_meaning(meaning)?;
        if keys.len() > ENDORSERS {
            return Err(Error::Limit {
                what: "the number of endorsers".to_owned(),
                value: keys.len() as u64,
                limit: "ENDORSERS",
                bound: ENDORSERS as u64,
            });
        }
        let endorsement = Endorsement { meaning: meaning.to_owned(), time: clock::text(self.sources.now())? };
        let mut endorsers = Vec::with_capacity(keys.len());
        for key in keys {
            let member = authority
                .member_of(&key.public())
                .ok_or_else(|| self.unknown_key(authority, &key.public(), &format!("{key:?}"), ""))?;
            endorsers.push(Endorser { member: member.to_owned(), key: key.as_ref(), endorsement: endorsement.clone() });
        }
        endorsers.sort_by(|a, b| a.member.cmp(&b.member));
        if let Some(own) = endorsers.iter().find(|by| by.member == author) {
            let message = format!("{:?} is a key of the author: nobody endorses what he signs himself", own.key);
            return Err(forbidden(codes::SELF_ENDORSEMENT, message, ""));
        }
        if let Some(pair) = endorsers.windows(2).find(|pair| pair[0].member == pair[1].member) {
            let message = format!("{:?} and {:?} are keys of one member, who endorses once", pair[0].key, pair[1].key);
            return Err(forbidden(codes::ENDORSED_TWICE, message, ""));
        }
        Ok(endorsers)
    }
}

/// What an endorser means is said, in few words.
pub(super) fn check_meaning(meaning: &str) -> Result<()> {
    if meaning.trim().is_empty() || meaning.contains('\0') {
        return Err(Error::schema(
            codes::BAD_MEANING,
            "an endorser says what he means by signing: meaning=\"approved\"",
        ));
    }
    if meaning.len() > MEANING_BYTES {
        return Err(Error::Limit {
            what: "the length of an endorsement's meaning in bytes".to_owned(),
            value: meaning.len() as u64,
            limit: "MEANING_BYTES",
            bound: MEANING_BYTES as u64,
        });
    }
    Ok(())
}

/// The error where somebody may not do this.
pub(super) fn forbidden(code: &str, message: String, record_type: &str) -> Error {
    Error::Forbidden(Box::new(Rejected {
        code: code.to_owned(),
        message,
        record_type: record_type.to_owned(),
        row: 0,
        field: None,
        cell: None,
    }))
}
