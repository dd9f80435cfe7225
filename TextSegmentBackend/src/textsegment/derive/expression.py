"""Parser for the language that defines derived structures.

    Lungs = left lung + right lung
    SpinalCord_PRV05 = spinal cord margin 5
    CTV_In = prostate margin 7 P 5 - rectum
    Bowel_Opt = (small bowel + colon) - (PTV margin 5)

``+`` is the union, ``&`` the intersection and ``-`` the difference of two operands. ``margin`` follows its
operand and takes millimetres in all directions, millimetres in single directions of the patient (``L``,
``R``, ``A``, ``P``, ``S``, ``I``), or both; negative values contract. ``margin`` binds most tightly, then
``&``, then ``+`` and ``-`` from left to right; parentheses group. Names that contain characters other than
letters, digits, spaces, ``_``, ``.``, ``/`` and ``^`` must be quoted. Definitions are never executed as code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from textsegment.derive.margin import Margin
from textsegment.errors import ExpressionError, TextSegmentError

LONGEST_TEXT = 1000
LONGEST_NAME = 64
_DEEPEST = 30
_TOKEN = re.compile(r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')|(?P<sign>[-+&()=])|(?P<word>[\w./^]+))""")
_SIZE = re.compile(
    r"\s*(?P<letter>[LRAPSI](?![a-z]))?\s*(?P<number>[-+]?\d+(?:\.\d+)?)(?:\s*mm)?(?![\w.,])", re.I
)
_LENGTH = re.compile(r"\d+(\.\d+)?( ?mm)?", re.I)
_SIDES = dict(zip("LRAPSI", ("left", "right", "anterior", "posterior", "superior", "inferior"), strict=True))
_EXAMPLE = 'For example: "Lungs = left lung + right lung" or "Cord_PRV = spinal cord margin 5".'


@dataclass(frozen=True)
class Name:
    """An existing structure, by name."""

    text: str

    def __str__(self) -> str:
        return f'"{self.text}"'


@dataclass(frozen=True)
class Combined:
    """Two operands joined by ``+``, ``-`` or ``&``."""

    sign: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"({self.left} {self.sign} {self.right})"


@dataclass(frozen=True)
class Widened:
    """An operand expanded or contracted by a margin."""

    operand: Expression
    margin: Margin

    def __str__(self) -> str:
        return f"({self.operand} margin {self.margin})"


Expression = Name | Combined | Widened


@dataclass(frozen=True)
class Definition:
    """Definition of a derived structure.

    Attributes:
        name: Name of the derived structure.
        expression: Expression over the structures it is derived from.
    """

    name: str
    expression: Expression

    @property
    def operands(self) -> tuple[str, ...]:
        """Names of the structures that the expression uses, without duplicates."""
        return tuple(dict.fromkeys(_names(self.expression)))

    def __str__(self) -> str:
        """Return the recipe, fully parenthesised: parsing it gives the same definition."""
        text = str(self.expression)
        return f"{self.name} = {text[1:-1] if text.startswith('(') else text}"


def united(expression: Expression) -> tuple[str, ...]:
    """Return the names in a plain union, in order; empty for any other expression.

    >>> united(parse_definition("Lungs = 'left lung' + 'right lung'").expression)
    ('left lung', 'right lung')
    >>> united(parse_definition("Rest = body - liver").expression)
    ()
    """
    if isinstance(expression, Name):
        return (expression.text,)
    if isinstance(expression, Combined) and expression.sign == "+":
        left, right = united(expression.left), united(expression.right)
        return left + right if left and right else ()
    return ()


def _names(expression: Expression) -> list[str]:
    if isinstance(expression, Name):
        return [expression.text]
    if isinstance(expression, Widened):
        return _names(expression.operand)
    return _names(expression.left) + _names(expression.right)


