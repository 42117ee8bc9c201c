"""Where a record stands. In Python, because a named tuple compares, unpacks and pickles by itself."""

from typing import NamedTuple


class RowId(NamedTuple):
    """The place of a record: its transaction, and its position in it.

    >>> index, position = RowId(7, 0)
    >>> RowId(7, 0) == (7, 0)
    True
    """

    index: int
    """Index of the transaction in the log."""
    position: int
    """Position among the records of the transaction."""
