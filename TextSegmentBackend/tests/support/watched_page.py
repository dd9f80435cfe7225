"""A page of the web workspace that records what must never happen on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Page
from server_process import ServerProcess

KEY = "page-" + "k" * 30
"""Access key of the server that asks for one."""


@dataclass
class Watched:
    """A page, and everything on it that counts as a fault."""

    page: Page
    server: ServerProcess
    faults: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Record errors, violations of the content policy, and requests to anywhere else."""
        self.page.on(
            "console", lambda m: self.faults.append(m.text) if m.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self._own(request.url))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def _own(self, url: str) -> None:
        if not url.startswith((self.server.url, "blob:" + self.server.url)):
            self.faults.append(url)

    def open(self, fragment: str = "") -> Page:
        """Go to the page and wait until it is ready for a scan."""
        self.page.goto(f"{self.server.url}/{fragment}")
        self.page.wait_for_selector("#work:visible")
        return self.page
