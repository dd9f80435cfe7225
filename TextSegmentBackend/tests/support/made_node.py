"""Nodes for tests: in this process, or in one of their own that can be killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from archive import AE_TITLE, Archive, free_port
from made_dicom import write_series
from server_process import wait_until

from textsegment.node.journal.entries import State
from textsegment.node.journal.journal import Journal
from textsegment.node.node import Node, idle, quiet_libraries
from textsegment.node.settings import NodeSettings, read_settings
from textsegment.node.tables import tomllib
from textsegment.segmenter import Segmenter
from textsegment.testing import FakeSegmenter

AFFINE = np.array([[-3.0, 0, 0, 60], [0, -3, 0, 40], [0, 0, 4, -20], [0, 0, 0, 1]])
SHAPE = (32, 30, 12)
RULE = {"name": "all CT", "match": {"modality": "CT"}, "text": "liver, left kidney", "outputs": ["rtstruct"]}


def made_series(folder: Path, seed: int = 0, shape: tuple[int, int, int] = SHAPE, **options: Any) -> str:
    """Write a small CT series of noise; returns its series instance UID."""
    import pydicom

    stored = np.random.default_rng(seed).integers(900, 1200, shape).astype(np.uint16)
    paths = write_series(folder, stored, AFFINE, **options)
    return str(pydicom.dcmread(paths[0], stop_before_pixels=True).SeriesInstanceUID)


def made_settings(
    folder: Path, archive: Archive | None = None, port: int = 0, **changes: Any
) -> NodeSettings:
    """Write the configuration of a node, and read it as the node does.

    Args:
        archive: A destination by DICOM (``archive``) and by DICOMweb (``web``).
        port: Port at which the node takes images; 0 for any.
        changes: Tables that replace the usual ones; None leaves one out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    peers = [{"ae_title": title, "address": "127.0.0.1"} for title in ("SCANNER", AE_TITLE)]
    content: dict[str, Any] = {
        "folder": "spool",
        "receive": {"port": port or free_port(), "peers": peers},
        "rules": [RULE],
        "limits": {
            "quiet_s": 0.4,
            "resume_s": 600.0,
            "retry_first_s": 0.2,
            "retry_longest_s": 0.5,
            "free_mb": 1,
        },
        "monitor": {"port": free_port()},
    }
    if archive is not None:
        (folder / "password").write_text(archive.password)
        web = {"url": archive.web, "user": archive.user, "password_file": "password"}
        content["destinations"] = [
            {
                "name": "archive",
                "kind": "dicom",
                "host": "127.0.0.1",
                "port": archive.port,
                "ae_title": AE_TITLE,
            },
            {"name": "web", "kind": "dicomweb", **web},
        ]
        content["rules"] = [{**RULE, "destinations": ["archive"]}]
    for name, table in changes.items():
        if table is None:
            content.pop(name, None)
        elif isinstance(table, dict):
            content[name] = {**content.get(name, {}), **table}
        else:
            content[name] = table
    (folder / "node.toml").write_text(to_toml(content))
    return read_settings(folder / "node.toml")


def to_toml(content: dict[str, Any]) -> str:
    """TOML of tables, with inner tables written inline."""
    text = "".join(f"{key} = {_value(value)}\n" for key, value in content.items())
    assert tomllib.loads(text) == content
    return text


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(str(value)) if isinstance(value, (str, Path)) else str(value)


@contextmanager
def running(settings: NodeSettings, segmenter: Segmenter | None = None) -> Iterator[Node]:
    """A node in this process."""
    quiet_libraries()
    node = Node(settings, segmenter or FakeSegmenter())
    node.start()
    try:
        yield node
    finally:
        node.stop()


def take(node: Node, folder: Path) -> None:
    """Let the node take a series without a network."""
    for path in sorted(folder.iterdir()):
        node.intake.take(path.read_bytes(), "SCANNER", node)
    node.intake.end_session(node, well=True, whole=True)


def wait_for(node: Node, count: int = 1, deadline_s: float = 180.0) -> None:
    """Wait until a number of entries are there, and nothing is left to do."""
    wait_until(lambda: sum(node.journal.counts().values()) >= count and idle(node), "the node", deadline_s)


def states(journal: Journal) -> list[State]:
    """The states of all entries, the oldest first."""
    return [entry.state for entry in journal.entries()]


class NodeProcess:
    """A node in a process of its own, which can be killed and started again.

    It is forked from a process that has imported everything, so that a start takes no time.
    """

    def __init__(self, config: Path) -> None:
        self._config, self.log = config, config.with_suffix(".log")
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["textsegment.node.node", "textsegment.client.remote", __name__])
        self._start()

    def _start(self) -> None:
        self._out, inner = self._context.Pipe(duplex=False)
        self.process = self._context.Process(target=_run_node, args=(str(self._config), str(self.log), inner))
        self.process.start()
        inner.close()

    def wait_ready(self) -> None:
        """Wait until it has started."""
        assert os.read(self._out.fileno(), 6) == b"ready\n", self.log.read_text()

    def kill(self) -> None:
        """End it as kill -9 does, and start it again; does not wait until it is ready."""
        self.process.kill()
        self.end()
        self._start()

    def end(self) -> int | None:
        """Wait for its end."""
        self.process.join(120)
        self._out.close()
        return self.process.exitcode


def _run_node(config: str, log: str, out: Connection) -> None:
    from textsegment.cli.app import run

    with Path(log).open("ab") as stream:
        os.dup2(stream.fileno(), 2)
    os.dup2(out.fileno(), 1)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    run(["node", "run", config, "--announce"])
