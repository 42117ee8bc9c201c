//! The command, run as a user runs it, on temporary folders.

#[allow(dead_code, reason = "each test file uses its part")]
mod common;

use common::{Folder, transfer};
use serde_json::Value;

#[test]
fn a_ledger_is_made_once() {
    let folder = Folder::with_books();
    let again = folder.run("create books.ledger --origin acme.example/books --key me.pem");
    assert_eq!(again.code, 3);
    assert!(again.err.contains("books.ledger exists"), "{}", again.err);
    let missing = folder.run("query bocks.ledger finance.transfer");
    assert_eq!(missing.code, 3);
    assert!(missing.err.contains("bocks.ledger: no such ledger"), "{}", missing.err);
    let unknown = folder.run("create other.ledger --origin acme.example/other --key me.pem --module finanse");
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("shipped with ledgerstone are finance"), "{}", unknown.err);
}

#[test]
fn a_module_is_loaded_later_and_its_types_are_known_then() {
    let folder = Folder::new();
    assert_eq!(folder.run("create books.ledger --origin acme.example/books --key me.pem").code, 0);
    assert_eq!(folder.append("finance.account", "{}", "").code, 2);
    let loaded = folder.run("load books.ledger finance --key me.pem");
    assert_eq!((loaded.code, loaded.out.as_str()), (0, "module finance loaded, transaction 1\n"));
    assert_eq!(folder.run("load books.ledger finance --key me.pem").code, 1);
    let account = "{\"id\":\"cash\",\"kind\":\"asset\",\"currency\":\"EUR\"}";
    assert_eq!(folder.append("finance.account", account, "").code, 0);
}

#[test]
fn records_stand_alone_or_fall_together() {
    let folder = Folder::with_books();
    let lines = [transfer("a", "cash", "sales", "1"), transfer("b", "sales", "cash", "5000")].concat();
    let together = folder.append("finance.transfer", &lines, "--atomic");
    assert_eq!((together.code, together.out.as_str()), (1, ""));
    assert!(together.err.contains("finance.insufficient_funds"), "{}", together.err);
    let alone = folder.append("finance.transfer", &lines, "--json");
    assert_eq!(alone.code, 1);
    let report: Value = serde_json::from_str(&alone.out).unwrap();
    assert_eq!((&report["rows"], &report["accepted"], &report["rejected"]), (&2.into(), &1.into(), &1.into()));
    let told: Value = serde_json::from_str(&alone.err).unwrap();
    let refused = [&told["row"], &told["line"], &told["code"], &told["field"]];
    let expected: [Value; 4] = [1.into(), 2.into(), "finance.insufficient_funds".into(), "amount".into()];
    assert_eq!(refused, [&expected[0], &expected[1], &expected[2], &expected[3]], "{}", alone.err);
}

#[test]
fn a_load_with_an_id_is_done_once() {
    let folder = Folder::with_books();
    let lines = transfer("a", "cash", "sales", "1");
    let first = folder.append("finance.transfer", &lines, "--id day-1 --json");
    let again = folder.append("finance.transfer", &lines, "--id day-1 --json");
    assert_eq!((first.code, again.code, &first.out), (0, 0, &again.out));
    let other = folder.append("finance.transfer", &transfer("b", "cash", "sales", "1"), "--id day-1");
    assert_eq!(other.code, 1);
    assert!(other.err.contains("ledger.id_reused"), "{}", other.err);
}

