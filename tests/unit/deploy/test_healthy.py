"""deploy/healthy: what it takes of a party's page, and what it leaves to others."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

HEALTHY = Path(__file__).parents[3] / "deploy" / "healthy"


@contextmanager
def paged(run: Path, reasons: object) -> Iterator[None]:
    """A party's page that is not ready for these reasons."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"ready": False, "reasons": reasons}).encode()
            self.send_response(503 if self.path == "/readyz" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        (run / "metrics.address").write_text(f"127.0.0.1:{server.server_port}")
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Where a party that is attached keeps its state."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "state.json").write_text('{"stage": "attached"}')
    return folder


def asked(run: Path, *path: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(HEALTHY), *path], env={"GBA_HOME": str(run.parent)},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize("reason", ["log-stopped", "log-behind"])
def test_a_party_whose_log_is_closed_is_not_healthy(run: Path, reason: str) -> None:
    with paged(run, ["revocations-stale", reason]):
        code, said = asked(run)
    assert code == 1
    assert said.startswith("its log ")
    assert said.count("log") == 1 or "backup.md" in said


@pytest.mark.parametrize(
    "reasons",
    [[], ["revocations-stale", "trust-expired", "witnesses-absent", "policy-rejected"], None, "x"],
)
def test_what_is_not_its_own_to_mend_does_not_make_a_party_unhealthy(
    run: Path, reasons: object
) -> None:
    with paged(run, reasons):
        assert asked(run) == (0, "healthy")


def test_a_path_of_the_page_is_shown(run: Path) -> None:
    with paged(run, ["log-stopped"]):
        code, said = asked(run, "/readyz")
        assert (code, json.loads(said)["reasons"]) == (1, ["log-stopped"])
    assert asked(run, "/readyz") == (1, "it has no page, or the page does not answer")


def test_a_party_without_a_page_is_judged_by_its_state_alone(run: Path) -> None:
    assert asked(run) == (0, "healthy")
    (run / "metrics.address").write_text("127.0.0.1:1")
    assert asked(run) == (0, "healthy")
    (run / "state.json").write_text('{"stage": "waiting", "reason": "no broker"}')
    assert asked(run) == (1, "it is waiting: no broker")
