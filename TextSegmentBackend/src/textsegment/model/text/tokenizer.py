"""Tokenization of prompts, as in the training of SAT's text encoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

MAX_TOKENS = 256
PAD_ID = 0
"""Id used for padding: SAT pads with 0 and masks it; MPNet's own padding (id 1) never occurs."""


class WordPieces:
    """Tokenizer with a vocabulary of word pieces.

    A quirk of SAT's training is preserved: a prompt is enclosed in ``[CLS]`` and ``[SEP]``, which are
    ordinary entries of MPNet's vocabulary, instead of MPNet's own ``<s>`` and ``</s>``.

    Args:
        pieces: All pieces; the first is never used, since its id pads. ``[CLS]``, ``[SEP]`` and ``[UNK]`` are
            among them.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = tuple(pieces)
        numbers = {piece: number for number, piece in enumerate(self.pieces)}
        model = models.WordPiece(vocab=numbers, unk_token="[UNK]", max_input_chars_per_word=100)  # noqa: S106
        self._tokenizer = Tokenizer(model)
        self._tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        self._tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        self._start, self._end = numbers["[CLS]"], numbers["[SEP]"]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of the pieces of each text, of any number, without start and end."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Split texts into word pieces; see ``tokenize``."""
        return self.enclosed([row[: MAX_TOKENS - 2] for row in self.ids(texts)])

    def enclosed(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Return ids and mask of rows of pieces, each enclosed in start and end; see ``tokenize``."""
        tensors = [torch.tensor([self._start, *row, self._end]) for row in rows]
        ids = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=PAD_ID)
        return ids, ids > PAD_ID


@cache
def published_pieces() -> WordPieces:
    """Return the tokenizer of SAT's text encoder, with the vocabulary of MPNet."""
    text = (resources.files("textsegment.model") / "data" / "mpnet_vocab.txt").read_text(encoding="utf-8")
    # Not splitlines(): some entries are characters that it treats as line breaks.
    return WordPieces(text.removesuffix("\n").split("\n"))


def tokenize(prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Split prompts into the word pieces of SAT's text encoder.

    Args:
        prompts: At least one prompt; case is ignored.

    Returns:
        ids: Token ids, int64 (N, T), padded with 0; T is that of the longest prompt, at most 256.
        mask: Mask of tokens, bool (N, T), false for padding.
    """
    return published_pieces().encode(prompts)
