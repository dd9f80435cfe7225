"""What the user chose for the engine on this computer, as the panel shows it."""

from __future__ import annotations

from pathlib import Path

from TextSegmentLib import settings
from TextSegmentLib.engine.interpreter import Interpreter, chosen_interpreter

MODELS = ("sat-demo", "sat-nano", "sat-pro")


class LocalChoice:
    """Read from the settings once, since another Slicer may change them: what is shown is what starts.

    Attributes:
        model: One of ``MODELS``.
        device: Such as ``auto``; see ``settings.device``.
        interpreter_path: Of the Python that runs the engine; empty for Slicer's own.
        wheels: Folder with wheels; None for the package index.
        proxy: For downloads; empty for the system's.
    """

    def __init__(self) -> None:
        model = settings.model()
        self.model = model if model in MODELS else MODELS[0]
        self.device = settings.device()
        self.interpreter_path = settings.interpreter()
        self.wheels: Path | None = settings.wheels_folder()
        self.proxy = settings.proxy()

    @property
    def interpreter(self) -> Interpreter:
        """The Python that runs the engine."""
        return chosen_interpreter(self.interpreter_path)

    def choose_model(self, name: str) -> None:
        """Choose the model, and keep it for the next time; the others likewise."""
        self.model = name
        settings.set_model(name)

    def choose_device(self, name: str) -> None:
        """Choose the device."""
        self.device = name
        settings.set_device(name)

    def choose_interpreter(self, path: str) -> None:
        """Choose the Python."""
        self.interpreter_path = path
        settings.set_interpreter(path)

    def choose_wheels(self, folder: str) -> None:
        """Choose the folder with wheels; empty for none."""
        self.wheels = Path(folder) if folder.strip() else None
        settings.set_wheels_folder(folder)

    def choose_proxy(self, address: str) -> None:
        """Choose the proxy."""
        self.proxy = address.strip()
        settings.set_proxy(address)
