"""What the Slicer application gives a scripted module, for tests that run without the application.

Everything of MRML is real: scene, nodes, logics, views of the wheel ``slicer-core``. The rest is stand-ins;
README.md says what a stand-in cannot show.
"""
