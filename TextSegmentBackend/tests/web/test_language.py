"""German: every sentence of the page, and every code that a server may send, with the same values."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from playwright.sync_api import Browser
from server_process import ServerProcess
from watched_page import PATIENCE_MS, ask, drop, phantom_file, wait_for_masks, watching

import textsegment
from textsegment.caution import Caution, phrases
from textsegment.vocabulary.lexicon import load_lexicon
from textsegment.vocabulary.structures import load_structures
from textsegment.vocabulary.template import load_templates
from textsegment.wire.failures import error_classes

WEB = Path(textsegment.__file__).parent / "web"
DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"
TABLES = """async () => {
  const words = await import("/app/german.js");
  const cautions = await import("/app/german/cautions.js");
  const errors = await import("/app/german/errors.js");
  const vocabulary = await import("/app/german/vocabulary.js");
  return {...words, ...cautions, ...errors, ...vocabulary};
}"""


@pytest.fixture(scope="module")
def german(browser: Browser, doubtful_server: ServerProcess):
    """A page in German, on which no fault may happen."""
    with watching(browser, doubtful_server, locale="de-AT") as watched:
        yield watched.open()


@pytest.fixture(scope="module")
def tables(german) -> dict[str, dict[str, str]]:
    return german.evaluate(TABLES)


def sources() -> str:
    return "\n".join(path.read_text("utf-8") for path in WEB.rglob("*.js"))


def values_of(phrase: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(phrase) if name is not None}


def test_every_sentence_of_the_page_has_german_words(tables):
    text = sources()
    html = (WEB / "index.html").read_text("utf-8")
    said = set(re.findall(r'data-(?:say|hint)="([^"]+)"', html))
    said |= set(re.findall(r'\bsay\("([^"]+)"', text))
    for message, hint in re.findall(r'Problem\(\s*"[a-z_]+",\s*"([^"]+)"(?:,\s*"([^"]*)")?', text):
        said |= {message, hint} - {"", "Cancelled."}
    german = tables["GERMAN"]
    assert said - set(german) == set()
    assert not re.search(r"Problem\(\s*\"[a-z_]+\",\s*`", text), "values belong into the values of a problem"
    assert {sentence for sentence in said if values_of(sentence) != values_of(german[sentence])} == set()
    assert all(words.strip() for table in tables.values() for words in table.values())


def test_every_caution_has_a_german_phrase_with_the_same_values(tables):
    """Those of the package and those that the page makes itself; a new code without German fails here."""
    known = {**tables["CAUTIONS"], **tables["TERMS"]}
    made = re.findall(r'new Caution\(\s*"([a-z_]+)",\s*((?:"[^"]*"[\s+]*)+)', sources())
    own = {code: "".join(re.findall(r'"([^"]*)"', phrase)) for code, phrase in made}
    for code, phrase in {**own, **phrases()}.items():
        assert code in known, code
        assert values_of(known[code]) == values_of(phrase), code
    assert set(known) == {*own, *phrases()}
    # What the page says as the package does, it says with the same code and values.
    for code in own.keys() & phrases().keys():
        assert own[code] == phrases()[code], code


def test_every_error_of_the_contract_is_told_in_german(tables):
    table = DOCUMENT.read_text("utf-8").partition("| Status | Codes |")[2].partition("\n\n")[0]
    documented = set(re.findall(r"`([a-z_]+)`", table))
    assert documented <= set(error_classes())
    assert set(tables["ERRORS"]) == documented
    for code, sentence in tables["ERRORS"].items():
        assert values_of(sentence) <= ({"retry_after_s"} if code in ("busy", "rate_limited") else set())


def test_what_the_vocabulary_remarks_is_known_in_german(tables):
    """Notes on structures, meanings of ambiguous words, sets, and why a line of a set is left out."""
    notes = {note.strip() for one in load_structures().values() for note in re.findall(r"[^.]+\.", one.note)}
    meanings = {
        entry.question
        for kind in vars(load_lexicon()).values()
        if isinstance(kind, dict)
        for entry in kind.values()
        if hasattr(entry, "question")
    }
    sets = load_templates().values()
    reasons = {reason for one in sets for modality in ("CT", "MR", "PT") for reason in one.missing(modality)}
    reasons |= {reason for one in sets for reason in one.missing("CT", available=())}
    assert len(meanings) > 50
    needed = notes | meanings | reasons | {one.label for one in sets}
    assert needed - set(tables["TERM_VALUES"]) == set()


TELL = """async ([cautions, sentences]) => {
  const { Caution } = await import("/app/caution.js");
  const { tell } = await import("/app/language.js");
  return Caution.received({ warnings: sentences, cautions }).map(tell);
}"""


@pytest.mark.parametrize(
    ("caution", "said"),
    [
        (
            Caution("misplaced", distance_cm=4, direction="above"),
            "4 cm höher, als die anderen Strukturen erwarten lassen",
        ),
        (
            Caution("limit_volume", most_voxels=536870912, most_bytes=2147483648),
            "536.870.912 Voxel und 2.147.483.648 Byte",
        ),
        (
            Caution("padding_clipped", low=-1024.0, high=3071.5, percent=21.6),
            "(21,6 % der Voxel) wurden auf -1.024 bis 3.071,5",
        ),
        (Caution("unit_doubtful", size_mm=0.09765625, extent_mm=51.2), "0,098 mm groß, das ganze Bild 51 mm"),
        (Caution("contours_left_out", "PTV {x}", count=3), "PTV {x}: Konturen, die auf keiner Schicht"),
        (Caution("term_note", note="CT only. Infarct. Something new."), "Nur in CT. Infarkt. Something new."),
        ("A sentence without a code.", "A sentence without a code."),
    ],
    ids=lambda value: getattr(value, "code", "")[:20],
)
def test_cautions_are_told_with_their_values(german, caution, said):
    fields = None
    if isinstance(caution, Caution):
        fields = {"code": caution.code, "about": caution.about, "values": dict(caution.values)}
    (told,) = german.evaluate(TELL, [[fields], [str(caution)]])
    assert said in told


def test_what_a_newer_server_says_is_shown_as_it_is(german):
    unknown: dict[str, Any] = {"code": "of_tomorrow", "about": "", "values": {"n": 1}}
    assert german.evaluate(TELL, [[unknown], ["It is new."]]) == ["It is new."]


def test_doubts_terms_and_refusals_are_german_on_the_page(german, tmp_path):
    """What a server says about words, masks and errors, from the wire to the page; files stay in English."""
    drop(german, phantom_file(tmp_path))
    german.uncheck("#tidy")
    german.fill("#text", "linke Niere und Nebenniere, LV, Rippe 14")
    german.wait_for_selector('#terms:has-text("Auf welcher Seite?")')
    terms = german.inner_text("#terms")
    assert "Gemeint sein kann: linker Herzventrikel oder Seitenventrikel." in terms
    assert "Es gibt die Rippen 1 bis 12." in terms
    ask(german, "linke Niere")
    wait_for_masks(german, 1)
    row = german.inner_text("#rows tr")
    assert "Prüfen: das Modell ist bei 75 % davon unsicher." in row
    edit = german.locator("#rows tr button").last
    edit.click()
    german.click("#apply")
    german.wait_for_selector('#problem:has-text("Zeichnen Sie zuerst in eine Schicht.")')
    with german.expect_download() as download:
        german.click("#save_statistics")
    assert "the model is unsure of 75 % of it" in Path(download.value.path()).read_text("utf-8")


def test_the_vocabulary_and_the_sets_are_german_on_the_page(german):
    """Remarks on terms that run are folded, each once; sets have German names."""
    german.fill("#text", "linke Niere, rechte Niere, Leber")
    german.wait_for_selector('#terms .remarks summary:has-text("(2)")')
    german.click("#terms .remarks summary")
    remarks = german.inner_text("#terms .remarks")
    assert remarks.count("Bei einem Teil der Trainingsdaten mit Tumor und Zysten.") == 1
    assert "linke Niere, rechte Niere: " in remarks
    german.click("#browse")
    german.click("#browser details summary")
    german.wait_for_selector('#browser button:has-text("Organe des Abdomens")')
    german.keyboard.press("Escape")


def test_keys_are_asked_for_in_german(browser: Browser, keyed_server: ServerProcess):
    """Who comes without a key is no wrongdoer: there is a problem only with a wrong one."""
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(keyed_server.url)
    page.wait_for_selector("#unlock:visible")
    assert not page.is_visible("#problem")
    assert page.evaluate("document.activeElement.id") == "key"
    page.keyboard.type("falscher-schluessel-" + "x" * 20)
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem:visible")
    said = page.inner_text("#problem")
    assert said.startswith("Der Zugangsschlüssel fehlt, ist falsch oder abgelaufen.")
    assert "operator" not in said
    context.close()


def test_a_refusal_of_the_server_says_in_german_what_to_do(browser: Browser, tmp_path):
    """An error with a code of its own in the header, and one that only has the code of its kind."""
    path = phantom_file(tmp_path)
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    with ServerProcess(limits={"max_request_bytes": 300}) as server:
        page.goto(server.url)
        page.wait_for_selector("#work:visible")
        drop(page, path)
        page.fill("#text", "Leber, " * 60)
        page.wait_for_selector("#problem:visible")
        assert "300 Byte" in page.inner_text("#problem")
    context.close()