#[test]
fn a_ledger_that_rested_for_years_is_appended_to_when_told() {
    let folder = Folder::new();
    let long_ago = ledgerstone::Sources::fixed(|| 1_600_000_000_000_000, || [9; 32]);
    let key = ledgerstone::Key::load(&folder.path().join("me.pem"), None).unwrap();
    let finance = (ledgerstone_schemas::FINANCE, "finance.toml");
    let create = ledgerstone::Create::new("acme.example/books", key).module(finance.0, finance.1).sources(long_ago);
    drop(create.at(&folder.path().join("books.ledger")).unwrap());
    let account = "{\"id\":\"cash\",\"kind\":\"asset\",\"currency\":\"EUR\"}";
    let refused = folder.append("finance.account", account, "");
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(
        refused.err.contains("[ledger.max_clock_step]") && refused.err.contains("accept_clock_step"),
        "{}",
        refused.err
    );
    let told = folder.append("finance.account", account, "--accept-clock-step");
    assert_eq!(told.code, 0, "{}", told.err);
    let other = account.replace("cash", "sales");
    assert_eq!(folder.append("finance.account", &other, "").code, 0);
}

#[test]
fn what_is_no_record_is_named_by_its_line() {
    let folder = Folder::with_books();
    for (lines, code, words) in [
        ("{\"id\":\n", 3, "standard input, line 1"),
        ("\n[1]\n", 3, "standard input, line 2: a record is a JSON object"),
        ("{\"id\":\"x\",\"id\":\"y\"}", 3, "standard input, line 1"),
        (&transfer("x", "cash", "sales", "1").replace("\"1\"", "12.5"), 1, "never a float"),
        (&transfer("x", "cash", "sales", "1").replace("}", ",\"narative\":\"x\"}"), 1, "narative"),
    ] {
        let run = folder.append("finance.transfer", lines, "");
        assert_eq!(run.code, code, "{lines}: {}", run.err);
        assert!(run.err.contains(words), "{lines}: {}", run.err);
    }
}

#[test]
fn queries_are_narrowed_by_conditions() {
    let folder = Folder::with_books();
    for (condition, ids) in [
        ("debit=cash", &["t1", "t3"][..]),
        ("amount>12.5", &["t3"]),
        ("amount<=12.5", &["t1"]),
        ("id^=t", &["t1", "t3"]),
        ("id~in~t3,t4", &["t3"]),
        ("amount~between~12,13", &["t1"]),
        ("period~is~absent", &["t1", "t3"]),
        ("credit=cash", &[]),
    ] {
        let rows = folder.json(&format!("query books.ledger finance.transfer --json --where {condition}"), 0);
        let found: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(found, ids, "{condition}");
    }
    let table = folder.run("query books.ledger finance.transfer --columns id,amount,_index --limit 1");
    assert_eq!(table.out, "id  amount  _index\n--  ------  ------\nt1    12.5       3\n");
    assert!(table.err.contains("the first 1 record(s)"), "{}", table.err);
    assert_eq!(folder.run("query books.ledger finance.transfer --where debit").code, 2);
    assert_eq!(folder.run("query books.ledger finance.transfr").code, 2);
    assert_eq!(folder.run("query books.ledger finance.transfer --where amunt=1").code, 2);
}

#[test]
fn one_record_and_its_balance_are_found() {
    let folder = Folder::with_books();
    let by_key = folder.json("get books.ledger finance.transfer t3", 0);
    assert_eq!((&by_key[0]["place"], &by_key[0]["data"]["amount"]), (&"3:1".into(), &"1000".into()));
    assert_eq!(folder.json("get books.ledger 3:1", 0), by_key);
    assert_eq!(folder.json("get books.ledger ledger.module finance 1", 0)[0]["place"], "1:0");
    assert_eq!(folder.run("get books.ledger finance.transfer t9").code, 1);
    assert_eq!(folder.run("get books.ledger t9").code, 2);
    let balance = folder.json("balance books.ledger finance.account cash --json", 0);
    assert_eq!(balance[0]["EUR"]["posted"], "1012.5");
    assert!(folder.run("balance books.ledger finance.account cash").out.contains("1012.5"));
    let statement = folder.run("statement books.ledger finance.account cash").out;
    assert!(statement.contains("posted_balance") && !statement.contains("pending"), "{statement}");
    let lines = folder.json("statement books.ledger finance.account cash --json", 0);
    assert!(lines[0].get("pending_in_change").is_some(), "{}", lines[0]);
    for verb in ["balance", "history", "statement"] {
        let missed = folder.run(&format!("{verb} books.ledger finance.account chas"));
        assert_eq!((missed.code, missed.err.contains("[ledger.no_record]")), (1, true), "{verb}: {}", missed.err);
    }
}

