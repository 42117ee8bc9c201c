//! Every bound of the engine, with its reason. A value over one is an [`Error::Limit`](crate::Error::Limit) that names both.

/// Records of one `each` transaction: `append_many` cuts its input every so many rows. Large enough that one signature
/// and one commit cost nothing per row, small enough that a cut in flight fits in memory.
pub const CUT_ROWS: usize = 262_144;
/// Bytes of input of one `each` transaction, after which it is cut too: half a kilobyte a row, so that everyday rows are cut by number.
/// What is made of them on the way is some times as much, and has to fit in memory.
pub const CUT_BYTES: usize = 128 << 20;
/// Bytes of input of one atomic transaction, which cannot be cut.
pub const ATOMIC_BYTES: usize = 512 << 20;
/// Rows that were not plainly accepted and that the report of a load keeps, some hundred bytes each; all are told as they happen.
pub const EXCEPTIONS_KEPT: usize = 100_000;
/// Bytes of a line or row of an input file: a record has at most [`RECORD_BYTES`], and JSON may write a character as six.
pub const LINE_BYTES: u64 = 8 << 20;
/// Bytes of the footer of a Parquet file, or of the head of an Arrow message: thousands of row groups, or of columns. A few of them can
/// become some hundred in memory.
pub const INPUT_HEAD_BYTES: u64 = 8 << 20;
/// Columns of a Parquet file, those in structs counted: no record type has more fields.
pub const INPUT_COLUMNS: u64 = FIELDS as u64;
/// Nesting of the columns of a Parquet file: [`FIELD_DEPTH`] lists of structs have 13 levels, and reading them recurses.
pub const INPUT_DEPTH: u64 = 32;
/// Bytes of the header of a Parquet page: its statistics hold two values.
pub const PAGE_HEADER_BYTES: u64 = 1 << 20;
/// Bytes that the rows of a table file that are read together take, packed and unpacked: a packed page, or a dictionary whose values are
/// named over and over, can stand for gigabytes. Of a Parquet file fewer rows are read together where they are large; an Arrow batch is
/// read whole, with the dictionaries it names.
pub const INPUT_BATCH_BYTES: u64 = 512 << 20;
/// Records of one atomic transaction (design of positions: 24 bits).
pub const ATOMIC_RECORDS: usize = 1 << 20;
/// Most rows of a chunk, and rows that are prepared or read together: large enough that what is done once for all of them costs
/// nothing per row, small enough that a core holds them in its cache.
pub const CHUNK_ROWS: usize = 8_192;
/// Most rows of a chunk as this build writes them, and the bytes that it aims at: a record alone is read with its chunk, and an account
/// statement is a thousand such reads, so a chunk is to lie in one page of the store. With fewer rows, heads of chunks would be a tenth of
/// the file.
pub const WRITTEN_CHUNK_ROWS: usize = 128;
/// See [`WRITTEN_CHUNK_ROWS`]; a page of 4,096 bytes holds a value of 4,050 beside its own head.
pub const WRITTEN_CHUNK_BYTES: usize = 3_900;
/// Postings of one bucket, about: what one lookup reads, some hundred bytes. SQLite keeps a value of up to about 900 beside its key; a
/// longer one it fetches from further pages each time that it compares its key with another.
pub const BUCKET_POSTINGS: usize = 128;
/// Keys of stored records that are put in order at a time where a new version of a module adds a unique rule, 24 bytes each: 48 MiB,
/// however many records have one key. More of them are read again for each further part.
pub const ADDED_KEYS: usize = 1 << 21;
/// Rows that are handed to the store at a time where one commit has any number of them.
pub const PUTS_AT_A_TIME: usize = 1 << 16;
/// Bytes of rows in memory that a query puts in order: with a limit only the first rows are kept, without one all of them have to fit.
pub const ORDERED_BYTES: usize = 512 << 20;
/// Entries of one row of `cell_runs`: one cell as it was is read with its neighbours, some pages.
pub const CELL_RUN_ENTRIES: usize = 64;
/// Chunks with fewer rows are stored plain, and fewer postings of a transaction by single hash: columns and buckets have heads.
pub const SMALL_CHUNK_ROWS: usize = 64;
/// Leaf data of the log, tag included: a tlog-tiles entry has a 16-bit length.
pub const ENVELOPE_BYTES: usize = 65_535;
/// Canonical bytes of one record: also bounds what one row costs in memory.
pub const RECORD_BYTES: usize = 1 << 20;
/// A text or bytes field without `max`.
pub const FIELD_BYTES: usize = 65_536;
/// Elements of a list field without `max`.
pub const LIST_ITEMS: usize = 1_024;
/// Largest `max` of a list: 8,192 rows of it are at most the 2^24 items that one chunk holds, so decoding takes bounded memory.
pub const LIST_ITEMS_MAX: usize = 2_048;
/// Fields of a record type, nested ones counted.
pub const FIELDS: usize = 256;
/// Depth of lists and structs in a record type.
pub const FIELD_DEPTH: usize = 4;
/// Fields that the error of one rule names: more of them would say less.
pub const FIELDS_NAMED: usize = 4;
/// Rules of a record type.
pub const RULES: usize = 64;
/// Endorsement policies of a record type: one bit each of what a row needs.
pub const ENDORSE_POLICIES: usize = 16;
/// Endorsers of one transaction (FORMAT.md section 5): their signatures fit in an envelope.
pub const ENDORSERS: usize = 16;
/// Bytes of what an endorser says he means: 16 of them fit in an envelope.
pub const MEANING_BYTES: usize = 1_024;
/// Bytes of a key file: a protected key has some five hundred.
pub const KEY_FILE_BYTES: usize = 65_536;
/// Bytes of a passphrase: what other tools take as well.
pub const PASSPHRASE_BYTES: usize = 1_024;
/// Iterations of PBKDF2-HMAC-SHA-256 for a key file (OWASP's figure of 2023): a fraction of a second.
pub const PBKDF2_ITERATIONS: u32 = 600_000;
/// Iterations that reading a key file spends at most: some seconds.
pub const PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;
/// Bytes that scrypt may work through for reading a key file: 1 GiB.
pub const SCRYPT_BYTES_MAX: u64 = 1 << 30;
/// Bytes of a schema file.
pub const SCHEMA_BYTES: usize = 262_144;
/// Nodes of one expression: its static cost.
pub const EXPRESSION_NODES: usize = 256;
/// Votes of one `tally`: each is read for it, so it bounds what one record costs.
pub const TALLY_RECORDS: usize = 100_000;
/// Records that follow one signed record: bounds what one row of a load can cost.
pub const EMITTED_PER_RECORD: usize = 64;
/// Records that follow the signed ones of a transaction: each is kept in memory until the transaction is decided.
pub const EMITTED_RECORDS: usize = 1 << 16;
/// Rows of one transaction of a load whose records may be followed by others: so that all that may follow them does.
pub const FOLLOWED_CUT_ROWS: usize = EMITTED_RECORDS / EMITTED_PER_RECORD;
/// Parts of a balance cell.
pub const PARTS: usize = 8;
/// Digits of a decimal: what an `i128` multiplies without surprise, and SQL systems agree on.
pub const DECIMAL_DIGITS: u8 = 28;
/// Largest integer of a record, ±(2^53−1): what every JSON reader keeps (RFC 8785, I-JSON).
pub const INT_MAX: i64 = 9_007_199_254_740_991;
/// Bytes of a caller's idempotency id.
pub const ID_BYTES: usize = 64;
/// Characters of an origin.
pub const ORIGIN_CHARS: usize = 128;
/// How long an intent is good for unless its author says otherwise: one day.
pub const INTENT_LIFETIME_MICROS: i64 = 86_400_000_000;
/// Default of the genesis option `max_clock_step`, in seconds: 366 days.
pub const MAX_CLOCK_STEP_SECS: i64 = 31_622_400;
/// A clock that far behind the last transaction is worth telling: more than what clocks are set by now and then.
pub const CLOCK_LAG_MICROS: i64 = 1_000_000;
/// A commit that takes longer is worth telling: the disk is slow, full or failing. The largest take less than a second.
pub const SLOW_COMMIT: std::time::Duration = std::time::Duration::from_secs(5);
/// Level from which inner nodes of a tree are stored: a proof rebuilds at most 64 leaves.
pub const NODE_LEVEL: u32 = 6;
/// Steps of one evaluation of an expression over all items its rule runs over: tens of milliseconds at worst.
pub const EXPRESSION_COST: u64 = 1 << 22;
/// Candidates of the lookups of a record type: each may be one read of the store, for every record and item.
pub const LOOKUPS: usize = 8;
/// How often a record that a rule made may make another: a chain that people can still follow.
pub const EMIT_DEPTH: usize = 4;
