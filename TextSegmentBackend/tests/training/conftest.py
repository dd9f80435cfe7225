"""The prepared set of spheres."""

import pytest
from spheres import TINY, write_source

from textsegment.datasets.data_set import DataSet
from textsegment.datasets.preparation import PreparationSettings, prepare
from textsegment.datasets.sources.opening import open_source


@pytest.fixture(scope="session")
def spheres(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """Prepared set of spheres."""
    folder = tmp_path_factory.mktemp("spheres")
    source = open_source(write_source(folder))
    prepare([source], folder / "set", PreparationSettings(TINY.spacing), lambda line: None)
    return DataSet(folder / "set")