#[test]
fn members_are_admitted_and_given_roles() {
    let folder = Folder::with_books();
    let public = folder.run("keys generate clerk.pem").out;
    assert_eq!(folder.run("keys show clerk.pem").out, public);
    let public = public.trim();
    let admitted = folder.run(&format!("members books.ledger --admit {public} --key me.pem"));
    assert_eq!(admitted.code, 0, "{}", admitted.err);
    let clerk = admitted.out.trim();
    let post = |id: &str| {
        folder.run_with(
            "append books.ledger finance.transfer --key clerk.pem --atomic",
            &transfer(id, "cash", "sales", "1"),
        )
    };
    let forbidden = post("c1");
    assert_eq!(forbidden.code, 1);
    assert!(forbidden.err.contains("finance.bookkeeper"), "{}", forbidden.err);
    assert_eq!(folder.run(&format!("grant books.ledger {clerk} finance.bookkeeper --key me.pem")).code, 0);
    assert_eq!(post("c1").code, 0);
    let members = folder.json("members books.ledger --json", 0);
    let member = members.iter().find(|member| member["member"] == clerk).unwrap();
    assert_eq!((&member["keys"][0], &member["roles"][0]), (&public.into(), &"finance.bookkeeper".into()));
    assert_eq!(folder.run(&format!("grant books.ledger {clerk} finance.bookkeeper --withdraw --key me.pem")).code, 0);
    assert_eq!(post("c2").code, 1);
}

#[test]
fn a_receipt_verifies_without_the_ledger() {
    let folder = Folder::with_books();
    std::fs::write(folder.path().join("keys"), folder.run("info books.ledger --verifier-keys").out).unwrap();
    assert_eq!(folder.run("receipt books.ledger finance.transfer t3 -o t3.receipt").code, 0);
    let by_place = folder.run("receipt books.ledger 3:1").out;
    assert_eq!(by_place, std::fs::read_to_string(folder.path().join("t3.receipt")).unwrap());
    std::fs::remove_file(folder.path().join("books.ledger")).unwrap();
    let proven = folder.run("verify t3.receipt --trust keys");
    assert_eq!(proven.code, 0, "{}", proven.err);
    assert!(proven.out.contains("outcome   accepted") && proven.out.contains("SHA-256 and SHA3-256"), "{}", proven.out);
    std::fs::write(folder.path().join("forged"), by_place.replace("1000", "1001")).unwrap();
    let forged = folder.run("verify forged --trust keys");
    assert_eq!(forged.code, 11, "{}", forged.err);
    // A key of another log: nothing was found out.
    let other = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    assert_eq!(folder.run(&format!("verify t3.receipt --trust {other}")).code, 3);
    assert_eq!(folder.run("verify t3.receipt --trust nowhere").code, 2);
    assert_eq!(folder.run("verify t3.receipt").code, 2);
}

