"""HTTP sessions with DICOMweb services: credentials, certificates, and URLs as services understand them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from textsegment.errors import SettingsError
from textsegment.node.connections import Web


def open_session(web: Web) -> requests.Session:
    """Return a session with a service; nothing is sent yet.

    Raises:
        SettingsError: A file with credentials cannot be read.
    """
    session = requests.Session()
    session.trust_env = False  # no credentials from .netrc, no proxies by chance
    for scheme in ("http://", "https://"):
        session.mount(scheme, _PlainWildcards())
    if web.user is not None:
        session.auth = (web.user, _secret(web.password_file))
    if web.token_file is not None:
        session.headers["Authorization"] = f"Bearer {_secret(web.token_file)}"
    if web.ca_file is not None:
        session.verify = str(web.ca_file)
    return session


class _PlainWildcards(HTTPAdapter):
    """Sends wildcards as they are, which URLs permit: Orthanc's plugin does not decode them."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request."""
        path, mark, query = (request.url or "").partition("?")
        request.url = path + mark + query.replace("%2A", "*").replace("%3F", "?")
        return super().send(request, *args, **kwargs)


def _secret(path: Path | None) -> str:
    if path is None:
        raise SettingsError("There is a user without a password.", "Give password_file.")
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("A file with a password or token cannot be read.", "Check its path.") from error
