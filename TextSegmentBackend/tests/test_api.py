"""The public names, and that importing them needs numpy and requests only."""

import subprocess
import sys

import pytest
from tiny_engine import phantom

import textsegment

PUBLIC = {
    *("Box", "CancelToken", "Geometry", "MaskReady", "MaskStatistics", "Progress", "Prompt", "Segmentation"),
    *(
        "LocalSegmenter",
        "Origin",
        "StructureMask",
        "TextSegmentError",
        "Volume",
        "__version__",
        "errors",
        "load",
    ),
    *("Edit", "Queued", "RemoteSegmenter", "read_scan", "read_volume", "write_result"),
}
THIN = (
    *("errors", "geometry", "volume", "segmentation", "prompt", "segmenter", "wire", "client"),
    *("vocabulary.resolve", "vocabulary.structures", "vocabulary.template", "vocabulary.tree"),
)


def test_public_names():
    assert set(textsegment.__all__) == PUBLIC
    assert set(dir(textsegment)) == PUBLIC
    for name in PUBLIC:
        assert getattr(textsegment, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = textsegment.nonsense


def test_names_are_the_ones_of_their_modules():
    from textsegment.inference.engine import LocalSegmenter
    from textsegment.volume import Volume

    assert textsegment.LocalSegmenter is LocalSegmenter
    with pytest.warns(DeprecationWarning, match="LocalSegmenter"):
        assert textsegment.Segmenter is LocalSegmenter
    assert textsegment.Volume is Volume
    assert issubclass(textsegment.errors.InputError, textsegment.TextSegmentError)


def test_a_volume_and_names_in_masks_out(tmp_path):
    volume = phantom((40, 36, 20))
    events = []
    segmenter = textsegment.load("sat-demo", device="cpu")
    result = segmenter.segment(volume, ["liver", textsegment.Prompt("Left Lung")], on_event=events.append)
    assert [mask.structure for mask in result] == ["liver", "left lung"]
    assert result.geometry == volume.geometry
    assert result.full_mask("liver").shape == volume.voxels.shape
    assert sum(isinstance(event, textsegment.MaskReady) for event in events) == 2
    assert events[-1] == textsegment.Progress(1.0, "finishing")
    (path,) = textsegment.write_result(result, tmp_path / "out.seg.nrrd")
    assert path.exists()
    with pytest.raises(textsegment.errors.UnknownStructureError):
        segmenter.segment(volume, ["tricorder"])


def loaded_by(code: str) -> set[str]:
    code += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_thin_half_loads_numpy_and_requests_only():
    imports = "\n".join(f"import textsegment.{module}" for module in THIN)
    use = (
        "textsegment.Volume, textsegment.Geometry, textsegment.Segmentation, textsegment.Prompt\n"
        "from textsegment.vocabulary.resolve import resolve; resolve('liver, kidny', 'CT')"
    )
    loaded = loaded_by(f"import textsegment\n{imports}\n{use}")
    heavy = {"torch", "SimpleITK", "scipy", "monai", "pydicom", "nibabel", "slicerio", "matplotlib", "typer"}
    assert not loaded & (heavy | {"rich", "safetensors", "tokenizers", "pandas"})


def test_help_of_the_command_line_loads_no_engine():
    assert not loaded_by("import textsegment.cli.app") & {
        "torch",
        "SimpleITK",
        "scipy",
        "nibabel",
        "matplotlib",
    }
