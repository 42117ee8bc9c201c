//! The catalogue: every error code of the engine, in one table, with what it means and what to do.
//!
//! A code is stable, the words of a message are not. Codes of modules (`finance.insufficient_funds`) are declared in their schema files;
//! those of the built-in module `ledger` stand here too, because its records are part of the engine. A new code is one line below, and a
//! provocation in `tests/catalogue` beside it.

/// The classes that a caller tells apart: in Python one exception each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// A record or transaction was refused by a rule: an expected outcome.
    Rejected,
    /// Its author may not do this.
    Forbidden,
    /// A schema file, or data or a request that does not have the shape that is asked for.
    Schema,
    /// Evidence or stored bytes do not verify.
    Verification,
    /// A file or the storage failed, or is not what the call needs.
    Store,
    /// A value over a bound.
    Limit,
    /// Something that must not happen, or the caller stopped the work.
    Fault,
}

impl ErrorClass {
    /// The name of the Python exception.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorClass::Rejected => "RejectedError",
            ErrorClass::Forbidden => "ForbiddenError",
            ErrorClass::Schema => "SchemaError",
            ErrorClass::Verification => "VerificationError",
            ErrorClass::Store => "StoreError",
            ErrorClass::Limit => "LimitError",
            ErrorClass::Fault => "FaultError",
        }
    }
}

/// One entry of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// Its stable name.
    pub code: &'static str,
    /// The class of the errors that carry it.
    pub class: ErrorClass,
    /// What it means.
    pub summary: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// The entry of a code; `None` where it is a module's.
pub fn entry(code: &str) -> Option<&'static ErrorCode> {
    CATALOGUE.iter().find(|entry| entry.code == code)
}

/// The code of a bound: its name in lower case behind `ledger.`. A bound that is not in the table has the code of a fault.
pub(crate) fn of_limit(limit: &str) -> &'static str {
    let named = |entry: &&ErrorCode| {
        entry.class == ErrorClass::Limit
            && entry.code.strip_prefix("ledger.").is_some_and(|name| name.eq_ignore_ascii_case(limit))
    };
    CATALOGUE.iter().find(named).map_or(FAULT, |entry| entry.code)
}

