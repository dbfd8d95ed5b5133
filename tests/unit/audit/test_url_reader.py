from __future__ import annotations

import gzip
import shutil
import time
import tracemalloc
from collections.abc import Iterator
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request

import pytest

from dataspace.audit import url_reader
from dataspace.audit.reader import COSIGNED, DirectoryReader
from dataspace.audit.tiles import Tile, tiles_of
from dataspace.audit.url_reader import UrlReader
from dataspace.audit.verify import verify_log
from dataspace.errors import Malformed, Unavailable, Unverified

from .samples import KEY, write_batched
from .served import Served, reply, serving

SIZE = 262


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("served") / "log"
    write_batched(directory, SIZE)
    return directory


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "log")
    return tmp_path / "log"


@pytest.fixture
def served(copy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(url_reader, "_AGAIN_SECONDS", 0.01)
    with serving(copy) as server:
        yield server


def reader(served: Served) -> UrlReader:
    return UrlReader(served.prefix + "/", timeout_s=2, deadline_s=4)


def test_a_log_behind_a_url_verifies_as_its_directory_does(served: Served, copy: Path) -> None:
    verified = verify_log(reader(served), KEY)
    assert verified == verify_log(DirectoryReader(copy), KEY)
    assert verified.entries_checked == SIZE
    assert all(reader(served).read(tile) == DirectoryReader(copy).read(tile)
               for tile in tiles_of(SIZE))  # fmt: skip


def test_a_changed_byte_behind_a_url_is_found(served: Served, copy: Path) -> None:
    for path in ("checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/entries/001.p/6"):
        data = (copy / path).read_bytes()
        (copy / path).write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
        with pytest.raises(Unverified):
            verify_log(reader(served), KEY)
        (copy / path).write_bytes(data)


def test_a_partial_tile_that_is_gone_is_cut_from_the_full_one(served: Served, copy: Path) -> None:
    for path in ("tile/0/000", "tile/entries/000"):
        whole = (copy / path).read_bytes()
        assert len(whole) > 0
    for level, path in ((0, "tile/0/000.p/9"), (None, "tile/entries/000.p/9")):
        tile = Tile(level, 0, 9)
        assert not (copy / path).exists()
        assert reader(served).read(tile) == DirectoryReader(copy).read(tile)
        assert served.asked[-2:] == [path, path.removesuffix(".p/9")]


def test_a_missing_file_is_unverified_and_named(served: Served, copy: Path) -> None:
    (copy / "tile/0/000").unlink()
    with pytest.raises(Unverified, match="tile/0/000 is not served"):
        reader(served).read(Tile(0, 0))
    (copy / "checkpoint").unlink()
    with pytest.raises(Unverified, match="checkpoint is not served"):
        reader(served).checkpoint()
    assert reader(served).cosigned() is None


def test_the_cosigned_checkpoint_is_read_where_it_is_served(served: Served, copy: Path) -> None:
    (copy / COSIGNED).write_text("a note\n")
    assert reader(served).cosigned() == "a note\n"


def test_entries_that_are_not_public_are_named_as_such(served: Served, copy: Path) -> None:
    shutil.rmtree(copy / "tile/entries")
    with pytest.raises(Unverified, match="--no-entries"):
        verify_log(reader(served), KEY)


def test_a_server_that_fails_for_a_moment_is_asked_again(served: Served, copy: Path) -> None:
    def once(handler: BaseHTTPRequestHandler) -> None:
        served.answers.clear()
        reply(handler, 503, b"")

    served.answers["checkpoint"] = once
    assert reader(served).checkpoint() == (copy / "checkpoint").read_text()


def test_a_server_that_keeps_failing_is_asked_three_times(served: Served) -> None:
    served.answers["checkpoint"] = lambda handler: reply(handler, 500, b"")
    with pytest.raises(Unavailable, match="status 500"):
        reader(served).checkpoint()
    assert len(served.asked) == 3


def test_a_server_that_is_away_is_unavailable(whole: Path) -> None:
    with serving(whole) as gone:
        prefix = gone.prefix
    with pytest.raises(Unavailable, match="cannot be read"):
        UrlReader(prefix, timeout_s=1, deadline_s=1).checkpoint()


@pytest.mark.parametrize("answer", ["gzip", "identity"])
def test_a_file_longer_than_its_kind_is_refused_without_reading_it_all(
    served: Served, answer: str
) -> None:
    # 50 MB of zeros compress to 50 kB: what is read must be bounded after decompression.
    packed = gzip.compress(bytes(50_000_000), compresslevel=1) if answer == "gzip" else bytes(9000)
    served.answers["tile/0/000"] = lambda handler: reply(
        handler, 200, packed, Content_Encoding=answer
    )
    tracemalloc.start()
    try:
        with pytest.raises(Unverified, match="more than 8192 bytes"):
            reader(served).read(Tile(0, 0))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_compressed_file_is_read(served: Served, copy: Path) -> None:
    data = (copy / "tile/entries/000").read_bytes()
    served.answers["tile/entries/000"] = lambda handler: reply(
        handler, 200, gzip.compress(data), Content_Encoding="gzip"
    )
    assert reader(served).read(Tile(None, 0)) == data


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_an_encoding_that_was_not_asked_for_is_refused(served: Served, encoding: str) -> None:
    served.answers["checkpoint"] = lambda handler: reply(
        handler, 200, b"x", Content_Encoding=encoding
    )
    with pytest.raises(Unverified, match="encoding"):
        reader(served).checkpoint()


def test_what_does_not_decompress_is_refused(served: Served) -> None:
    served.answers["checkpoint"] = lambda handler: reply(
        handler, 200, b"no gzip", Content_Encoding="gzip"
    )
    with pytest.raises(Unverified, match="does not decompress"):
        reader(served).checkpoint()


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_file_that_breaks_off_is_no_file(served: Served, copy: Path, encoding: str) -> None:
    data = (copy / "checkpoint").read_bytes()
    sent = gzip.compress(data)[:-9] if encoding == "gzip" else data[:-9]

    def cut(handler: BaseHTTPRequestHandler) -> None:
        length = str(len(sent) + (0 if encoding == "gzip" else 9))
        reply(handler, 200, sent, Content_Length=length, Content_Encoding=encoding)

    served.answers["checkpoint"] = cut
    with pytest.raises(Unavailable):
        reader(served).checkpoint()


@pytest.mark.parametrize("pause", [0.05, 10])
def test_a_server_that_drips_or_says_nothing_costs_no_more_than_the_deadline(
    served: Served, pause: float
) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        try:
            for _ in range(400):
                handler.wfile.write(b"x")
                time.sleep(min(pause, 1.5))
        except OSError:
            pass

    served.answers["checkpoint"] = drip
    begun = time.monotonic()
    with pytest.raises((Unavailable, Unverified)):
        UrlReader(served.prefix, timeout_s=0.3, deadline_s=0.6).checkpoint()
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "//"])
def test_a_redirect_to_anything_but_http_is_not_followed(served: Served, target: str) -> None:
    served.answers["checkpoint"] = lambda handler: reply(handler, 302, b"", Location=target)
    with pytest.raises((Unavailable, Unverified)):
        reader(served).checkpoint()


