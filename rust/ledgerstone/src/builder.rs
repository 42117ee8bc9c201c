//! Making a ledger, and opening one: two different verbs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use ledgerstone_verify::canon::Json;
use ledgerstone_verify::envelope::ENVELOPE_TAG;
use ledgerstone_verify::hash::{Sha3_256, Sha256, leaf_hash};
use ledgerstone_verify::merkle::Frontier;
use ledgerstone_verify::note::VerifierKey;

use crate::codes;
use crate::error::{Error, Result};
use crate::execute::authority::Authority;
use crate::keys::{Key, LogKey, Passphrase};
use crate::ledger::{
    Faults, FileSecret, Ledger, LogKeyFile, Pool, Sources, Submission, View, Writer, genesis_data, load_log_key,
    object, parse_time, stored_checkpoint,
};
use crate::limits::{MAX_CLOCK_STEP_SECS, NODE_LEVEL, ORIGIN_CHARS};
use crate::log::{LogTrees, ORIGIN_SUFFIX_SHA3, node_key, verifier_keys};
use crate::model::{Event, Observer, Value};
use crate::schema::OF_NEW_LEDGERS;
use crate::store::{MemoryStore, Snapshot, SqliteStore, Store, StoreError, Table, number_key, remove_new};

/// A ledger to be made.
#[derive(Debug)]
pub struct Create {
    origin: String,
    key: Key,
    modules: Vec<(String, String)>,
    log_key: Option<PathBuf>,
    log_passphrase: Option<Arc<Passphrase>>,
    record_rejections: bool,
    threads: usize,
    sources: Sources,
    observer: Observer,
}

/// A ledger to be opened.
#[derive(Debug)]
pub struct Open {
    key: Option<Key>,
    log_key: Option<PathBuf>,
    log_passphrase: Option<Arc<Passphrase>>,
    readonly: bool,
    accept_clock_step: bool,
    threads: usize,
    sources: Sources,
    observer: Observer,
}

impl Create {
    /// A ledger of this origin, whose first member signs with this key.
    pub fn new(origin: &str, key: Key) -> Self {
        let origin = origin.to_owned();
        let (modules, sources, observer) = (Vec::new(), Sources::system(), Observer::default());
        Create {
            origin,
            key,
            modules,
            log_key: None,
            log_passphrase: None,
            record_rejections: false,
            threads: 0,
            sources,
            observer,
        }
    }

    /// Loads a module at once: the text of its schema file, and the file's name for errors.
    #[must_use]
    pub fn module(mut self, source: &str, file: &str) -> Self {
        self.modules.push((source.to_owned(), file.to_owned()));
        self
    }

    /// Where the log key goes; `<path>.logkey.pem` unless told otherwise.
    #[must_use]
    pub fn log_key(mut self, path: &Path) -> Self {
        self.log_key = Some(path.to_owned());
        self
    }

    /// Keeps the bytes of records that loads reject, for ever: an audit decides them again, and they have receipts. Without it, the
    /// default, a rejected record leaves its hash and the code of the reason.
    #[must_use]
    pub fn record_rejections(mut self, record: bool) -> Self {
        self.record_rejections = record;
        self
    }

