"""A real archive for tests of the node: Orthanc with DICOMweb, and dcmtk's storescu as a scanner.

Orthanc listens on every address, whatever it is told, so it runs in a network namespace of its own where that
is permitted; elsewhere on ports that nobody knows, with a random password and no remote access.
"""

from __future__ import annotations

import io
import json
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pydicom
import requests
from bridge import Bridge

_SUPPORT = Path(__file__).parent
# pynetdicom brings a program of the same name into the virtual environment.
STORESCU = shutil.which("storescu", path="/usr/bin:/usr/local/bin") or "storescu"
_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
_ROUTE = """
function OnStableSeries(seriesId, tags, metadata)
  if tags['Modality'] == 'CT' or tags['Modality'] == 'PT' then
    RestApiPost('/modalities/node/store', seriesId)
  end
end
"""
AE_TITLE = "ARCHIVE"


def free_port() -> int:
    """A TCP port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def has_archive() -> bool:
    """Whether the programs of the archive are installed."""
    return bool(shutil.which("Orthanc")) and Path(STORESCU).exists() and Path(_PLUGIN).exists()


class Archive:
    """A running Orthanc; series of CT and PET that are stable go on to the node, if it is reachable.

    Args:
        node_port: Port of the node on this side.

    Attributes:
        port: DICOM port.
        web: Address of DICOMweb.
        user, password: Credentials of DICOMweb and REST.
        is_apart: Whether it runs in a namespace of its own.
    """

    def __init__(self, node_port: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="textsegment-archive-"))
        self.port, http = free_port(), free_port()
        self.user, self.password = "tests", secrets.token_urlsafe(16)
        self.rest = f"http://127.0.0.1:{http}"
        self.web = f"{self.rest}/dicom-web"
        self._session = requests.Session()
        self._session.auth = (self.user, self.password)
        (self._folder / "route.lua").write_text(_ROUTE)
        (self._folder / "orthanc.json").write_text(
            json.dumps(
                {
                    "Name": "tests",
                    "StorageDirectory": str(self._folder / "db"),
                    "IndexDirectory": str(self._folder / "db"),
                    "HttpPort": http,
                    "DicomPort": self.port,
                    "DicomAet": AE_TITLE,
                    "RemoteAccessAllowed": False,
                    "AuthenticationEnabled": True,
                    "RegisteredUsers": {self.user: self.password},
                    "StableAge": 1,
                    "DicomModalities": {"node": ["TEXTSEGMENT", "127.0.0.1", node_port]},
                    "DicomAlwaysAllowStore": True,
                    "Plugins": [_PLUGIN],
                    "LuaScripts": [str(self._folder / "route.lua")],
                    "HttpThreadsCount": 8,
                    "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
                    "ConcurrentJobs": 4,
                }
            )
        )
        (self._folder / "db").mkdir()
        command = ["Orthanc", str(self._folder / "orthanc.json")]
        self._bridge: Bridge | None = None
        self.is_apart = _may_unshare()
        if self.is_apart:
            ports = {"into": [node_port], "out_of": [http, self.port]}
            wanted = json.dumps({"folder": str(self._folder), "command": command, **ports})
            command = ["unshare", "--net", sys.executable, str(_SUPPORT / "bridge.py"), wanted]
            self._bridge = Bridge(self._folder, ports["out_of"], ports["into"])
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self._log, stderr=self._log)
        end = time.monotonic() + 120
        while not self._is_up():
            assert time.monotonic() < end, (self._folder / "log").read_text()
            time.sleep(0.05)

    def close(self) -> None:
        """End it and wait for its end, since two cannot share a database."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if not self.is_apart:
            self._process.terminate()
        self._process.wait(120)
        if self._bridge is not None:
            self._bridge.close()
        self._session.close()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def get(self, path: str) -> Any:
        """Ask the REST API."""
        answer = self._session.get(f"{self.rest}{path}", timeout=120)
        answer.raise_for_status()
        return answer.json()

    def find(self, modality: str, series: str = "") -> list[pydicom.Dataset]:
        """All objects of a modality; only those that are about a series, if its UID is given."""
        found = self._session.post(
            f"{self.rest}/tools/find",
            json={"Level": "Instance", "Query": {"Modality": modality}},
            timeout=120,
        ).json()
        objects = []
        for identifier in found:
            answer = self._session.get(f"{self.rest}/instances/{identifier}/file", timeout=120)
            answer.raise_for_status()
            objects.append(pydicom.dcmread(io.BytesIO(answer.content)))
        return [each for each in objects if not series or series in str(each)]

    def put(self, path: Path) -> None:
        """Store an object."""
        self._session.post(f"{self.rest}/instances", data=path.read_bytes(), timeout=120).raise_for_status()

    def clear(self) -> None:
        """Remove everything."""
        for patient in self.get("/patients"):
            self._session.delete(f"{self.rest}/patients/{patient}", timeout=120)

    def _is_up(self) -> bool:
        try:
            return bool(self.get("/system"))
        except requests.RequestException:
            return False


def storescu(
    folder: Path,
    port: int,
    *,
    calling: str = "SCANNER",
    called: str = "TEXTSEGMENT",
    more: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Send all files of a folder with dcmtk, as a scanner does."""
    command = [STORESCU, "-aet", calling, "-aec", called, *more, "+sd", "127.0.0.1", str(port), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def _may_unshare() -> bool:
    try:
        tried = subprocess.run(
            ["unshare", "--net", "ip", "link", "set", "lo", "up"],
            capture_output=True,
            timeout=120,
            check=False,
        )
    except OSError:
        return False
    return tried.returncode == 0
