"""ctkSearchBox: a line edit with a magnifying glass."""

from PySide6 import QtWidgets

from slicer_host.widgets.stand_in import StandIn, cpp_property


class ctkSearchBox(StandIn, QtWidgets.QLineEdit):
    """The text is what matters; the icons are not drawn."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._show_search_icon = False
        self.setClearButtonEnabled(True)

    showSearchIcon = cpp_property(
        "bool",
        lambda self: self._show_search_icon,
        lambda self, value: setattr(self, "_show_search_icon", value),
    )
