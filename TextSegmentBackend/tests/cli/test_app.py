"""What all commands have in common: help, version, errors, exit codes."""

import subprocess
import sys

import pytest
from command_line import CHEST, textsegment

from textsegment import __version__, errors
from textsegment.cli import app as app_module
from textsegment.cli.errors import EXIT_CODES, exit_code, show_defect

MISSING = ("segment", "nowhere.nii.gz", "liver", "-o", "out.seg.nrrd")


def test_version():
    assert textsegment("--version") == (0, f"textsegment {__version__}\n", "")


def test_help_names_every_command():
    ended = textsegment("--help")
    assert ended.code == 0
    assert all(name in ended.out for name in ("segment", "demo", "weights", "train", "terms"))
    assert "not a medical device" in ended.out


def test_wrong_usage_ends_with_two():
    assert textsegment("segment", "--nonsense").code == 2
    assert textsegment("nonsense").code == 2


def test_every_error_has_its_exit_code():
    def all_kinds(kind):
        return [kind, *(k for child in kind.__subclasses__() for k in all_kinds(child))]

    codes = {kind.code: exit_code(kind.__new__(kind)) for kind in all_kinds(errors.TextSegmentError)}
    assert codes["internal"] == 1
    assert codes["structure_unknown"] == codes["prompt_invalid"] == 2
    assert codes["input_unreadable"] == codes["modality_unsupported"] == codes["geometry_invalid"] == 3
    assert codes["disk_full"] == codes["structures_overlap"] == 4
    assert codes["weights_tampered"] == codes["checkpoint_mismatch"] == 5
    assert codes["device_unavailable"] == codes["out_of_memory"] == 6
    assert codes["dependency_missing"] == 7
    assert codes["storage_failed"] == codes["busy"] == 9
    assert codes["cancelled"] == 130
    assert set(EXIT_CODES.values()) <= set(codes.values())


def test_an_error_is_two_lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = textsegment(*MISSING)
    assert ended.code == 3
    assert ended.err.splitlines() == [
        "Error: There is no such file or folder. [input_not_found]",
        "Check the path.",
    ]
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = textsegment("--debug", *MISSING)
    assert ended.code == 3
    assert "Traceback" in ended.err
    assert "InputNotFoundError" in ended.err


def test_interrupt_ends_with_130(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("textsegment.cli.session.Session.run", interrupted)
    ended = textsegment("segment", "x.nii.gz", "liver", "-o", tmp_path / "out.seg.nrrd")
    assert ended.code == 130
    assert ended.err.startswith("Cancelled.")


def test_a_defect_tells_its_place_but_nothing_of_the_user(capsys):
    try:
        raise RuntimeError("/home/doe/john^doe.nii.gz")
    except RuntimeError as error:
        show_defect(type(error), error, error.__traceback__)
    shown = capsys.readouterr().err
    assert "RuntimeError" in shown
    assert "test_app" in shown
    assert "doe" not in shown


def test_defects_go_to_the_hook():
    before = sys.excepthook
    try:
        app_module.textsegment_command(debug=False, version=False)
        assert sys.excepthook is show_defect
    finally:
        sys.excepthook = before


@pytest.mark.parametrize("package", ["typer", "SimpleITK", "torch"])
def test_without_the_extra_it_says_what_to_install(package, tmp_path):
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "sys.argv = ['textsegment', 'segment', sys.argv[1], 'liver', '-o', 'out.seg.nrrd']\n"
        "from textsegment.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(CHEST)], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 7, done.stderr
    assert f"The package {package} is not installed. [dependency_missing]" in done.stderr
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
