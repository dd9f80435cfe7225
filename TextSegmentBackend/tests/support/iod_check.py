"""Two programs that compare a DICOM file with the standard: dicom-validator and dciodvfy (dicom3tools).

By itself dicom-validator fetches the standard from the network; here it gets the edition 2020b, which the
package dicom-standard holds.
"""

from __future__ import annotations

import json
import re
import subprocess
import sysconfig
from functools import cache
from html import unescape
from importlib.metadata import files
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import pydicom
from dicom_validator.spec_reader.condition import ConditionType
from dicom_validator.spec_reader.condition_parser import ConditionParser
from dicom_validator.spec_reader.enum_parser import EnumParser
from dicom_validator.validator.dicom_info import DicomInfo
from dicom_validator.validator.error_handler import NullValidationResultHandler
from dicom_validator.validator.iod_validator import IODValidator
from pydicom.uid import (
    BasicTextSRStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
)

_LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
_CLASSES = ("RT Structure Set", "Segmentation")
_LIST = re.compile(r"<strong>\s*([^<]*?)\s*</strong>\s*</p>\s*<dl>(.*?)</dl>", re.DOTALL)
_TERM = re.compile(r"<dt>\s*<span>\s*(.*?)\s*</span>\s*</dt>", re.DOTALL)
_FUNCTIONAL_GROUPS = ("(5200,9229)", "(5200,9230)")
# The package has what follows an included macro in this table at the wrong depth.
_MISPLACED = re.compile(r"^rt-roi-observations:(?:00082228:(?!0008))?(?!30060080\b)")
_OBSERVATION = "rt-roi-observations:30060080:"


def standard_errors(path: Path) -> list[str]:
    """Return what a file has against the description of its class (PS3.3) by both programs, one line each.

    Label maps are younger than what dicom-validator has, and it does not know how content items of reports
    nest: of both dciodvfy alone speaks.
    """
    dataset = pydicom.dcmread(path)
    if dataset.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:  # which dciodvfy cannot undo
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = path.with_suffix(".inflated.dcm")
        dataset.save_as(path)
    program = Path(sysconfig.get_path("scripts"), "dciodvfy")
    check = subprocess.run([program, path], capture_output=True, check=False)
    said = (check.stdout + check.stderr).decode(errors="replace").splitlines()
    assert {"RTStructureSet", "Segmentation", "BasicTextSR"} & set(said), said
    others = [] if dataset.SOPClassUID in (_LABEL_MAP, BasicTextSRStorage) else iod_errors(path)
    return others + [line for line in said if line.startswith("Error")]


def iod_errors(path: Path) -> list[str]:
    """Return what a file has against the description of its class by dicom-validator, one line each."""
    validator = IODValidator(pydicom.dcmread(path), _standard(), error_handler=NullValidationResultHandler())
    result = validator.validate()
    errors = [
        f"{module}: {tag} {error.code.name} {error.context or ''}"
        for module, found in result.module_errors.items()
        for tag, error in found.items()
    ]
    assert bool(errors) == bool(result.errors), result.status
    return errors


@cache
def _standard() -> DicomInfo:
    dictionary = {
        row["tag"]: {"name": row["name"], "vr": row["valueRepresentation"], "vm": row["valueMultiplicity"]}
        for row in _table("attributes")
    }
    conditions = ConditionParser(dictionary)
    iods = {
        sop["id"]: {
            "title": sop["ciod"],
            "modules": _parts("ciod_to_modules", "moduleId", sop["ciod"], conditions),
            "group_macros": _parts("ciod_to_fg_macros", "macroId", sop["ciod"], conditions),
        }
        for sop in _table("sops")
        if sop["ciod"] in _CLASSES
    }
    used = {
        part["ref"]
        for iod in iods.values()
        for kind in ("modules", "group_macros")
        for part in iod[kind].values()
    }
    modules: dict[str, dict[str, Any]] = {ref: {} for ref in used}
    for kind in ("module", "macro"):
        for row in _table(f"{kind}_to_attributes"):
            ref = f"{kind} {row[kind + 'Id']}"
            if ref in used:
                _add(modules[ref], row, dictionary, conditions)
    return DicomInfo(dictionary, iods, modules)


def _parts(table: str, key: str, ciod: str, conditions: ConditionParser) -> dict[str, dict[str, Any]]:
    """Return the modules of a class, or the macros of its functional groups."""
    (identifier,) = (row["id"] for row in _table("ciods") if row["name"] == ciod)
    parts: dict[str, dict[str, Any]] = {}
    for row in _table(table):
        if row["ciodId"] == identifier:
            part = parts[row[key]] = {"ref": f"{key[:-2]} {row[key]}", "use": row["usage"]}
            if row["conditionalStatement"]:
                part["cond"] = conditions.parse(row["conditionalStatement"]).result_dict()
    return parts


def _add(
    module: dict[str, Any], row: dict[str, Any], dictionary: dict[str, Any], conditions: ConditionParser
) -> None:
    """Add one attribute, after those of the sequence that it is in."""
    path = _MISPLACED.sub(_OBSERVATION, row["path"])
    level = module
    for step in path.split(":")[1:-1]:
        level = level[_tag(step)].setdefault("items", {})
    attribute = level.setdefault(row["tag"], {"name": "", "type": row["type"]})
    if row["type"] in ("1C", "2C", "3"):
        condition = conditions.parse(_text(row["description"]))
        if condition.type != ConditionType.UserDefined:
            attribute["cond"] = condition.result_dict()
    if enums := _enums(row, dictionary, conditions):
        attribute["enums"] = enums
    if row["tag"] in _FUNCTIONAL_GROUPS:
        attribute["items"] = {"include": [{"ref": "FuncGroup"}]}


def _enums(
    row: dict[str, Any], dictionary: dict[str, Any], conditions: ConditionParser
) -> list[dict[str, Any]]:
    """Return the enumerated values of an attribute: the validator wants them as the standard's own XML."""
    cell = Element("td")
    for title, terms in _LIST.findall(row["description"]):
        listed = SubElement(cell, f"{EnumParser.docbook_ns}variablelist")
        SubElement(listed, f"{EnumParser.docbook_ns}title").text = _text(title)
        for term in _TERM.findall(terms):
            entry = SubElement(listed, f"{EnumParser.docbook_ns}varlistentry")
            SubElement(entry, f"{EnumParser.docbook_ns}term").text = _text(term)
    found = EnumParser(lambda _: None, conditions).parse(cell, dictionary[row["tag"]]["vr"])
    for enum in found:
        if "cond" in enum:
            enum["cond"] = enum["cond"].result_dict()
    return [enum for enum in found if enum.pop("tag", row["tag"]) == row["tag"]]


def _tag(step: str) -> str:
    return f"({step[:4]},{step[4:]})".upper()


def _text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def _table(name: str) -> list[dict[str, Any]]:
    (path,) = (file for file in files("dicom-standard") or () if file.name == f"{name}.json")
    rows: list[dict[str, Any]] = json.loads(Path(path.locate()).read_text(encoding="utf-8"))
    return rows
