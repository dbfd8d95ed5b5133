"""An image with Debian's Prometheus, made on the node's, where the public one is not to be had."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .engine import docker, ensure_program, run

_DOCKERFILE = """FROM {base}
USER 0
COPY usr/bin/prometheus usr/bin/promtool /bin/
RUN install -d -o 65534 -g 65534 /prometheus
USER 65534:65534
"""


class NoPrometheus(Exception):
    """Prometheus cannot be had; the message says why."""


@contextmanager
def prometheus_image(base: str) -> Iterator[str]:
    """The image's id; it is removed in the end. Raises `NoPrometheus`."""
    if (reason := ensure_program("apt-get")) or (reason := ensure_program("dpkg-deb")):
        raise NoPrometheus(reason)
    with tempfile.TemporaryDirectory(prefix="gba-prometheus-") as folder:
        steps = "apt-get download prometheus && dpkg-deb -x prometheus_*.deb . && rm *.deb"
        fetched = run("sh", "-c", f"cd {folder} && {steps}")
        if fetched.returncode != 0:
            raise NoPrometheus(f"it cannot be fetched: {fetched.stderr.strip()[-200:]}")
        (Path(folder) / "Dockerfile").write_text(_DOCKERFILE.format(base=base))
        built = docker("build", "--quiet", folder)
        assert built.returncode == 0, built.stderr
    image = built.stdout.strip()
    try:
        yield image
    finally:
        docker("image", "rm", "--force", image)
