"""``textsegment app``: an engine, and the page of it in the browser."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import requests
from server_process import wait_until


def test_opens_a_page_whose_key_nobody_else_has(tmp_path):
    """The browser gets address and key; without the key the engine answers nobody."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > "{opened}.part" && mv "{opened}.part" "{opened}"\n')
    browser.chmod(0o755)
    environment = {**os.environ, "BROWSER": f"{browser} %s"}
    command = [sys.executable, "-m", "textsegment", "app", "--device", "cpu", "--sample"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(opened.exists, "the browser to be called")
            address = urlsplit(opened.read_text())
            (key,) = parse_qs(address.fragment)["key"]
            server = f"{address.scheme}://{address.netloc}"
            assert address.hostname == "127.0.0.1"
            assert parse_qs(address.fragment)["sample"] == ["1"]
            assert "TextSegment" in requests.get(f"{server}/", timeout=120).text
            assert requests.get(f"{server}/v1/info", timeout=120).status_code == 401
            allowed = {"Authorization": f"Bearer {key}"}
            info = requests.get(f"{server}/v1/info", headers=allowed, timeout=120).json()
            assert info["model"] == "sat-demo"
        finally:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=120)
    assert f"Open {address.geturl()}" in said
    assert process.returncode in (0, 130)