def parse_definition(text: str) -> Definition:
    """Parse a definition.

    Raises:
        ExpressionError: The text cannot be parsed; the error contains the position.
    """
    if len(text) > LONGEST_TEXT:
        raise ExpressionError(f"A definition is longer than {LONGEST_TEXT} characters.", "", LONGEST_TEXT)
    name, equals, _ = text.partition("=")
    name = " ".join(name.split()).strip("\"' ")
    if not equals or not name:
        raise ExpressionError("A definition is a name, an equals sign and an expression.", _EXAMPLE, 0)
    if len(name) > LONGEST_NAME or not name.isprintable() or '"' in name:
        raise ExpressionError(
            f"The name of a derived structure has at most {LONGEST_NAME} characters, no quotes among them.",
            _EXAMPLE,
            0,
        )
    parser = _Parser(text, text.index("=") + 1)
    expression = parser.sum(0)
    parser.require_end()
    return Definition(name, expression)


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class _Parser:
    """Recursive-descent parser; ``position`` is the index of the next character."""

    def __init__(self, text: str, position: int) -> None:
        self._text = text
        self._position = position

    def sum(self, depth: int) -> Expression:
        """Parse a chain of ``+`` and ``-``, such as ``a + b - c``."""
        found = self._common(depth)
        while (token := self._next()).text in ("+", "-") and token.kind == "sign":
            self._position = token.end
            found = Combined(token.text, found, self._common(depth))
        return found

    def require_end(self) -> None:
        token = self._next()
        if token.kind != "end":
            raise self._error("an operator was expected", token.start)

    def _common(self, depth: int) -> Expression:
        found = self._widened(depth)
        while (token := self._next()).text == "&" and token.kind == "sign":
            self._position = token.end
            found = Combined("&", found, self._widened(depth))
        return found

    def _widened(self, depth: int) -> Expression:
        found = self._operand(depth)
        while _is_margin(token := self._next()):
            self._position = token.end
            found = Widened(found, self._margin(token))
        return found

    def _operand(self, depth: int) -> Expression:
        token = self._next()
        if token.text == "(" and token.kind == "sign":
            if depth == _DEEPEST:
                raise self._error("the parentheses are too deep", token.start)
            self._position = token.end
            found = self.sum(depth + 1)
            closing = self._next()
            if closing.text != ")" or closing.kind != "sign":
                raise self._error("a closing parenthesis is missing", closing.start)
            self._position = closing.end
            return found
        if token.kind == "quoted":
            self._position = token.end
            return self._named(token.text[1:-1], token)
        words = []
        first = token
        while token.kind == "word" and not _is_margin(token):
            words.append(token.text)
            self._position = token.end
            token = self._next()
        if not words:
            raise self._error("the name of a structure was expected", token.start)
        if _LENGTH.fullmatch(" ".join(words)):
            raise self._error("a margin is written with the word margin, such as margin 5", first.start)
        return self._named(" ".join(words), first)

    def _named(self, text: str, token: _Token) -> Name:
        name = " ".join(text.split())
        if not name or not name.isprintable() or '"' in name:
            raise self._error("the name of a structure was expected", token.start)
        return Name(name)

    def _margin(self, keyword: _Token) -> Margin:
        sizes: dict[str, float] = {}
        everywhere = 0.0
        start = self._position
        while size := _SIZE.match(self._text, self._position):
            letter, number = (size["letter"] or "").upper(), float(size["number"])
            if not letter and self._position != start:
                break
            if letter in sizes:
                raise self._error("a direction is given twice", size.start("letter"))
            if letter:
                sizes[letter] = number
            else:
                everywhere = number
            self._position = size.end()
        if self._position == start:
            raise self._error("millimetres were expected after the word margin", keyword.end)
        try:
            return Margin(**{side: sizes.get(letter, everywhere) for letter, side in _SIDES.items()})
        except TextSegmentError as error:
            raise ExpressionError(error.message, error.hint, keyword.start) from error

    def _next(self) -> _Token:
        """Return the next token without consuming it."""
        found = _TOKEN.match(self._text, self._position)
        if found is not None:
            kind = str(found.lastgroup)
            return _Token(kind, found[kind], found.start(kind), found.end())
        rest = self._text[self._position :]
        start = len(self._text) - len(rest.lstrip())
        if rest.strip():
            raise self._error(f"the character {self._text[start]!r} has to stand in quotes", start)
        return _Token("end", "", len(self._text), len(self._text))

    def _error(self, what: str, position: int) -> ExpressionError:
        return ExpressionError(
            f"The definition cannot be read at character {position + 1}: {what}.", _EXAMPLE, position
        )


def _is_margin(token: _Token) -> bool:
    return token.kind == "word" and token.text.lower() == "margin"
