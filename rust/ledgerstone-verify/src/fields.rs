//! Reading typed members out of a JSON object that must hold exactly the members named.

use crate::canon::{Json, unb64_array};
use crate::error::VerifyError;

/// The members of one object that were not taken yet.
pub(crate) struct Fields {
    what: &'static str,
    members: Vec<(String, Json)>,
}

impl Fields {
    pub(crate) fn of(json: Json, what: &'static str) -> Result<Self, VerifyError> {
        match json {
            Json::Object(members) => Ok(Fields { what, members }),
            _ => Err(VerifyError::malformed(format!("the {what} is not an object"))),
        }
    }

    pub(crate) fn optional(&mut self, name: &'static str) -> Option<Json> {
        let place = self.members.iter().position(|(key, _)| key == name)?;
        Some(self.members.swap_remove(place).1)
    }

    pub(crate) fn take(&mut self, name: &'static str) -> Result<Json, VerifyError> {
        let what = self.what;
        self.optional(name).ok_or_else(|| VerifyError::malformed(format!("the {what} has no `{name}`")))
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<String, VerifyError> {
        match self.take(name)? {
            Json::Text(text) => Ok(text),
            _ => Err(self.wrong(name, "a string")),
        }
    }

    pub(crate) fn uint(&mut self, name: &'static str) -> Result<u64, VerifyError> {
        let value = self.take(name)?.as_int().and_then(|value| u64::try_from(value).ok());
        value.ok_or_else(|| self.wrong(name, "an integer from 0 to 2^53-1"))
    }

    pub(crate) fn list(&mut self, name: &'static str) -> Result<Vec<Json>, VerifyError> {
        match self.take(name)? {
            Json::List(items) => Ok(items),
            _ => Err(self.wrong(name, "an array")),
        }
    }

    pub(crate) fn bytes<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], VerifyError> {
        let text = self.text(name)?;
        unb64_array(&text).map_err(|_| self.wrong(name, &format!("base64 of {N} bytes")))
    }

    pub(crate) fn optional_bytes<const N: usize>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<[u8; N]>, VerifyError> {
        match self.members.iter().any(|(key, _)| key == name) {
            true => self.bytes(name).map(Some),
            false => Ok(None),
        }
    }

    /// Every member was taken, or the object is refused: what was not read is not vouched for.
    pub(crate) fn finish(self) -> Result<(), VerifyError> {
        match self.members.first() {
            None => Ok(()),
            Some((key, _)) => {
                let message = format!("the {} has an unknown member {key:?}", self.what);
                Err(VerifyError::malformed(message))
            }
        }
    }

    pub(crate) fn wrong(&self, name: &str, expected: &str) -> VerifyError {
        VerifyError::malformed(format!("`{name}` of the {} is not {expected}", self.what))
    }
}
