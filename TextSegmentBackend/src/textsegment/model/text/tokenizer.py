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


@cache
def _word_piece() -> Tokenizer:
    text = (resources.files("textsegment.model") / "data" / "mpnet_vocab.txt").read_text(encoding="utf-8")
    # Not splitlines(): some entries are characters that it treats as line breaks.
    vocabulary = {piece: number for number, piece in enumerate(text.removesuffix("\n").split("\n"))}
    pieces = models.WordPiece(vocab=vocabulary, unk_token="[UNK]", max_input_chars_per_word=100)  # noqa: S106
    tokenizer = Tokenizer(pieces)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def tokenize(prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Split prompts into word pieces.

    A quirk of the training is preserved: a prompt is enclosed in ``[CLS]`` and ``[SEP]``, which are ordinary
    entries of MPNet's vocabulary, instead of MPNet's own ``<s>`` and ``</s>``.

    Args:
        prompts: At least one prompt; case is ignored.

    Returns:
        ids: Token ids, int64 (N, T), padded with 0; T is that of the longest prompt, at most 256.
        mask: Mask of tokens, bool (N, T), false for padding.
    """
    tokenizer = _word_piece()
    start, end = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    rows = [
        torch.tensor([start, *encoding.ids[: MAX_TOKENS - 2], end])
        for encoding in tokenizer.encode_batch(list(prompts))
    ]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD_ID)
    return ids, ids > PAD_ID
