"""`python -m tests.attacks.as_user UID MODULE HOME`: a party's process as another Unix user.

The interpreter and this project may lie where that user cannot go (a root's own home), so the
code is loaded first, as root, and then the process gives up root for good: user, groups and,
with them, every capability. Only after that does it look at the party's directory. What it
reads from there on, it reads as that user.
"""

from __future__ import annotations

import encodings
import importlib
import os
import pkgutil
import sys
from contextlib import suppress

import sqlalchemy

from dataspace.query.parse import parse_query


def main() -> None:
    """Load, give up root, run."""
    uid, module, home = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    importlib.import_module("concurrent.futures.thread")
    entry = importlib.import_module(f"{module}.__main__")
    for codec in pkgutil.iter_modules(encodings.__path__, "encodings."):
        with suppress(ImportError):  # those of other systems
            importlib.import_module(codec.name)
    parse_query("SELECT count(*) FROM patients")  # and a parser its dialect
    sqlalchemy.create_engine("sqlite://").connect().close()  # loads what a ledger needs
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.umask(0o077)
    sys.argv = [module, "--home", home]
    entry.main()


if __name__ == "__main__":
    main()
