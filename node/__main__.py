"""`python -m node --home DIR`: a region's data node. With `load`, loads a product."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from dataspace.charter_files import read_charters
from dataspace.errors import DataspaceError
from dataspace.exits import exit_code
from dataspace.home import PartyHome
from dataspace.identity.dsse import parse_envelope
from dataspace.local_socket import ask_locally
from dataspace.processes import configure_logs, now_ms
from dataspace.query.product_file import parse_product
from dataspace.starting import home_parser, start
from node.catalogue import open_catalogue
from node.ledger import ledger_owner
from node.ledger_database import PASSWORD_FILE, open_engine
from node.ledger_versions import look
from node.restored import confirm, is_unconfirmed
from node.service import Node, publish_offline
from node.warehouse.engine import Limits
from node.warehouse.generations import Generations
from node.warehouse.loader import build


def main() -> None:
    """Run a node, or one load."""
    parser = home_parser("node", "the node's")
    verbs = parser.add_subparsers(dest="verb")
    load = verbs.add_parser("load", help="load one or more products, all or nothing")
    load.add_argument("jobs", type=Path, help="JSON: [{product, offer, files: [...]}, …]")
    verbs.add_parser("check", help="open the warehouse as the node does, and say what is there")
    verbs.add_parser("check-ledger", help="dial the ledger's server as the node does")
    arguments = parser.parse_args()
    configure_logs()
    home = PartyHome(arguments.home)
    if arguments.verb is None:
        start(home, _serve)
        return
    try:
        done = _do(arguments.verb, home, arguments)
    except DataspaceError as error:
        print(json.dumps({"error": error.kind, "code": error.code, "message": error.message}))
        sys.exit(exit_code(error))
    print(json.dumps(done))


async def _serve(home: PartyHome) -> None:
    if is_unconfirmed(home):
        await confirm(home)
    await Node.open(home).run()


def _do(verb: str, home: PartyHome, arguments: argparse.Namespace) -> dict[str, object]:
    match verb:
        case "load":
            return _load(home, arguments.jobs)
        case "check":
            return _check(home)
        case _:
            return _check_ledger(home)


def _load(home: PartyHome, jobs: Path) -> dict[str, object]:
    generations = Generations(home.path / "warehouse")
    loaded = {}
    charters = read_charters(home, home.trust_lists(now_ms()))
    with generations.loading() as draft:
        for job in json.loads(jobs.read_text()):
            file, offer = Path(job["product"]).read_bytes(), Path(job["offer"]).read_bytes()
            parse_envelope(offer)
            product = parse_product(file)
            if charters:
                charters[-1].check_offer(product)
            rows = build(draft, product, file, offer, [Path(each) for each in job["files"]])
            loaded[product.product] = rows
        reply = ask_locally(home.path / "run", {"do": "publish", "generation": draft.name})
        if reply is None:
            publish_offline(generations, draft)
    return {"loaded": loaded, "running": reply is not None}


def _check(home: PartyHome) -> dict[str, object]:
    """Open what the node would open, to read only, beside a node that runs."""
    limits = Limits(1, "256MB", 10.0, 1)
    generation = Generations(home.path / "warehouse").current()
    trust = home.trust(now_ms())
    catalogue = open_catalogue(generation, home.uri.region, trust, now_ms(), limits)
    if catalogue.engine is not None:
        catalogue.engine.close()
    return {"generation": catalogue.generation, "products": len(catalogue.products)}


def _check_ledger(home: PartyHome) -> dict[str, object]:
    """Dial it to read only, beside a node that runs."""
    engine = open_engine(home.config.ledger, home.path / PASSWORD_FILE)
    try:
        return {"version": look(engine, ledger_owner(home))}
    finally:
        engine.dispose()


if __name__ == "__main__":
    main()
