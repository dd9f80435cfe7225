"""Errors and warnings that VTK would only print, so that a test can fail on them."""

import contextlib

import vtk

_messages: list[str] = []


def listen() -> None:
    """Starts to collect what VTK reports; it is printed too."""
    window = vtk.vtkOutputWindow()
    window.SetDisplayModeToAlwaysStdErr()
    for event in ("ErrorEvent", "WarningEvent"):
        window.AddObserver(event, _keep)
    vtk.vtkOutputWindow.SetInstance(window)


@contextlib.contextmanager
def silence():
    """Neither prints nor collects what VTK reports meanwhile."""
    vtk.vtkObject.GlobalWarningDisplayOff()
    try:
        yield
    finally:
        vtk.vtkObject.GlobalWarningDisplayOn()


def take() -> list[str]:
    """Returns the messages since the last call and forgets them."""
    messages, _messages[:] = list(_messages), []
    return messages


@vtk.calldata_type(vtk.VTK_STRING)
def _keep(_window, _event, message: str) -> None:
    _messages.append(message.strip())