#[test]
fn an_audit_says_what_it_found_by_its_exit_code() {
    let folder = Folder::with_books();
    let note = folder.run("checkpoint books.ledger").out;
    std::fs::write(folder.path().join("old.checkpoint"), note).unwrap();
    assert_eq!(folder.append("finance.transfer", &transfer("t4", "cash", "sales", "1"), "").code, 0);
    let sound = folder.run("audit books.ledger");
    assert_eq!(sound.code, 0, "{}{}", sound.out, sound.err);
    assert!(sound.out.starts_with("acme.example/books: ok up to size 5\n"), "{}", sound.out);
    let report = &folder.json("audit books.ledger --checkpoint old.checkpoint --json", 0)[0];
    assert_eq!((&report["verdict"], &report["read"]["transactions"]), (&"ok".into(), &5.into()));
    // One letter of a stored record, where it stands in the file.
    let path = folder.path().join("books.ledger");
    let mut bytes = std::fs::read(&path).unwrap();
    let amount = b"\"amount\":\"1000\"";
    let place = bytes.windows(amount.len()).position(|window| window == amount).unwrap();
    bytes[place + amount.len() - 2] = b'1';
    std::fs::write(&path, bytes).unwrap();
    let changed = folder.run("audit books.ledger");
    assert_eq!(changed.code, 11, "{}{}", changed.out, changed.err);
    assert!(changed.out.contains("transaction 3"), "{}", changed.out);
    std::fs::write(&path, "hello, this is no ledger at all").unwrap();
    assert_eq!(folder.run("audit books.ledger").code, 3);
}

#[test]
fn a_ledger_that_was_cut_short_is_found_by_a_checkpoint_from_outside() {
    let folder = Folder::with_books();
    let (path, copy) = (folder.path().join("books.ledger"), folder.path().join("copy.ledger"));
    std::fs::copy(&path, &copy).unwrap();
    assert_eq!(folder.append("finance.transfer", &transfer("t4", "cash", "sales", "1"), "").code, 0);
    let note = folder.run("checkpoint books.ledger").out;
    std::fs::write(folder.path().join("new.checkpoint"), note).unwrap();
    assert_eq!(folder.run("audit copy.ledger").code, 0);
    assert_eq!(folder.run("audit copy.ledger --checkpoint new.checkpoint").code, 13);
}

#[test]
fn the_audit_trail_is_exported() {
    let folder = Folder::with_books();
    for (file, head) in [("t.parquet", &b"PAR1"[..]), ("t.arrow", b"ARROW1")] {
        let run = folder.run(&format!("export books.ledger {file} --type finance.transfer"));
        assert_eq!((run.code, run.out), (0, format!("{file}: 2 rows\n")), "{}", run.err);
        assert!(std::fs::read(folder.path().join(file)).unwrap().starts_with(head));
    }
    let taken = folder.run("export books.ledger t.arrow");
    assert!(
        taken.code == 3 && taken.err.contains("t.arrow exists") && taken.err.contains("--overwrite"),
        "{}",
        taken.err
    );
    assert_eq!(folder.run("export books.ledger t.arrow --overwrite").code, 0);
    assert_eq!(folder.run("export books.ledger all.parquet").code, 0);
    assert_eq!(folder.run("export books.ledger t.csv").code, 2);
    assert_eq!(folder.run("export books.ledger t.parquet --type finance.transfr").code, 2);
}

#[test]
fn checkpoints_and_facts_are_shown() {
    let folder = Folder::with_books();
    let note = folder.run("checkpoint books.ledger").out;
    assert!(note.starts_with("acme.example/books\n4\n"), "{note}");
    let note = folder.run("checkpoint books.ledger --tree sha3-256").out;
    assert!(note.starts_with("acme.example/books/sha3-256\n4\n"), "{note}");
    let info = folder.run("info books.ledger").out;
    for words in ["size      4 transactions", "module    finance version 1: Double-entry", "members   1"] {
        assert!(info.contains(words), "{words}: {info}");
    }
    let stats = &folder.json("stats books.ledger --json", 0)[0];
    assert_eq!((&stats["transactions"], &stats["records"]["finance.transfer"]), (&4.into(), &2.into()));
    assert_eq!((&stats["members"], &stats["modules"]["finance"]), (&1.into(), &1.into()));
    let file = std::fs::metadata(folder.path().join("books.ledger")).unwrap().len();
    assert_eq!((&stats["semantics"], &stats["code_tables"][0]), (&0.into(), &"iban@2026-01".into()));
    let counted = stats["bytes_total"].as_u64().unwrap();
    assert!(counted > file / 2 && counted <= file, "{counted} of {file} bytes");
    assert!(folder.run("stats books.ledger").out.contains("finance.transfer        2"));
}

