//! A folder to run the command in.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A folder with a member's key `me.pem`.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        assert_eq!(folder.run("keys generate me.pem --label controller").code, 0);
        folder
    }

    /// A folder with the ledger `books.ledger`: accounts cash (no overdraft) and sales, transfers t1 and t3.
    pub(crate) fn with_books() -> Self {
        let folder = Folder::new();
        let created = folder.run("create books.ledger --origin acme.example/books --key me.pem --module finance");
        assert_eq!(created.code, 0, "{}", created.err);
        let accounts = "{\"id\":\"cash\",\"kind\":\"asset\",\"currency\":\"EUR\",\"floor\":\"0\"}\n\n\
                        {\"id\":\"sales\",\"kind\":\"income\",\"currency\":\"EUR\"}\n";
        assert_eq!(folder.append("finance.account", accounts, "").code, 0);
        let transfers = [transfer("t1", "cash", "sales", "12.50"), transfer("t3", "cash", "sales", "1000")].concat();
        assert_eq!(folder.append("finance.transfer", &transfers, "").code, 0);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn run(&self, line: &str) -> Run {
        self.run_with(line, "")
    }

    pub(crate) fn append(&self, record_type: &str, lines: &str, options: &str) -> Run {
        self.run_with(&format!("append books.ledger {record_type} --key me.pem {options}"), lines)
    }

    /// Runs the command; words are parted by spaces, `~` stands for a space within one.
    pub(crate) fn run_with(&self, line: &str, input: &str) -> Run {
        self.run_with_bytes(line, input.as_bytes())
    }

    pub(crate) fn run_with_bytes(&self, line: &str, input: &[u8]) -> Run {
        let mut command = self.spawn(line);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read its input may have ended before it is written.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The command, ready to run.
    pub(crate) fn spawn(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ledgerstone"));
        let words = line.split_whitespace().map(|word| word.replace('~', " "));
        command.args(words).current_dir(self.path()).env_remove("LEDGERSTONE_KEY");
        command
    }

    pub(crate) fn write(&self, file: &str, content: &[u8]) {
        std::fs::write(self.path().join(file), content).unwrap();
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file)).unwrap()
    }

    /// Runs it, expects this exit code, and gives standard output as JSON lines.
    pub(crate) fn json(&self, line: &str, code: i32) -> Vec<Value> {
        let run = self.run(line);
        assert_eq!(run.code, code, "{line}: {}", run.err);
        run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub(crate) fn transfer(id: &str, debit: &str, credit: &str, amount: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"debit\":\"{debit}\",\"credit\":\"{credit}\",\"currency\":\"EUR\",\"amount\":\"{amount}\"}}\n"
    )
}