    /// Threads to work with; 0, the default: one per core.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Who is told of notable events.
    #[must_use]
    pub fn observer(mut self, observer: Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Another clock and other random bytes, for tests.
    #[must_use]
    pub fn sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// Encrypts the log key's file under a passphrase, which opening the ledger will need.
    #[must_use]
    pub fn log_passphrase(mut self, passphrase: Passphrase) -> Self {
        self.log_passphrase = Some(Arc::new(passphrase));
        self
    }

    /// Makes the file, which must not exist, and beside it the log key.
    pub fn at(self, path: &Path) -> Result<Ledger> {
        check_origin(&self.origin)?;
        let store = SqliteStore::create(path)?;
        let log_key_path = self.log_key.clone().unwrap_or_else(|| log_key_path(path));
        let passphrase = self.log_passphrase.clone();
        let saved = LogKey::generate()
            .and_then(|key| key.save(&log_key_path, &self.origin, passphrase.as_deref()).map(|()| key))
            .map_err(Error::from);
        let is_saved = saved.is_ok();
        let file = LogKeyFile { path: log_key_path.clone(), passphrase };
        let made = saved.and_then(|log_key| self.begin(Box::new(store), Some((path, file)), log_key));
        if made.is_err() {
            // Half a ledger is none: what this call made is taken back.
            remove_new(path);
            if is_saved {
                let _ = std::fs::remove_file(&log_key_path);
            }
        }
        made
    }

    /// Makes a ledger in memory, which ends with the process. Its log key is drawn from the sources.
    pub fn in_memory(self) -> Result<Ledger> {
        check_origin(&self.origin)?;
        let log_key = LogKey::from_seed(self.sources.random()?);
        self.begin(Box::new(MemoryStore::new()), None, log_key)
    }

    fn begin(self, store: Box<dyn Store>, files: Option<(&Path, LogKeyFile)>, log_key: LogKey) -> Result<Ledger> {
        let Create { origin, key, modules, record_rejections, threads, sources, observer, .. } = self;
        let (path, log_key_file) = files.unzip();
        let first = |bytes: [u8; 32]| -> [u8; 16] { bytes[..16].try_into().expect("16 of 32 bytes") };
        let member = hex::encode(first(sources.random()?));
        let secret = FileSecret(first(sources.random()?));
        let keys = verifier_keys(&origin, log_key.public())
            .map_err(|error| Error::schema(codes::BAD_ORIGIN, error.to_string()))?;
        let options = object(vec![
            ("max_clock_step", Value::Int(MAX_CLOCK_STEP_SECS)),
            ("record_rejections", Value::Bool(record_rejections)),
        ]);
        let genesis = genesis_record(&origin, &keys, (&member, &key.public()), options, sources.random()?);
        let authority = Arc::new(Authority::new());
        let writer = Writer {
            log_key: Arc::new(log_key),
            log_key_file,
            is_rotation_in_doubt: false,
            trees: LogTrees::new(),
            authority: Arc::clone(&authority),
            genesis: None,
            last_time: i64::MIN,
            checkpoint: None,
            max_clock_step: MAX_CLOCK_STEP_SECS,
            accepts_clock_step: false,
            is_clock_behind: false,
        };
        let ledger = Ledger {
            path: path.map(Path::to_owned),
            origin,
            key: RwLock::new(Some(Arc::new(key))),
            store,
            secret,
            keeps_rejections: record_rejections,
            pool: Pool::new(threads),
            faults: Faults::new(sources.probe()),
            sources,
            observer,
            writer: Ok(Mutex::new(writer)),
            known: RwLock::new((0, authority)),
        };
        {
            let mut writer = ledger.lock_writer()?;
            let records = vec![("ledger.genesis".to_owned(), genesis)];
            let first = Submission { records, author: Some(member), ..Submission::default() };
            ledger.append_locked(&mut writer, first)?;
        }
        for (source, file) in modules {
            ledger.load_module(&source, &file, true)?;
        }
        Ok(ledger)
    }
}

impl Default for Open {
    fn default() -> Self {
        let (sources, observer) = (Sources::system(), Observer::default());
        Open {
            key: None,
            log_key: None,
            log_passphrase: None,
            readonly: false,
            accept_clock_step: false,
            threads: 0,
            sources,
            observer,
        }
    }
}

impl Open {
    /// The key of the member that will append.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Where the log key is; `<path>.logkey.pem` unless told otherwise.
    #[must_use]
    pub fn log_key(mut self, path: &Path) -> Self {
        self.log_key = Some(path.to_owned());
        self
    }

    /// The passphrase of the log key's file, where it is protected by one.
    #[must_use]
    pub fn log_passphrase(mut self, passphrase: Passphrase) -> Self {
        self.log_passphrase = Some(Arc::new(passphrase));
        self
    }

    /// Opens for reading only: no lock, no keys, beside any writer.
    #[must_use]
    pub fn readonly(mut self, readonly: bool) -> Self {
        self.readonly = readonly;
        self
    }

    /// Takes the first transaction however long after the last one it is: a ledger that rested for longer than its `max_clock_step` is
    /// appended to again. To be told only by somebody who has looked at the clock: no later transaction can have an earlier time. From
    /// the second transaction on the bound holds.
    #[must_use]
    pub fn accept_clock_step(mut self, accept: bool) -> Self {
        self.accept_clock_step = accept;
        self
    }

