"""What ``slicer.modules.<name>`` offers for a module of the core."""


class CoreModule:
    """A loaded module: its name, its logic, the file it comes from.

    Attributes:
        name: As in ``slicer.moduleNames``.
        path: File of a scripted module; empty for those in C++.
    """

    def __init__(self, name: str, logic, path: str = "") -> None:
        self.name = name
        self.title = name
        self.path = path
        self._logic = logic

    def logic(self):
        """Returns the module's logic, an object of MRML."""
        return self._logic
