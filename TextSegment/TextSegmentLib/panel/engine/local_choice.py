"""The user's choices for the engine on this computer."""

from __future__ import annotations

from pathlib import Path

from TextSegmentLib import settings
from TextSegmentLib.engine.interpreter import Interpreter, chosen_interpreter

MODELS = ("sat-demo", "sat-nano", "sat-pro")


class LocalChoice:
    """Choices for the local engine, read once so that what the panel shows is what starts.

    Another Slicer instance may change the settings in the meantime.

    Attributes:
        model: Name of the model, one of ``MODELS``.
        device: Name of the device, such as ``auto``; see ``settings.device``.
        interpreter_path: Path of the Python interpreter that runs the engine; empty for Slicer's own.
        wheels: Folder with wheels to install from; None for the package index.
        proxy: Proxy for downloads; empty for the system's.
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
        """The Python interpreter that runs the engine."""
        return chosen_interpreter(self.interpreter_path)

    def choose_model(self, name: str) -> None:
        """Choose the model and save the choice in the settings."""
        self.model = name
        settings.set_model(name)

    def choose_device(self, name: str) -> None:
        """Choose the device and save the choice in the settings."""
        self.device = name
        settings.set_device(name)

    def choose_interpreter(self, path: str) -> None:
        """Choose the Python interpreter and save the choice in the settings."""
        self.interpreter_path = path
        settings.set_interpreter(path)

    def choose_wheels(self, folder: str) -> None:
        """Choose the folder with wheels, empty for none, and save the choice in the settings."""
        self.wheels = Path(folder) if folder.strip() else None
        settings.set_wheels_folder(folder)

    def choose_proxy(self, address: str) -> None:
        """Choose the proxy and save the choice in the settings."""
        self.proxy = address.strip()
        settings.set_proxy(address)
