"""What the Slicer application gives a scripted module, for tests that run without the application.

Everything of MRML is real: scene, nodes, logics, views of the wheel ``slicer-core``. The rest is stand-ins;
README.md says what a stand-in cannot show.
"""

import os
import sys

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkOSOpenGLRenderWindow")  # VTK draws without a screen
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # so does Qt
sys.pyside6_option_python_enum = (
    0x03  # enumerations are ints, as in PythonQt; read once, by the import of PySide6
)
