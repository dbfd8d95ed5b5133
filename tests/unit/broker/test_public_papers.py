"""Of a home, what whoever joins may fetch: trust lists and charters, and nothing beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from broker.public_papers import paper_routes

Get = Callable[[str], tuple[int, bytes]]


@pytest.fixture
def get(tmp_path: Path) -> Get:
    """Status and body of a path, decoded as a server hands it over."""
    for name in ("trust/1.dsse", "trust/1.dsse.new", "trust/notes", "keys/1.dsse", "bodies/2.dsse"):
        file = tmp_path / "home" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    (tmp_path / "1.dsse").write_bytes(b"outside")
    app = Starlette(routes=paper_routes(tmp_path / "home"))

    def fetch(path: str) -> tuple[int, bytes]:
        scope = {
            "type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"",
            "http_version": "1.1", "scheme": "http", "server": ("x", 80), "root_path": "",
        }  # fmt: skip
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(app(scope, receive, send))
        return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])

    return fetch


def test_a_trust_list_is_handed_out_as_it_was_signed(get: Get) -> None:
    assert get("/trust/1.dsse") == (200, b"trust/1.dsse")


@pytest.mark.parametrize(
    "path",
    [
        "/keys/1.dsse", "/bodies/2.dsse", "/../1.dsse", "/trust/1.dsse.new", "/trust/notes",
        "/trust/../keys/1.dsse", "/trust/..", "/trust/01.dsse", "/charters/1.dsse", "//1.dsse",
    ],
)  # fmt: skip
def test_nothing_else_of_the_home_is(get: Get, path: str) -> None:
    assert get(path)[0] == 404
