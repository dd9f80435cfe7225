"""A node that is killed at any moment, ten times: every series arrives exactly once."""

import random
import subprocess
import time

import pytest
from archive import STORESCU
from made_node import RULE, NodeProcess, made_series, made_settings
from server_process import ServerProcess, wait_until

from textsegment.node.journal.entries import State
from textsegment.node.journal.journal import Journal

SERIES = 5
KILLS = 10


def send(folder, waiting, port):
    """Send the next series as a scanner does, which sends it again until all of it was taken."""
    if not waiting:
        return None
    scan = str(folder / f"scan{waiting[0]}")
    titles = ["-aet", "SCANNER", "-aec", "TEXTSEGMENT"]
    return subprocess.Popen(
        [STORESCU, *titles, "+sd", "127.0.0.1", str(port), scan], stderr=subprocess.DEVNULL
    )


@pytest.mark.filterwarnings("ignore")
def test_killed_ten_times_everything_arrives_once(tmp_path, archive, node_port):
    names = [made_series(tmp_path / f"scan{number}", number) for number in range(SERIES)]
    rule = {**RULE, "outputs": ["rtstruct", "report"], "destinations": ["archive", "web"]}
    with ServerProcess(arguments=[{"seconds": 0.15}]) as server:
        settings = made_settings(
            tmp_path, archive, node_port, rules=[rule], engine={"server": server.url}, monitor=None
        )
        node = NodeProcess(tmp_path / "node.toml")
        node.wait_ready()
        random_, waiting = random.Random(7), list(range(SERIES))
        for kill in range(KILLS):
            sending = send(tmp_path, waiting, node_port)
            time.sleep(random_.uniform(0.0, 0.3 + 0.15 * kill))
            node.kill()
            if sending is not None and sending.wait(300) == 0:
                waiting.pop(0)
            node.wait_ready()
        while (sending := send(tmp_path, waiting, node_port)) is not None:
            assert sending.wait(300) == 0
            waiting.pop(0)
        wait_until(lambda: done(settings), "all series", 300)
        node.process.terminate()
        assert node.end() == 0
    log = node.log.read_text()
    assert "Traceback" not in log, log
    assert '"defect"' not in log, log
    journal = Journal(settings.folder / "journal.sqlite", read_only=True)
    assert {entry.uid for entry in journal.entries()} == set(names)
    assert {entry.state for entry in journal.entries()} == {State.DELIVERED}
    journal.close()
    for modality in ("RTSTRUCT", "SR"):
        objects = archive.find(modality)
        assert sorted(about(each, names) for each in objects) == sorted(names), modality
    assert not list(settings.folder.rglob("*.part"))


def about(dataset, names):
    (name,) = [name for name in names if name in str(dataset)]
    return name


def done(settings):
    journal = Journal(settings.folder / "journal.sqlite", read_only=True)
    try:
        counts = journal.counts()
        return counts["delivered"] == sum(counts.values()) == SERIES
    finally:
        journal.close()
