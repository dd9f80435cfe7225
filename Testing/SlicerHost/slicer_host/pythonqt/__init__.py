"""PySide6 with the rules of PythonQt, as the module ``qt``.

Slicer's Python sees Qt through PythonQt, which is stricter and different: properties are attributes, signals
are connected by their C++ signature, C++ objects take no new attributes. What breaks a rule raises here; in
Slicer some of it would only print a line. PySide6's classes are changed for good, so a process that imports
this runs nothing else on PySide6.
"""

import sys

from slicer_host.pythonqt import attributes, classes, constants, namespace, properties, signals, truth


def install() -> None:
    """Makes ``import qt`` give PySide6 with PythonQt's rules."""
    if "qt" not in sys.modules:
        constants.keep_alive()
        properties.install(classes.ALL)
        attributes.install(classes.ALL)
        signals.install(classes.ALL)
        truth.install()
        sys.modules["qt"] = namespace.make()
