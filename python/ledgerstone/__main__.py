"""The command ``ledgerstone``: the same as the one built from the Rust crate."""

import signal
import sys

from . import _core


def main() -> int:
    """Runs the command with the arguments of the process."""
    # The command is a program of its own: Ctrl-C and a closed pipe end it, as they end any other. The ledger stays whole.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # `python -m ledgerstone` is the same command, under the same name.
    return _core.cli_main(["ledgerstone", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