    /// Threads to work with; 0, the default: one per core.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Who is told of notable events.
    #[must_use]
    pub fn observer(mut self, observer: Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Another clock and other random bytes, for tests.
    #[must_use]
    pub fn sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// Opens the ledger at a path, which must exist. Without a log key it is opened for reading only.
    pub fn at(self, path: &Path) -> Result<Ledger> {
        if !path.exists() {
            return Err(StoreError::Missing(path.to_owned()).into());
        }
        let default = log_key_path(path);
        let log_key_path = match &self.log_key {
            Some(given) => Some(given.as_path()),
            None => default.exists().then_some(default.as_path()),
        };
        let reason = match (self.readonly, log_key_path) {
            (true, _) => Err("it was opened with readonly=True"),
            (false, None) => Err("there is no log key beside it, and none was named with log_key="),
            (false, Some(path)) => Ok(path),
        };
        let wal_bytes = wal_bytes(path);
        let store = match reason {
            Err(_) => SqliteStore::open_readonly(path)?,
            Ok(_) => SqliteStore::open(path)?,
        };
        let event = match reason {
            Err(why) if !self.readonly => Some(Event::OpenedReadOnly { why: why.to_owned() }),
            Ok(_) if wal_bytes > 0 => Some(Event::WalFound { bytes: wal_bytes }),
            _ => None,
        };
        let passphrase = self.log_passphrase.clone();
        let log_key_file = reason.map(|path| LogKeyFile { path: path.to_owned(), passphrase });
        let ledger = self.finish(path, Box::new(store), log_key_file)?;
        if let Some(event) = event {
            ledger.tell(|| event);
        }
        Ok(ledger)
    }

    fn finish(
        self,
        path: &Path,
        store: Box<dyn Store>,
        log_key_file: std::result::Result<LogKeyFile, &'static str>,
    ) -> Result<Ledger> {
        let snapshot = store.snapshot()?;
        if snapshot.size()? == 0 {
            let why = "its creation was interrupted before the first record; remove it and create it again".to_owned();
            return Err(StoreError::NotALedger { path: path.to_owned(), why }.into());
        }
        let secret = file_secret(&*snapshot)?;
        let view = View::new(snapshot, secret, (0, Arc::new(Authority::new())))?;
        let genesis = genesis_data(&view)?;
        let origin = text_of(&genesis, "origin")?;
        log_keys(&genesis)?;
        let authority = Arc::clone(&view.authority);
        let writer = match log_key_file {
            Err(why) => Err(why),
            Ok(file) => {
                view.check_semantics()?;
                let log_key = load_log_key(&file, &origin, &authority)?;
                let writer = resume(&view, &genesis, log_key, file)?;
                Ok(Mutex::new(Writer { accepts_clock_step: self.accept_clock_step, ..writer }))
            }
        };
        let known = RwLock::new((view.size, authority));
        drop(view);
        Ok(Ledger {
            path: Some(path.to_owned()),
            origin,
            key: RwLock::new(self.key.map(Arc::new)),
            store,
            secret,
            keeps_rejections: keeps_rejections(&genesis),
            pool: Pool::new(self.threads),
            faults: Faults::new(self.sources.probe()),
            sources: self.sources,
            observer: self.observer,
            writer,
            known,
        })
    }
}

/// The writer's state out of the store. The frontier is compared with the newest checkpoint.
fn resume(view: &View, genesis: &Json, log_key: LogKey, log_key_file: LogKeyFile) -> Result<Writer> {
    let trees = stored_trees(view)?;
    let checkpoint = stored_checkpoint(&*view.snapshot)?;
    let agrees = checkpoint.size == trees.size()
        && checkpoint.root == trees.sha256.root()
        && checkpoint.root_sha3 == trees.sha3.root();
    if !agrees {
        return Err(Error::verification(
            codes::LINK_BROKEN,
            format!(
                "the newest checkpoint does not follow from the {} transactions stored; audit says more",
                trees.size()
            ),
        ));
    }
    let first = view.envelope(0)?;
    let last = view.envelope(view.size - 1)?;
    let max_clock_step = genesis
        .get("options")
        .and_then(|options| options.get("max_clock_step"))
        .and_then(Json::as_int)
        .unwrap_or(MAX_CLOCK_STEP_SECS);
    Ok(Writer {
        log_key: Arc::new(log_key),
        log_key_file: Some(log_key_file),
        is_rotation_in_doubt: false,
        trees,
        authority: Arc::clone(&view.authority),
        genesis: Some(leaf_hash::<Sha3_256>(&[ENVELOPE_TAG, &first.text])),
        last_time: parse_time(&last.envelope.time)?,
        checkpoint: Some(checkpoint),
        max_clock_step,
        accepts_clock_step: false,
        is_clock_behind: false,
    })
}

/// The trees out of stored nodes, and the envelopes after the last complete node of the lowest stored level.
fn stored_trees(view: &View) -> Result<LogTrees> {
    let whole = view.size >> NODE_LEVEL;
    let mut sha256 = Frontier::<Sha256>::new();
    let mut sha3 = Frontier::<Sha3_256>::new();
    for level in (NODE_LEVEL..64).rev().filter(|level| view.size >> level & 1 == 1) {
        let place = (view.size >> level) - 1;
        let node = view.snapshot.get(Table::LogNodes, &number_key(node_key(level, place)))?;
        let damaged = || Error::damaged(format!("table log_nodes: level {level}, place {place} is not there"));
        let node: [u8; 64] = node.and_then(|node| node.try_into().ok()).ok_or_else(damaged)?;
        let (left, right) = node.split_at(32);
        let halves = (left.try_into().expect("32 bytes"), right.try_into().expect("32 bytes"));
        sha256.push_subtree(level, halves.0).map_err(|_| damaged())?;
        sha3.push_subtree(level, halves.1).map_err(|_| damaged())?;
    }
    for index in whole << NODE_LEVEL..view.size {
        let text = view.envelope(index)?.text;
        sha256.push(leaf_hash::<Sha256>(&[ENVELOPE_TAG, &text]));
        sha3.push(leaf_hash::<Sha3_256>(&[ENVELOPE_TAG, &text]));
    }
    Ok(LogTrees { sha256, sha3 })
}

fn genesis_record(
    origin: &str,
    keys: &[VerifierKey; 2],
    (member, key): (&str, &[u8; 32]),
    options: Value,
    random: [u8; 32],
) -> Value {
    object(vec![
        ("format", Value::Int(1)),
        ("semantics", Value::Int(OF_NEW_LEDGERS as i64)),
        ("origin", Value::Text(origin.to_owned())),
        ("log_keys", Value::List(keys.iter().map(|key| Value::Text(key.to_string())).collect())),
        ("member", Value::Text(member.to_owned())),
        ("key", Value::Bytes(key.to_vec())),
        ("options", options),
        ("random", Value::Bytes(random.to_vec())),
    ])
}

/// Whether the bytes of rejected records are kept, as the genesis says.
fn keeps_rejections(genesis: &Json) -> bool {
    let option = genesis.get("options").and_then(|options| options.get("record_rejections"));
    option == Some(&Json::Bool(true))
}

/// The secret of a file.
pub(crate) fn file_secret(snapshot: &dyn Snapshot) -> Result<FileSecret> {
    snapshot
        .get(Table::Meta, b"file_secret")?
        .and_then(|secret| secret.try_into().ok())
        .map(FileSecret)
        .ok_or_else(|| Error::damaged("table meta: the file secret is damaged".to_owned()))
}

/// The log's verifier keys, as the genesis names them.
pub(crate) fn log_keys(genesis: &Json) -> Result<[VerifierKey; 2]> {
    let damaged = || Error::damaged("table chunks, transaction 0: the first record names no log keys".to_owned());
    let listed = genesis.get("log_keys").and_then(Json::as_list).ok_or_else(damaged)?;
    let keys: Vec<VerifierKey> = listed
        .iter()
        .map(|key| VerifierKey::parse(key.as_text().unwrap_or("")).map_err(|_| damaged()))
        .collect::<Result<_>>()?;
    keys.try_into().map_err(|_| damaged())
}

fn text_of(data: &Json, name: &str) -> Result<String> {
    let text = data.get(name).and_then(Json::as_text);
    text.map(str::to_owned)
        .ok_or_else(|| Error::damaged(format!("table chunks, transaction 0: the first record has no {name}")))
}

fn log_key_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".logkey.pem");
    PathBuf::from(name)
}

/// Length of the write-ahead log beside a ledger: none where it was closed, and nobody reads it.
fn wal_bytes(path: &Path) -> u64 {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    std::fs::metadata(wal).map_or(0, |file| file.len())
}

fn check_origin(origin: &str) -> Result<()> {
    let is_printable = origin.chars().all(|c| c.is_ascii_graphic() && c != '+');
    if origin.is_empty() || !is_printable || origin.ends_with(ORIGIN_SUFFIX_SHA3) {
        return Err(Error::schema(
            codes::BAD_ORIGIN,
            format!(
                "the origin {origin:?} is not a name like acme.example/books: printable ASCII without spaces or +, not ending in {ORIGIN_SUFFIX_SHA3}"
            ),
        ));
    }
    if origin.len() > ORIGIN_CHARS {
        return Err(Error::Limit {
            what: "the length of the origin".to_owned(),
            value: origin.len() as u64,
            limit: "ORIGIN_CHARS",
            bound: ORIGIN_CHARS as u64,
        });
    }
    Ok(())
}