#[test]
fn schema_files_are_checked_and_shown() {
    let folder = Folder::new();
    assert_eq!(folder.run("schema check finance").code, 0);
    let bad = "[module]\nname = \"loans\"\nversion = 1\ntitle = \"Loans\"\n[types.loan]\nauthorise = [\"nobody\"]\n";
    std::fs::write(folder.path().join("loans.toml"), bad).unwrap();
    let checked = folder.run("schema check loans.toml");
    assert_eq!(checked.code, 1);
    assert!(checked.err.contains("loans.toml:6:"), "{}", checked.err);
    // A module may refer to a shipped one, and its next version as well.
    let fees = "[module]\nname = \"fees\"\nversion = 1\n[roles.clerk]\n[types.fee]\nauthorise = [\"clerk\"]\n[types.fee.fields]\naccount = { type = \"text\", max = 128, required = true }\n[[types.fee.rules]]\nref = \"finance.account\"\nat = [\"account\"]\n";
    std::fs::write(folder.path().join("fees.toml"), fees).unwrap();
    let next = fees.replace("version = 1", "version = 2") + "[[types.fee.rules]]\nunique = [\"account\"]\n";
    std::fs::write(folder.path().join("fees-2.toml"), next).unwrap();
    assert_eq!(folder.run("schema check fees.toml").code, 0);
    let between = folder.run("schema diff fees.toml fees-2.toml");
    let asks = "fees.fee: the records that are stored keep the unique rule (account)";
    assert!(between.code == 0 && between.out.contains(asks), "{}{}", between.out, between.err);
    let shown = folder.run("schema show finance").out;
    assert!(shown.contains("finance.transfer") && shown.contains("finance.insufficient_funds"), "{shown}");
    assert!(shown.contains("legs.amount") && shown.contains("decimal(28,12)"), "{shown}");
    let folder = Folder::with_books();
    let source = folder.run("schema show finance --ledger books.ledger --source").out;
    assert_eq!(source, ledgerstone_schemas::FINANCE);
}

#[test]
fn keys_are_never_overwritten_and_never_mixed_up() {
    let folder = Folder::with_books();
    assert_eq!(folder.run("keys generate me.pem").code, 3);
    assert_eq!(folder.run("keys show books.ledger.logkey.pem").code, 0);
    assert_eq!(folder.run("keys show books.ledger").code, 3);
    let mixed = folder.run_with("append books.ledger finance.transfer --key books.ledger.logkey.pem", "{}");
    assert_eq!(mixed.code, 3);
    assert!(mixed.err.contains("log key"), "{}", mixed.err);
    let without = folder.run_with("append books.ledger finance.transfer", "{}");
    assert_eq!(without.code, 2);
    assert!(without.err.contains("--key"), "{}", without.err);
    std::fs::rename(folder.path().join("books.ledger.logkey.pem"), folder.path().join("moved.pem")).unwrap();
    let moved = folder.append("finance.transfer", "", "");
    assert!(moved.code == 1 && moved.err.contains("--log-key"), "{}", moved.err);
    let line = transfer("m", "cash", "sales", "1");
    assert_eq!(folder.append("finance.transfer", &line, "--log-key moved.pem").code, 0);
}

#[test]
fn help_and_version_end_well() {
    let folder = Folder::new();
    for line in ["--help", "--version", "append --help", "schema check --help"] {
        assert_eq!(folder.run(line).code, 0, "{line}");
    }
    assert_eq!(folder.run("").code, 2);
    assert_eq!(folder.run("frobnicate").code, 2);
}

