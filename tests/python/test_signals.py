"""Ctrl-C at any moment of any call leaves the ledger whole: a child process works, and is interrupted again and again."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import ledgerstone as ls
import pytest

STOPS = 8
PATIENCE_SECONDS = 60

CHILD = """
import itertools, signal, sys
from pathlib import Path
import ledgerstone as ls

path, key, verb, stops = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
ledger = ls.open(path, key=ls.Key.load(key))
numbers = itertools.count()
acknowledged = path.with_name("acknowledged").open("w")

def transfer(id, amount="1"):
    return {"id": id, "debit": "cash", "credit": "sales", "currency": "EUR", "amount": amount}

def append():
    id = f"a{next(numbers)}"
    ledger.append("finance.transfer", transfer(id))
    print(id, file=acknowledged, flush=True)

def append_many():
    load = next(numbers)
    ids = [f"m{load}-{row}" for row in range(20_000)]
    ledger.append_many("finance.transfer", (transfer(id, "0.01") for id in ids), progress=False)
    print(*ids, sep="\\n", file=acknowledged, flush=True)

def transaction():
    load = next(numbers)
    ids = [f"t{load}-{row}" for row in range(50)]
    with ledger.transaction() as tx:
        for id in ids:
            tx.append("finance.transfer", transfer(id))
    print(*ids, sep="\\n", file=acknowledged, flush=True)

def iterate():
    assert sum(1 for _ in ledger.query("finance.transfer")) == 20_000

def audit():
    assert ledger.audit(progress=False).ok

def export():
    ledger.export(path.with_name("trail.parquet"), overwrite=True, progress=False)

def receipt():
    ledger.receipt((3, next(numbers) % 20_000)).verify(ledger.verifier_keys)

is_armed = False

def interrupt(number, frame):
    global is_armed
    if is_armed:
        is_armed = False
        raise KeyboardInterrupt

signal.signal(signal.SIGINT, interrupt)
work = globals()[verb]
for stop in range(stops):
    try:
        is_armed = True
        print("armed", flush=True)
        while True:
            work()
    except KeyboardInterrupt:
        print("stopped", flush=True)
is_armed = False
assert ledger.audit(progress=False).ok
ledger.close()
print("whole", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX has them")
@pytest.mark.parametrize("verb", ["append", "append_many", "transaction", "iterate", "audit", "export", "receipt"])
def test_ctrl_c_leaves_the_ledger_whole(path: Path, me: ls.Key, ledger: ls.Ledger, verb: str) -> None:
    base = [
        {"id": f"base{row}", "debit": "cash", "credit": "sales", "currency": "EUR", "amount": "1"}
        for row in range(20_000)
    ]
    ledger.append_many("finance.transfer", base)
    ledger.close()
    key = path.with_name("me.pem")
    me.save(key)
    command = [sys.executable, "-c", CHILD, str(path), str(key), verb, str(STOPS)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    moments = random.Random(verb)
    said = child.stdout.readline()
    for _ in range(STOPS):
        assert said == "armed\n", child.communicate()[1]
        # From at once to the middle of whatever takes long.
        try:
            child.wait(moments.choice([0.001, 0.01, 0.05, 0.2]))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "stopped\n", child.communicate()[1]
        said = child.stdout.readline()
    out, error = child.communicate(timeout=PATIENCE_SECONDS)
    assert said + out == "whole\n", error
    acknowledged = set(path.with_name("acknowledged").read_text().split())
    with ls.open(path, key=me) as again:
        kept = {row["id"] for row in again.query("finance.transfer", columns=["id"])} - {row["id"] for row in base}
        # What was acknowledged is there. What was interrupted is there as a whole or not at all, a transaction for each stop at most.
        assert acknowledged <= kept
        sizes = {"append": 1, "append_many": 20_000, "transaction": 50}
        assert len(kept - acknowledged) % sizes.get(verb, 1) == 0
        assert len(kept - acknowledged) <= STOPS * sizes.get(verb, 0)
        assert again.audit().ok