macro_rules! catalogue {
    ($($name:ident = $code:literal, $class:ident: $summary:literal, $remedy:literal;)*) => {
        $(#[doc = concat!("`", $code, "`: ", $summary, ".")] pub const $name: &str = $code;)*

        /// Every code, by class and then in the order in which they are best read.
        pub const CATALOGUE: &[ErrorCode] = &[
            $(ErrorCode { code: $name, class: ErrorClass::$class, summary: $summary, remedy: $remedy },)*
        ];
    };
}

catalogue! {
    // Single records, before anything is signed.
    MISSING_FIELD = "ledger.missing_field", Rejected: "a required field is absent", "give the field a value";
    UNKNOWN_FIELD = "ledger.unknown_field", Rejected: "the type has no field of this name", "correct the name; `schema show` lists the fields";
    WRONG_TYPE = "ledger.wrong_type", Rejected: "the value is of another type than the field", "send the type that the message names; money is a decimal or a string, never a float";
    OUT_OF_RANGE = "ledger.out_of_range", Rejected: "a number, date or length is outside its bounds", "send a value within the bounds that the message names";
    TOO_LONG = "ledger.too_long", Rejected: "a text, bytes or a list is longer than its field allows", "shorten it, or keep it elsewhere and store its hash";
    BAD_FORMAT = "ledger.bad_format", Rejected: "a text is not of the declared format", "write it as the message says";
    TOO_MANY_DIGITS = "ledger.too_many_digits", Rejected: "a decimal has more digits behind the point than the field", "round it where it is computed; the ledger never rounds";
    BAD_TEXT = "ledger.bad_text", Rejected: "a text holds U+0000 or a lone surrogate, which no field takes", "take the character out";
    NOT_EXACT = "ledger.not_exact", Rejected: "a time is finer than a microsecond, or a date has a time of day", "round it where it is computed";
    BAD_VALUE = "ledger.bad_value", Rejected: "a value that no field takes", "send text, whole numbers, finite decimals, booleans, bytes, dates, times with a zone, lists or objects; null is an absent value";
    RECORD_TOO_LARGE = "ledger.record_too_large", Rejected: "the record's canonical text is over the bound", "split it, or keep the large part elsewhere and store its hash";
    PRIVATE_FIELD = "ledger.private_field", Rejected: "a private field holds a value, and nothing encrypts it yet", "leave it out, or say that it may stand in the clear: plain=True, on the command line --plain";
    PLAIN_PRIVATE = "ledger.plain_private", Rejected: "the record is flagged: a private field holds a value in the clear", "nothing: it was asked for, and is on record";
    EMIT_BOUNDS = "ledger.emit_bounds", Rejected: "a record is followed by too many others, or too many levels of them", "split it, or the transaction";
    OVERFLOW = "ledger.overflow", Rejected: "a number would have more digits than a decimal holds, or a rule divides by zero", "use smaller amounts, or several cells; guard a division with `when`";
    TOO_MANY_VOTES = "ledger.too_many_votes", Rejected: "a tally would count more records than one may", "count them outside, and record the result with an endorsement";
    ID_REUSED = "ledger.id_reused", Rejected: "a transaction has this id and other records", "repeat the same records, or choose another id";

    // Members, keys, roles and modules.
    MEMBER_EXISTS = "ledger.member_exists", Rejected: "a member with this id was admitted before", "draw another id";
    UNKNOWN_MEMBER = "ledger.unknown_member", Rejected: "the id is not a member's", "`members` lists them";
    KEY_USED = "ledger.key_used", Rejected: "this public key was admitted before", "make a new key: one key belongs to one member, for ever";
    UNKNOWN_KEY = "ledger.unknown_key", Rejected: "no member has this key", "a holder of ledger.admin admits it with ledger.member or ledger.key";
    KEY_REVOKED = "ledger.key_revoked", Rejected: "the key is revoked already", "nothing is left to do";
    FOREIGN_KEY = "ledger.foreign_key", Rejected: "a key would take the place of another member's", "name a key of the same member";
    LAST_ADMIN = "ledger.last_admin", Rejected: "nobody would be left who can administer the ledger", "add a key, or grant ledger.admin to another member, first";
    WEAK_KEY = "ledger.weak_key", Rejected: "the bytes are no public key of prime order", "send the 32 bytes that `keys show` prints";
    ALREADY_GRANTED = "ledger.already_granted", Rejected: "the member holds this role", "nothing is left to do";
    NOT_GRANTED = "ledger.not_granted", Rejected: "the member does not hold this role", "`members` lists the roles held";
    EMPTY_GRANT = "ledger.empty_grant", Rejected: "the grant would end before it begins", "give a later end";
    LIMITED_WITHDRAWAL = "ledger.limited_withdrawal", Rejected: "a withdrawal has limits in time", "leave them out: a withdrawal acts at once";
    UNKNOWN_ROLE = "ledger.unknown_role", Rejected: "no module in force declares this role", "load the module first, or correct the name";
    LOG_KEY_USED = "ledger.log_key_used", Rejected: "this key was the log key before", "let rotate_log_key make a new one";
    LOG_KEY_MISMATCH = "ledger.log_key_mismatch", Rejected: "the record does not replace the log key in force", "let rotate_log_key write the record";
    LOG_KEY_SIGNATURE = "ledger.log_key_signature", Rejected: "one of the two log keys has not signed for the rotation", "let rotate_log_key write the record";
    MODULE_EXISTS = "ledger.module_exists", Rejected: "this version of the module was loaded before", "raise the version in the file";
    MODULE_HASH = "ledger.module_hash", Rejected: "the hash in the record is not that of the source", "let load_module write the record";
    MODULE_INVALID = "ledger.module_invalid", Rejected: "the source in the record is no valid module", "`schema check` shows every fault";
    MODULE_MISMATCH = "ledger.module_mismatch", Rejected: "the record names another module or version than its source", "let load_module write the record";
    MODULE_NOT_LOADED = "ledger.module_not_loaded", Rejected: "no module of this name is in force", "`schema show --ledger` lists them; the module `ledger` itself cannot be suspended";
    MODULE_SUSPENDED = "ledger.module_suspended", Rejected: "the module is suspended, and takes no records", "a holder of ledger.admin resumes it: `resume`";
    ALREADY_SUSPENDED = "ledger.already_suspended", Rejected: "the module is suspended already", "nothing is left to do";
    NOT_SUSPENDED = "ledger.not_suspended", Rejected: "the module is not suspended", "nothing is left to do";
    NOT_HELD = "ledger.not_held", Rejected: "there is no held record at this place", "`held` lists those that wait";
    ALREADY_RELEASED = "ledger.already_released", Rejected: "the record is released already", "nothing is left to do";
    SEMANTICS_NOT_RAISED = "ledger.semantics_not_raised", Rejected: "the semantics of a ledger only rises", "`stats` shows the one in force; nothing is to be done where it is that already";
    SEMANTICS_UNKNOWN = "ledger.semantics_unknown", Rejected: "this build does not execute the semantics", "install a newer ledgerstone wherever the ledger is opened, and raise the semantics then";
    SEMANTICS_ALONE = "ledger.semantics_alone", Rejected: "the record that raises the semantics is not alone in its transaction", "append it by itself";
    MODULE_UPGRADE = "ledger.module_upgrade", Rejected: "the module cannot follow the version in force", "the message says what stands against it";

    // Proposals.
    OTHER_LEDGER = "ledger.other_ledger", Rejected: "the proposal is for another ledger", "append it to the ledger that it names";
    INTENT_EXPIRED = "ledger.intent_expired", Rejected: "the proposal is too old", "propose it again, for longer";
    UNKNOWN_PAST = "ledger.unknown_past", Rejected: "the proposal's author has seen a state that this ledger never had", "find out which copy is the ledger; audit it against a checkpoint";
    MODULE_VERSION = "ledger.module_version", Rejected: "the record is of another version of its module than the one in force", "propose it again";
    NOT_CANONICAL = "ledger.not_canonical", Rejected: "a record that was signed elsewhere is not what its type writes", "let propose write it";

    // Permission.
    FORBIDDEN = "ledger.forbidden", Forbidden: "the author does not hold the role that this takes", "a holder of ledger.admin grants the role that the message names";
    REVOKED_KEY = "ledger.revoked_key", Forbidden: "the author's key was revoked", "sign with another key of the member";
    NOT_ADMITTED = "ledger.not_admitted", Forbidden: "the author's key is no member's", "a holder of ledger.admin admits it with ledger.member or ledger.key";
    SELF_ENDORSEMENT = "ledger.self_endorsement", Forbidden: "the author endorses what he signs himself", "ask another member";
    ENDORSED_TWICE = "ledger.endorsed_twice", Forbidden: "one member endorses twice", "ask another member";
    NO_KEY = "ledger.no_key", Forbidden: "nothing can be appended without the author's key", "open the ledger with key=, on the command line --key";
    READ_ONLY = "ledger.read_only", Forbidden: "the ledger is open for reading only", "open it for writing, with its log key";

    // Files and data that do not have the shape that is asked for.
    SCHEMA_FILE = "ledger.schema_file", Schema: "a schema file has faults", "mend them where the message points; `schema check` lists them all";
    UNKNOWN_TYPE = "ledger.unknown_type", Schema: "no module in force declares this record type", "load its module, or correct the name";
    UNKNOWN_COLUMN = "ledger.unknown_column", Schema: "the record type has no field for this column", "rename or drop the column";
    MISSING_COLUMN = "ledger.missing_column", Schema: "a required field has no column", "add the column";
    DUPLICATE_COLUMN = "ledger.duplicate_column", Schema: "two columns have one name", "drop one of them";
    WRONG_COLUMN_TYPE = "ledger.wrong_column_type", Schema: "the column's type cannot be the field's", "cast the column as the message says";
    UNEVEN_TABLES = "ledger.uneven_tables", Schema: "the tables of one load have different schemas", "cast them to one schema, or load them apart";
    INPUT_MALFORMED = "ledger.input_malformed", Schema: "a file or stream is not in the form it should have", "mend the line that the message names";
    UNKNOWN_FILE_FORMAT = "ledger.unknown_file_format", Schema: "the file's ending names no format", "use another ending, or name the format";
    OWN_FILE = "ledger.own_file", Schema: "the file to be written is the ledger itself", "write to another file";
    BAD_CONDITION = "ledger.bad_condition", Schema: "a condition does not fit its field", "write it as the message says";
    WRONG_KEY_VALUES = "ledger.wrong_key_values", Schema: "the values are not those of the type's key", "give the key fields that the message names";
    NO_RECORD = "ledger.no_record", Schema: "there is no record or transaction at this place, or with this key", "the message says what there is";
    NO_BALANCE = "ledger.no_balance", Schema: "the record type has no balance", "ask for a type that declares a balance cell";
    BAD_MOMENT = "ledger.bad_moment", Schema: "a moment is no index, day or time", "write 17, 2026-06-30 or 2026-06-30T18:00:00Z";
    NO_EFFECTIVE_DATE = "ledger.no_effective_date", Schema: "no part of the balance can be summed by effective date", "ask as of a moment, or for its statement; or declare `effective` in the types that move it";
    NO_RECEIPT = "ledger.no_receipt", Schema: "the record was refused, and its bytes were not kept", "nothing: the log proves its hash and its outcome";
    EMPTY_TRANSACTION = "ledger.empty_transaction", Schema: "a transaction holds at least one record", "append a record";
    NOT_A_TABLE = "ledger.not_a_table", Schema: "the Arrow data handed over is no table of records", "hand over a table, a record batch or a stream of them";
    INPUT_FAILED = "ledger.input_failed", Schema: "the reader that was handed over failed", "mend it; with an id the same call goes on where it was";
    UNKNOWN_MODULE = "ledger.unknown_module", Schema: "no module of this name is shipped", "name a schema file by its path";
    BAD_ID = "ledger.bad_id", Schema: "a caller's id is empty, or holds a slash", "choose another id";
    BAD_MEANING = "ledger.bad_meaning", Schema: "an endorser does not say what he means", "give a meaning, like approved";
    BAD_MEMBER = "ledger.bad_member", Schema: "the text is no member's id", "`members` lists them: 32 hexadecimal digits";
    LOG_KEY_ABSENT = "ledger.log_key_absent", Schema: "the new log key is not at hand to sign with", "rotate it with rotate_log_key";
    BAD_ARGUMENT = "ledger.bad_argument", Schema: "a word of the command line is not in the form that its argument has", "write it as the message says; --help shows an example";
    BAD_ORIGIN = "ledger.bad_origin", Schema: "the origin is no name that a log can have", "choose a name like acme.example/books";
    TYPE_CHANGED = "ledger.type_changed", Schema: "another version of the type was loaded during the call", "repeat the call; with an id it goes on where it was";

    // Evidence.
    CONTENT_CHANGED = "content_changed", Verification: "stored or shown bytes are not those that were hashed", "go on with a copy that verifies; an audit says what else is changed";
    LINK_BROKEN = "link_broken", Verification: "a root or a signature does not follow", "audit the ledger; ask the sender for the evidence again";
    NOT_TRUSTED = "not_trusted", Verification: "no key that was given as trusted stands behind the evidence", "get the log's verifier keys by a way that you trust";
    UNVERIFIABLE_VERSION = "unverifiable_version", Verification: "written under a version that this build does not know: no alarm", "install a newer ledgerstone";
    EVIDENCE_INCOMPLETE = "incomplete", Verification: "the evidence is sound as far as it goes, and does not decide the question", "ask for a complete receipt";
    EVIDENCE_MALFORMED = "malformed", Verification: "the evidence is not in the form that the format asks for", "ask for the file again";
    STORAGE_CORRUPT = "storage_corrupt", Verification: "an audit found SQLite's own structures damaged", "go on with a backup that verifies";
    TRUNCATED = "truncated_or_rolled_back", Verification: "an audit found the ledger shorter than, or other than, a checkpoint that left it", "look for the newer file; the checkpoint proves that it was";
    STATE_DIFFERS = "state_differs_from_replay", Verification: "an audit found derived state that the replay does not give", "go on with a backup that verifies; the records themselves are sound";
    OTHER_PROPOSAL = "ledger.other_proposal", Verification: "these are proposals of two transactions", "merge copies of one proposal";
    WRONG_LOG_KEY = "ledger.wrong_log_key", Verification: "the log key is another ledger's", "name the log key that was made with the ledger";

    // Files and storage.
    NO_LEDGER = "ledger.no_ledger", Store: "there is no such file", "correct the path; `create` makes a new ledger";
    FILE_EXISTS = "ledger.file_exists", Store: "the file exists, and nothing is overwritten", "choose another path; `open` opens a ledger, and an export takes overwrite=True, on the command line --overwrite";
    NOT_A_LEDGER = "ledger.not_a_ledger", Store: "the file is something else", "correct the path";
    NEWER_FORMAT = "ledger.newer_format", Store: "the file was written by a newer build", "install a newer ledgerstone";
    LOCKED = "ledger.locked", Store: "another process has the ledger open for writing", "open it read-only, or close it there";
    STALE_HEAD = "ledger.stale_head", Store: "somebody appended in between", "open the ledger again and repeat the call";
    ROW_EXISTS = "ledger.row_exists", Store: "a stored row that should be new exists", "audit the ledger";
    DISK_FULL = "ledger.disk_full", Store: "the disk or a quota is full; nothing of the call's last step was kept", "make space and repeat the call";
    STORAGE_DAMAGED = "ledger.storage_damaged", Store: "SQLite finds its own structures damaged", "go on with a backup that verifies; an audit says how much is damaged";
    STORAGE_FAILED = "ledger.storage_failed", Store: "the storage engine failed", "the message says how; open the ledger again";
    FILE_FAILED = "ledger.file_failed", Store: "the operating system failed at a file", "the message names the file and says how";
    RESTORE_REFUSED = "ledger.restore_refused", Store: "a ledger that goes on from a backup would sign a second history under one name", "open the copy where it is and read it; a restart as an epoch of its own does not exist yet";
    CLOSED = "ledger.closed", Store: "the ledger was closed", "open it again";
    BUSY = "ledger.busy", Store: "the ledger is being loaded by this very call", "do not append from the data that is handed over";
    KEY_MISSING = "ledger.key_missing", Store: "there is no such key file", "correct the path; `keys generate` makes a key";
    NOT_A_KEY = "ledger.not_a_key", Store: "the file holds no key of the kind that is needed", "name the right file: member keys sign records, log keys checkpoints";
    NEEDS_PASSPHRASE = "ledger.needs_passphrase", Store: "the key file is protected by a passphrase", "give it, by the argument that the error names";
    WRONG_PASSPHRASE = "ledger.wrong_passphrase", Store: "the passphrase does not open the key file", "look for the right one, there is no other way in; where it was changed while the ledger was open, open the ledger again";
    BAD_PASSPHRASE = "ledger.bad_passphrase", Store: "the passphrase is empty, too long, or more than one line", "choose one line of 1 to 1,024 bytes";
    NO_RANDOMNESS = "ledger.no_randomness", Store: "the operating system gave no random bytes", "try again; without them no key or secret can be made";

    // Bounds, each under the name that `limits` gives it.
    ATOMIC_RECORDS_LIMIT = "ledger.atomic_records", Limit: "one atomic transaction has too many records", "split it, or load in mode each";
    ATOMIC_BYTES_LIMIT = "ledger.atomic_bytes", Limit: "the records of one atomic transaction have too many bytes", "split it, or load in mode each";
    ENVELOPE_BYTES_LIMIT = "ledger.envelope_bytes", Limit: "the envelope would not fit a leaf of the log", "split the transaction";
    ID_BYTES_LIMIT = "ledger.id_bytes", Limit: "a caller's id is too long", "use a shorter id, or its hash";
    ENDORSERS_LIMIT = "ledger.endorsers", Limit: "a transaction has too many endorsers", "sixteen are enough for any policy";
    MEANING_BYTES_LIMIT = "ledger.meaning_bytes", Limit: "what an endorser says he means is too long", "say it shorter";
    ORIGIN_CHARS_LIMIT = "ledger.origin_chars", Limit: "the origin is too long", "choose a shorter name";
    LINE_BYTES_LIMIT = "ledger.line_bytes", Limit: "a line or row of an input file is longer than any record", "mend the file; is it what its ending says?";
    INPUT_HEAD_BYTES_LIMIT = "ledger.input_head_bytes", Limit: "a Parquet footer, or the head of an Arrow message, is too long", "write the file with fewer row groups or columns; is it what its ending says?";
    INPUT_COLUMNS_LIMIT = "ledger.input_columns", Limit: "a Parquet file has more columns than any record type has fields", "write only the columns that are fields of the type";
    INPUT_DEPTH_LIMIT = "ledger.input_depth", Limit: "the columns of a Parquet file are nested deeper than the fields of any record type", "write only the columns that are fields of the type";
    INPUT_BATCH_BYTES_LIMIT = "ledger.input_batch_bytes", Limit: "what has to be read together of a Parquet or Arrow file takes too much memory", "write the file in smaller batches, pages or row groups; is it what its ending says?";
    ORDERED_BYTES_LIMIT = "ledger.ordered_bytes", Limit: "the rows to be put in order do not fit in memory", "ask for fewer columns, or with a limit";
    MAX_CLOCK_STEP_LIMIT = "ledger.max_clock_step", Limit: "the clock is far beyond the last transaction", "set the clock right: one wrong clock would bind every later transaction; where it is right, and the ledger rested, open it with accept_clock_step";

    // What must not happen.
    FAULT = "ledger.fault", Fault: "something that must not happen; nothing was logged", "open the ledger again, and report it";
    MODULE_FAULT = "ledger.module_fault", Fault: "evaluating the rules of a module panicked; nothing was logged, and the module takes no records here until the ledger is opened again", "open it again, and report the fault; where it lasts, suspend the module";
    FORKED = "ledger.forked", Fault: "the ledger was opened in another process", "open it again in this one";
    INTERRUPTED = "ledger.interrupted", Fault: "the caller stopped the work", "repeat the call; with an id a load goes on where it was";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_their_words_end_without_a_full_stop() {
        for (place, entry) in CATALOGUE.iter().enumerate() {
            assert!(CATALOGUE[..place].iter().all(|other| other.code != entry.code), "{} stands twice", entry.code);
            for words in [entry.summary, entry.remedy] {
                assert!(!words.is_empty() && !words.ends_with('.'), "{}: {words:?}", entry.code);
            }
            assert_eq!(super::entry(entry.code), Some(entry));
        }
    }

    #[test]
    fn bounds_have_the_code_of_their_name() {
        assert_eq!((of_limit("ID_BYTES"), of_limit("max_clock_step")), (ID_BYTES_LIMIT, MAX_CLOCK_STEP_LIMIT));
        assert_eq!(of_limit("unheard_of"), FAULT);
    }
}
