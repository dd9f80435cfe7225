"""The installed extension is complete: every file is listed, and the module finds its backend."""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "TextSegment"
# Stand-in for the CMake macros of Slicer that the extension uses; it installs the files that it is given.
SLICER_CONFIG = """
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/use.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
"""
USE = """
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-5.12/qt-scripted-modules)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR ${Slicer_QTSCRIPTEDMODULES_LIB_DIR})
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown: ${MY_UNPARSED_ARGUMENTS}")
  endif()
  foreach(file ${MY_SCRIPTS} ${MY_RESOURCES})
    get_filename_component(folder ${file} DIRECTORY)
    install(FILES ${file} DESTINATION ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}/${folder})
  endforeach()
endfunction()
"""


def listed(variable):
    text = (MODULE / "CMakeLists.txt").read_text()
    block = re.search(rf"set\({variable}\n(.*?)\)", text, re.DOTALL)[1]
    return {
        line.strip().replace("${MODULE_NAME}", "TextSegment") for line in block.splitlines() if line.strip()
    }


def test_every_part_of_the_module_is_listed():
    parts = {path.relative_to(MODULE).as_posix() for path in MODULE.glob("TextSegmentLib/**/*.py")}
    assert listed("MODULE_PYTHON_SCRIPTS") == parts | {"TextSegment.py"}


def test_every_resource_of_the_module_is_listed():
    found = {path.relative_to(MODULE).as_posix() for path in MODULE.glob("Resources/**/*") if path.is_file()}
    assert listed("MODULE_PYTHON_RESOURCES") == found


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs CMake")
def test_the_installed_module_finds_its_backend(tmp_path):
    config = tmp_path / "slicer"
    config.mkdir()
    (config / "SlicerConfig.cmake").write_text(SLICER_CONFIG)
    (config / "use.cmake").write_text(USE)
    (config / "nothing.cmake").touch()
    build, installed = tmp_path / "build", tmp_path / "installed"
    define = [f"-DSlicer_DIR={config}", f"-DCMAKE_INSTALL_PREFIX={installed}"]
    generate = ["cmake", "-S", ROOT, "-B", build, *define]
    for command in (generate, ["cmake", "--build", build], ["cmake", "--install", build]):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    for place in (installed, build):
        modules = place / "lib/Slicer-5.12/qt-scripted-modules"
        backend = modules / "TextSegmentBackend"
        assert (backend / "src/textsegment/model/data/sat-demo.safetensors").is_file()
        assert (backend / "pyproject.toml").is_file()
    modules = installed / "lib/Slicer-5.12/qt-scripted-modules"
    assert not list(modules.rglob("__pycache__"))
    assert (modules / "Resources/UI/TextSegment.ui").is_file()
    program = f"""
        import sys
        sys.path[:0] = [{str(modules)!r}, {str(ROOT / "Testing/SlicerHost")!r}]
        from slicer_host import scene
        scene.boot()
        from TextSegmentLib import logic
        from TextSegmentLib.engine import requirements
        import textsegment
        print(textsegment.__file__, logic.__file__, len(requirements.engine_requirements()))
    """
    command = [sys.executable, "-I", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    backend_file, logic_file, count = done.stdout.split()[-3:]
    assert Path(backend_file).is_relative_to(modules)
    assert Path(logic_file).is_relative_to(modules)
    assert int(count) > 10


def test_the_entry_for_the_index_of_extensions_fits_the_extension():
    (path,) = (ROOT / "Resources" / "ExtensionsIndex").glob("*.json")
    entry = json.loads(path.read_text())
    cmake = (ROOT / "CMakeLists.txt").read_text()
    assert re.search(r"project\((\w+)\)", cmake)[1] == path.stem
    repository = re.search(r'repository "(.*)"', cmake)[1]
    assert entry["scm_url"] == f"https://github.com/{repository}.git"
    assert entry["category"] == "Segmentation"


def test_what_the_index_of_extensions_asks_for_is_there():
    """Extensions Index, tier 3: license, patents, a tutorial with sample data, images that exist."""
    readme = (ROOT / "README.md").read_text("utf-8")
    cmake = (ROOT / "CMakeLists.txt").read_text("utf-8")
    license_text = (ROOT / "LICENSE.txt").read_text("utf-8")  # the name that the Extensions Index requires
    assert "Apache License" in license_text
    assert (ROOT / "LICENSE").read_text("utf-8") == license_text
    assert "(LICENSE.txt)" in readme
    assert "patents" in cmake
    assert "patent" in readme
    startup = (MODULE / "TextSegmentLib" / "startup.py").read_text("utf-8")
    digest = re.search(r'_CHEST = "(\w+)"', startup)[1]
    assert digest in readme  # the tutorial uses the scan that Sample Data offers
    pictures = re.findall(r"\]\((Resources/Screenshots/[\w.]+)\)", readme)
    pictures += re.findall(r"\$\{raw\}/(Resources/[\w./]+)", cmake)
    assert len(pictures) > 5
    assert all((ROOT / picture).is_file() for picture in pictures)