#[test]
fn records_are_tried_without_a_ledger() {
    let folder = Folder::new();
    let record = |kind: &str, data: String| format!("{{\"type\":\"finance.{kind}\",\"data\":{}}}\n", data.trim());
    let account = |id: &str| format!("{{\"id\":\"{id}\",\"kind\":\"asset\",\"currency\":\"EUR\"}}");
    let records = [
        record("account", account("cash")),
        record("account", account("sales")),
        record("transfer", transfer("t1", "cash", "sales", "12.50")),
    ]
    .concat();
    let tried = folder.run_with("schema try finance", &records);
    assert_eq!(tried.code, 0, "{}", tried.err);
    assert!(tried.out.contains("2 finance.transfer: accepted"), "{}", tried.out);
    assert!(tried.out.contains("finance.account balance of cash in EUR: "), "{}", tried.out);
    let refused = folder.run_with("schema try finance -", &record("transfer", transfer("t1", "cash", "sales", "1")));
    assert_eq!(refused.code, 1);
    assert!(
        refused.out.starts_with("0 finance.transfer: rejected, fields debit, currency: finance.account_not_open: "),
        "{}",
        refused.out
    );
    let malformed = folder.run_with("schema try finance", "{\"type\":\"finance.account\"}\n");
    assert_eq!(malformed.code, 3);
    assert!(malformed.err.contains("standard input, line 1: a record is one JSON object"), "{}", malformed.err);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing but the key is there");
}

#[test]
fn events_are_told_to_whoever_asks() {
    let folder = Folder::new();
    let create = "create books.ledger --origin acme.example/books --key me.pem --module finance";
    let told = folder.run(&format!("{create} --verbose"));
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(told.err.contains("info: acme.example/books: module finance, version 1, is in force"), "{}", told.err);
    std::fs::remove_file(folder.path().join("books.ledger")).unwrap();
    std::fs::remove_file(folder.path().join("books.ledger.logkey.pem")).unwrap();
    assert_eq!(folder.run(create).err, "");
}

#[test]
fn a_protected_key_signs_and_a_proposal_travels() {
    let folder = Folder::with_books();
    std::fs::write(folder.path().join("words"), "correct horse\n").unwrap();
    assert_eq!(folder.run("keys passwd me.pem --new-passphrase-file words").code, 0);
    let locked = folder.run("keys show me.pem");
    assert_eq!(locked.code, 3);
    assert!(locked.err.contains("protected by a passphrase"), "{}", locked.err);
    assert_eq!(folder.run("keys show me.pem --passphrase-file words").code, 0);

    assert_eq!(folder.run("keys generate anna.pem").code, 0);
    let anna = folder.run("keys show anna.pem").out;
    let words = "--key me.pem --passphrase-file words";
    let admitted = folder.run(&format!("members books.ledger --admit {} {words}", anna.trim()));
    assert_eq!(admitted.code, 0, "{}", admitted.err);
    let member = admitted.out.trim().to_owned();

    let records = "{\"type\":\"finance.commodity\",\"data\":{\"code\":\"AAPL\",\"exponent\":0}}\n";
    let proposed = folder.run_with(&format!("propose books.ledger --out p.proposal {words}"), records);
    assert_eq!(proposed.code, 0, "{}", proposed.err);
    let endorsed = folder.run(&format!("endorse p.proposal --member {member} --key anna.pem --meaning seen"));
    assert_eq!(endorsed.code, 0, "{}", endorsed.err);
    assert!(endorsed.out.contains("AAPL") && endorsed.out.contains("\"seen\""), "{}", endorsed.out);
    let appended = folder.run("append-proposal books.ledger p.proposal");
    assert_eq!(appended.code, 0, "{}", appended.err);
    assert!(folder.run("append-proposal books.ledger p.proposal").out.contains("as before"));

    let revoke =
        format!("keys revoke books.ledger {} --reason lost --suspected-since 2026-01-01T00:00:00Z", anna.trim());
    assert_eq!(folder.run(&format!("{revoke} {words}")).code, 0);
    let rotated = folder.run(&format!("keys rotate-log books.ledger {words}"));
    assert_eq!(rotated.code, 0, "{}", rotated.err);
    let history = folder.run("members books.ledger --history").out;
    assert!(history.contains("1 transactions are doubtful"), "{history}");
    let report = &folder.json("audit books.ledger --json", 0)[0];
    assert_eq!(report["doubtful_transactions"], 1);
}