@pytest.mark.parametrize(
    ("at", "to", "followed"),
    [("https", "https", True), ("http", "https", True), ("http", "http", True),
     ("https", "http", False), ("http", "ftp", False), ("http", "file", False)],
)  # fmt: skip
def test_no_redirect_leads_from_https_to_less(at: str, to: str, followed: bool) -> None:
    request = Request(f"{at}://one.example/checkpoint")
    redirect = url_reader._Redirects().redirect_request
    arguments = (BytesIO(), 302, "moved", HTTPMessage(), f"{to}://other.example/checkpoint")
    if followed:
        again = redirect(request, *arguments)
        assert again is not None
        assert again.full_url == f"{to}://other.example/checkpoint"
    else:
        with pytest.raises(URLError, match=f"redirects to {to}"):
            redirect(request, *arguments)


def test_a_redirect_within_http_is_followed_but_not_for_ever(served: Served, copy: Path) -> None:
    served.answers["checkpoint"] = lambda handler: reply(handler, 302, b"", Location="/tile/moved")
    served.answers["tile/moved"] = lambda handler: reply(
        handler, 200, (copy / "checkpoint").read_bytes()
    )
    assert reader(served).checkpoint() == (copy / "checkpoint").read_text()
    served.answers["tile/moved"] = lambda handler: reply(handler, 302, b"", Location="/checkpoint")
    with pytest.raises((Unavailable, Unverified)):
        reader(served).checkpoint()


@pytest.mark.parametrize(
    "prefix",
    ["", "log", "/log", "file:///log", "ftp://host/log", "https://", "http://[::1", "data:,x",
     "https://user@host/log", "https://host/log?x=1", "https://host/log#x", "http:log"],
)  # fmt: skip
def test_a_prefix_that_is_no_plain_http_url_is_malformed(prefix: str) -> None:
    with pytest.raises(Malformed):
        UrlReader(prefix)
