"""The images under test: deploy/Dockerfile's targets, built from the working tree.

Promises images that are current with the sources, built without network wherever wheels for it can
be fetched beforehand. Leaves starting containers to the tests.
"""

import contextlib
import hashlib
import io
import platform
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from .base_image import NoBaseImage, ensure_base
from .engine import alone, cache_directory, docker, ensure_engine, run

# The broker's first: the node's stages follow on its own.
TAGS: Final = {"broker": "gba-broker:test", "node": "gba-node:test"}
SOURCES_LABEL: Final = "gba.sources"
HOUSE: Final = Path(__file__).resolve().parents[2]
DOCKERFILE: Final = HOUSE / "deploy" / "Dockerfile"
WHEELHOUSE: Final = "deploy/wheelhouse"
LOCKS: Final = (HOUSE / "requirements.lock", HOUSE / "requirements-dev.lock")
# The C library of the base image's Debian: wheels chosen for a newer one would not load there.
BASE_GLIBC: Final = (2, 36)


class NoImage(Exception):
    """An image under test was not built; the message says why."""


@dataclass(frozen=True)
class Images:
    """The images under test, by tag."""

    broker: str
    node: str


def ensure_images() -> Images:
    """The images under test, built anew when their sources or their base have changed.

    Raises `NoImage` and `NoBaseImage`. Needs an engine: call `ensure_engine` first.
    """
    base = ensure_base()
    with alone("image"):
        wanted = _sources_digest(base)
        for target, tag in TAGS.items():
            before = _inspect(tag, "{{.Id}}")
            if _inspect(tag, f'{{{{index .Config.Labels "{SOURCES_LABEL}"}}}}') == wanted:
                continue
            _build(target, base, wanted, wheelhouse())
            if before and before != _inspect(tag, "{{.Id}}"):
                # The one it replaces; stays when a container still uses it.
                docker("image", "rm", before)
        return Images(**TAGS)


def wheelhouse() -> Path | None:
    """The locked wheels, fetched once with this machine's own pip settings.

    `None` where this interpreter's wheels would not fit the image: the build then fetches its own.
    """
    if not _wheels_fit():
        return None
    locks = b"".join(lock.read_bytes() for lock in LOCKS)
    key = hashlib.sha256(platform.machine().encode() + locks).hexdigest()[:16]
    wheels = cache_directory() / f"wheels-{key}"
    complete = wheels / "complete"
    if not complete.exists():
        for lock in LOCKS:
            _download(lock, wheels)
        complete.touch()
    return wheels


def sources() -> Iterator[Path]:
    """Every file that the image is made from, by the list in .dockerignore."""
    for line in (HOUSE / ".dockerignore").read_text().splitlines():
        if not line.startswith("!") or line[1:] == WHEELHOUSE:
            continue
        listed = HOUSE / line[1:]
        found = sorted(listed.rglob("*")) if listed.is_dir() else [listed]
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


def _wheels_fit() -> bool:
    library, version = platform.libc_ver()
    if sys.version_info[:2] != (3, 11) or library != "glibc":
        return False
    return tuple(int(part) for part in version.split(".")[:2]) <= BASE_GLIBC


def _sources_digest(base: str) -> str:
    digest = hashlib.sha256(_inspect(base, "{{.Id}}").encode())
    for file in (DOCKERFILE, *sources()):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"\n{file.relative_to(HOUSE).as_posix()} {content}".encode())
    return digest.hexdigest()


def _download(lock: Path, wheels: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    options = ("--only-binary", ":all:", "--require-hashes", "--dest", str(wheels))
    done = run(*pip, "download", *options, "--requirement", str(lock))
    if done.returncode != 0:
        raise NoImage(f"wheels of {lock.name} cannot be fetched: {done.stderr.strip()}")


def _build(target: str, base: str, sources_digest: str, wheels: Path | None) -> None:
    """Stream the build context, so that nothing is written into the working tree."""
    # With wheels at hand the build gets no network: it proves that the lock is whole.
    network = "default" if wheels is None else "none"
    log = cache_directory() / "image.log"
    command = ["docker", "build", "--target", target, "--tag", TAGS[target]]
    command += ["--network", network, "--force-rm"]
    command += ["--label", f"{SOURCES_LABEL}={sources_digest}", "--build-arg", f"BASE={base}"]
    command += ["--file", DOCKERFILE.relative_to(HOUSE).as_posix(), "-"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        ) as build,
    ):
        assert build.stdin is not None
        # A build that fails early closes the pipe; its own message in the log says more.
        with contextlib.suppress(BrokenPipeError), build.stdin as stream:
            _write_context(stream, wheels)
    if build.returncode != 0:
        said = log.read_text(errors="replace").strip().splitlines()[-15:]
        raise NoImage("docker build failed:\n" + "\n".join(said))


def _write_context(stream: IO[bytes], wheels: Path | None) -> None:
    with tarfile.open(fileobj=stream, mode="w|", dereference=True) as archive:
        for file in (DOCKERFILE, *sources()):
            _add(archive, file, file.relative_to(HOUSE).as_posix())
        for wheel in sorted(wheels.glob("*.whl")) if wheels else ():
            _add(archive, wheel, f"{WHEELHOUSE}/{wheel.name}")


def _add(archive: tarfile.TarFile, file: Path, name: str) -> None:
    """Add `file` without what differs from one checkout to the next: owner, times, write bits."""
    content = file.read_bytes()
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
    archive.addfile(entry, io.BytesIO(content))


def _inspect(image: str, field: str) -> str:
    done = docker("image", "inspect", "--format", field, image)
    return done.stdout.strip() if done.returncode == 0 else ""


def main() -> int:
    """Prepare engine, base and images by hand, ahead of the tests."""
    if reason := ensure_engine():
        print(reason, file=sys.stderr)
        return 5
    try:
        print(ensure_images())
    except (NoImage, NoBaseImage) as hindrance:
        print(hindrance, file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
