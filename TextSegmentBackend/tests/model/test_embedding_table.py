"""Embeddings made beforehand, and the cache of computed ones."""

import threading

import pytest
import torch

from textsegment.errors import CheckpointError, ModalityError, UnknownStructureError
from textsegment.model.text.embedding_table import EmbeddingCache, EmbeddingTable

PROMPTS = [("Liver", "CT"), ("spleen", "CT"), ("left kidney", "CT"), ("liver", "MR")]


@pytest.fixture
def table():
    return EmbeddingTable(PROMPTS, torch.arange(8.0, dtype=torch.float64).view(4, 2))


def test_rows_are_found_by_prompt_and_modality(table):
    assert table.width == 2
    assert table.supported("CT") == ("liver", "spleen", "left kidney")
    assert table.supported("US") == ()
    torch.testing.assert_close(
        table.encode(["spleen", "LIVER"], "CT"), torch.tensor([[2.0, 3.0], [0.0, 1.0]])
    )
    torch.testing.assert_close(table.encode(["liver"], "MR"), torch.tensor([[6.0, 7.0]]))
    assert table.encode([], "CT").shape == (0, 2)


def test_unknown_prompt_comes_with_the_nearest_names(table):
    with pytest.raises(UnknownStructureError, match=r"'left kidny'.*Did you mean left kidney\?") as caught:
        table.encode(["liver", "left kidny"], "CT")

    assert caught.value.suggestions == ("left kidney",)
    assert caught.value.code == "structure_unknown"


def test_unknown_prompt_far_from_everything(table):
    with pytest.raises(UnknownStructureError) as caught:
        table.encode(["xyz"], "CT")

    assert caught.value.suggestions == ()


def test_modality_without_structures(table):
    with pytest.raises(UnknownStructureError, match=r"no structures in PT images.*CT, MR"):
        table.encode(["liver"], "PT")
    with pytest.raises(ModalityError):
        table.encode(["liver"], "XA")


@pytest.mark.parametrize(
    ("prompts", "shape"),
    [(PROMPTS, (3, 2)), (PROMPTS, (4,)), ([*PROMPTS, ("LIVER", "CT")], (5, 2)), (PROMPTS, (4, 2, 1))],
)
def test_tables_that_do_not_match_their_prompts(prompts, shape):
    with pytest.raises(CheckpointError):
        EmbeddingTable(prompts, torch.zeros(shape))


class Counting(EmbeddingTable):
    """Writes down what it was asked."""

    def __init__(self):
        names = [(f"s{number}", modality) for number in range(50) for modality in ("CT", "MR")]
        super().__init__(names, torch.randn(100, 3))
        self.asked = []

    def encode(self, prompts, modality):
        self.asked.append(tuple(prompts))
        return super().encode(prompts, modality)


def test_cache_computes_a_prompt_once():
    inner = Counting()
    cache = EmbeddingCache(inner, "digest")

    first = cache.encode(["s1", "S1", "s2"], "CT")
    second = cache.encode(["s2", "s3", "s1"], "CT")
    cache.encode(["s1"], "MR")

    assert inner.asked == [("s1", "s2"), ("s3",), ("s1",)]
    torch.testing.assert_close(first, EmbeddingTable.encode(inner, ["s1", "s1", "s2"], "CT"))
    torch.testing.assert_close(second, EmbeddingTable.encode(inner, ["s2", "s3", "s1"], "CT"))
    assert cache.width == 3
    assert cache.supported("CT") == inner.supported("CT")
    assert cache.encode([], "CT").shape == (0, 3)


def test_cache_forgets_the_least_recently_used():
    inner = Counting()
    cache = EmbeddingCache(inner, "digest", capacity=2)

    for prompts in (["s1"], ["s2"], ["s1"], ["s3"], ["s1"], ["s2"], ["s4", "s5", "s6"]):
        rows = cache.encode(prompts, "CT")
        torch.testing.assert_close(rows, EmbeddingTable.encode(inner, prompts, "CT"))

    assert inner.asked == [("s1",), ("s2",), ("s3",), ("s2",), ("s4", "s5", "s6")]


def test_cached_rows_cannot_be_changed_from_outside():
    cache = EmbeddingCache(Counting(), "digest")

    cache.encode(["s1"], "CT").zero_()

    assert cache.encode(["s1"], "CT").abs().sum() > 0


def test_cache_in_several_threads():
    inner = Counting()
    cache = EmbeddingCache(inner, "digest", capacity=5)
    wrong = []

    def work(start):
        for step in range(100):
            prompts = [f"s{(start + step + offset) % 50}" for offset in range(3)]
            expected = EmbeddingTable.encode(inner, prompts, "CT")
            if not torch.equal(cache.encode(prompts, "CT"), expected):
                wrong.append(prompts)

    threads = [threading.Thread(target=work, args=(7 * number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