#[test]
fn a_history_shows_each_change_on_a_line() {
    let folder = Folder::with_books();
    let told = folder.run("history books.ledger finance.account cash").out;
    let changes: Vec<&str> = told.lines().filter(|line| line.contains(" → ")).map(str::trim).collect();
    assert!(changes.iter().any(|line| line.ends_with("currency: nothing → EUR")), "{told}");
    assert!(changes.iter().any(|line| line.contains("12.5 → 1012.5")), "{told}");
    assert!(!told.contains('…'), "{told}");
}

#[test]
fn files_that_refer_to_each_other_are_checked_together() {
    let folder = Folder::new();
    let module = |name: &str, version: u64, rule: &str| {
        format!(
            "[module]\nname = \"{name}\"\nversion = {version}\n[roles.clerk]\n[types.thing]\nauthorise = [\"clerk\"]\n\
             [types.thing.fields]\nid = {{ type = \"text\", required = true }}\n[[types.thing.rules]]\nunique = [\"id\"]\n{rule}"
        )
    };
    let refers = "[[types.thing.rules]]\nref = \"loans.thing\"\nat = [\"id\"]\n";
    folder.write("loans.toml", module("loans", 1, "").as_bytes());
    folder.write("repay.toml", module("repay", 1, refers).as_bytes());
    folder.write("repay-2.toml", module("repay", 2, refers).as_bytes());
    let alone = folder.run("schema check repay.toml");
    assert!(alone.code == 1 && alone.err.contains("loans.thing"), "{}", alone.err);
    for (line, says) in [
        ("schema check repay.toml --module loans.toml", "module repay, version 1: ok"),
        ("schema show repay.toml --module loans.toml", "repay.thing"),
        ("schema diff repay.toml repay-2.toml --module loans.toml", "version 2 of repay may follow version 1"),
    ] {
        let together = folder.run(line);
        assert!(together.code == 0 && together.out.contains(says), "{line}: {}{}", together.out, together.err);
    }
    let ledger = folder.run("schema show repay --ledger x.ledger --module loans.toml");
    assert!(ledger.code == 2 && ledger.err.contains("--module goes with a file"), "{}", ledger.err);
}

#[test]
fn what_to_do_about_a_refused_row_is_said_once() {
    let folder = Folder::with_books();
    let lines = [
        transfer("a", "cash", "sales", "x"),
        transfer("b", "cash", "sales", "y"),
        transfer("c", "sales", "cash", "9999"),
    ];
    let run = folder.append("finance.transfer", &lines.concat(), "");
    let told: Vec<&str> = run.err.lines().collect();
    assert_eq!((run.code, told.len(), told[1]), (1, 4, "help: write it as the message says"), "{}", run.err);
    assert!(
        told[2].starts_with("rejected: standard input, line 2: finance.transfer row 1, field amount: "),
        "{}",
        run.err
    );
}

#[test]
fn a_ledger_that_keeps_rejections_has_none_that_are_claimed() {
    let folder = Folder::with_books();
    let create = "create kept.ledger --origin acme.example/kept --key me.pem --module finance --record-rejections";
    assert_eq!(folder.run(create).code, 0);
    for name in ["books.ledger", "kept.ledger"] {
        let lines = "{\"id\":\"c\",\"kind\":\"asset\",\"currency\":\"EUR\"}\n".repeat(2);
        assert_eq!(folder.run_with(&format!("append {name} finance.account --key me.pem"), &lines).code, 1);
        let report = &folder.json(&format!("audit {name} --json"), 0)[0];
        assert_eq!(report["claimed_rejections"], u64::from(name == "books.ledger"), "{report}");
    }
}

