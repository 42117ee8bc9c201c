"""A ledger that rested for years, in a process whose clock stood at its beginning."""

import os
import subprocess
import sys
from pathlib import Path

import ledgerstone as ls
import pytest

# 2020-09-13, for everything that asks the C library.
SHIM = """
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    (void)clock;
    time->tv_sec = 1600000000;
    time->tv_nsec = 0;
    return 0;
}
"""
CREATE = """
import sys
import ledgerstone as ls
key = ls.Key.load(sys.argv[1])
ls.create(sys.argv[2], origin="acme.example/rested", key=key, modules=["finance"]).close()
"""


@pytest.fixture
def rested(tmp_path: Path, me: ls.Key) -> Path:
    if sys.platform != "linux":
        pytest.skip("another clock is given to a process by the loader of Linux")
    # The one that Rust links with.
    compiler = "cc"
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    key, path = tmp_path / "me.pem", tmp_path / "rested.ledger"
    me.save(key)
    command = [sys.executable, "-c", CREATE, str(key), str(path)]
    subprocess.run(command, check=True, env={**os.environ, "LD_PRELOAD": str(library)})
    return path


def test_a_ledger_that_rested_takes_one_step_of_the_clock(rested: Path, me: ls.Key) -> None:
    account = {"id": "cash", "kind": "asset", "currency": "EUR"}
    with ls.open(rested, key=me) as ledger:
        assert ledger.size == 2
        with pytest.raises(ls.LimitError, match="accept_clock_step") as caught:
            ledger.append("finance.account", account)
        assert (caught.value.code, caught.value.bound) == ("ledger.max_clock_step", 31_622_400)
        assert caught.value.value > caught.value.bound
    with ls.open(rested, key=me, accept_clock_step=True) as ledger:
        ledger.append("finance.account", account)
    # From then on its time is today's, and nothing has to be accepted.
    with ls.open(rested, key=me) as ledger:
        ledger.append("finance.account", {**account, "id": "till"})
        assert ledger.audit().ok
