"""What is set in the database driver beside Django's settings."""

from __future__ import annotations

from psycopg import _queries

#: Letters and parameters up to which psycopg keeps the converted text of a statement; its own bounds (4,096 and 50)
#: are below what our orders write last, and converting that anew costs a tenth of a report.
LONGEST, MOST = 20_000, 200


def keep_long_statements() -> None:
    """Let the driver keep the converted texts of our longest statements too.

    There is no public setting for it. tests/unit/foundation/test_driver.py tells when a new release has moved it.
    """
    _queries.MAX_CACHED_STATEMENT_LENGTH = LONGEST
    _queries.MAX_CACHED_STATEMENT_PARAMS = MOST