/// A file that OpenSSL wrote does not say whose key it holds: it is a member's.
#[test]
fn a_key_file_of_another_tool_is_shown_as_that_of_a_member() {
    let folder = Folder::new();
    folder.write("words", b"correct horse\n");
    let strip = |name: &str| {
        let text = folder.read(name);
        folder.write(name, &text.as_bytes()[text.find("-----BEGIN").unwrap()..]);
    };
    strip("me.pem");
    let run = folder.run("keys show me.pem");
    assert!(run.code == 0 && run.err.contains("member key"), "{}", run.err);
    assert_eq!(folder.run("keys generate locked.pem --passphrase-file words").code, 0);
    strip("locked.pem");
    let run = folder.run("keys show locked.pem");
    assert!(run.code == 3 && run.err.contains("give --passphrase-file to the command"), "{}", run.err);
    assert!(!run.err.contains("log_passphrase") && !run.err.contains("--log-passphrase-file"), "{}", run.err);
    let run = folder.run("keys show locked.pem --passphrase-file words");
    assert!(run.code == 0 && run.err.contains("member key"), "{}", run.err);
}

#[test]
fn a_log_key_is_protected_by_a_passphrase_of_its_own() {
    let folder = Folder::new();
    folder.write("words", b"correct horse\n");
    folder.write("others", b"battery staple\n");
    let create = "create books.ledger --origin acme.example/books --key me.pem --module finance";
    let run = folder.run(&format!("{create} --log-passphrase-file words"));
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(folder.read("books.ledger.logkey.pem").contains("ENCRYPTED PRIVATE KEY"));
    let account = "{\"id\":\"cash\",\"kind\":\"asset\",\"currency\":\"EUR\"}\n";
    for (options, words) in [
        (
            "",
            "books.ledger.logkey.pem is protected by a passphrase: give log_passphrase= when the ledger is opened, or --log-passphrase-file",
        ),
        ("--log-passphrase-file others", "books.ledger.logkey.pem: the passphrase is wrong"),
    ] {
        let run = folder.append("finance.account", account, options);
        assert!(run.code == 3 && run.err.contains(words), "{options}: {}", run.err);
    }
    assert_eq!(folder.append("finance.account", account, "--log-passphrase-file words").code, 0);
    let run = folder.run("keys rotate-log books.ledger --key me.pem --log-passphrase-file words");
    assert_eq!(run.code, 0, "{}", run.err);
    let run = folder.run("keys show books.ledger.logkey.pem --passphrase-file words");
    assert!(run.code == 0 && run.err.contains("log key"), "{}", run.err);
    let run = folder.run("keys show books.ledger.logkey.pem");
    assert!(
        run.code == 3 && run.err.contains("is protected by a passphrase: give --passphrase-file to"),
        "{}",
        run.err
    );
    let run = folder.run("keys passwd books.ledger.logkey.pem --new-passphrase-file others");
    assert!(run.code == 3 && run.err.contains("give old=, or --passphrase-file to"), "{}", run.err);
    assert!(!run.err.contains("log_passphrase") && !run.err.contains("--log-passphrase-file"), "{}", run.err);

    let changed = "keys passwd books.ledger.logkey.pem --passphrase-file words --new-passphrase-file others";
    assert_eq!(folder.run(changed).code, 0);
    let mut command = folder.spawn("suspend books.ledger finance --reason check --key me.pem");
    let output = command.env("LEDGERSTONE_LOG_PASSPHRASE", "battery staple").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(folder.run("keys passwd books.ledger.logkey.pem --passphrase-file others --remove").code, 0);
    assert_eq!(folder.run("resume books.ledger finance --reason checked --key me.pem").code, 0);
}
