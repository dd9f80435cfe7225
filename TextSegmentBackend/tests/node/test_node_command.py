"""``textsegment node``: check explains, status shows, run refuses what cannot work; health and metrics."""

import json
import urllib.error
import urllib.request

import numpy as np
import pydicom
import pytest
from archive import free_port
from command_line import textsegment
from made_dicom import write_series
from made_node import AFFINE, RULE, made_series, made_settings, running, take, to_toml, wait_for
from server_process import wait_until

from textsegment.node.journal.entries import State

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def rules(tmp_path):
    def write(*tables):
        (tmp_path / "rules.toml").write_text(to_toml({"rules": list(tables)}))
        return tmp_path / "rules.toml"

    return write


def test_check_explains_on_a_real_series(tmp_path, rules):
    made_series(tmp_path / "scan")
    chest = {**RULE, "name": "chest", "match": {"modality": "CT", "body_part": "CHEST"}}
    ended = textsegment("node", "check", rules(chest, {**RULE, "template": "prostate"}), tmp_path / "scan")
    assert ended.code == 0, ended.err
    assert "series 3 (CT, 12 slices): rule 'all CT'" in ended.out
    assert "no  body_part: (empty)   wanted: CHEST" in ended.out
    assert "Femur_Head_L" in ended.out
    assert "Not in the model: PenileBulb." in ended.out
    assert "Secret" not in ended.out.replace("Secret description", "")


def test_check_as_json_chooses_and_warns(tmp_path, rules):
    made_series(tmp_path / "scans" / "thick", series_number=1)
    made_series(tmp_path / "scans" / "gap", 1, shape=(32, 30, 14), series_number=2)
    sorted((tmp_path / "scans" / "gap").iterdir())[5].unlink()
    rule = {**RULE, "choose": {"prefer": ["most_slices"]}}
    ended = textsegment("node", "check", rules(rule), tmp_path / "scans", "--json")
    assert ended.code == 0, ended.err
    thick, gap = json.loads(ended.out)
    assert thick["then"] == ["Another series of the study would be chosen."]
    assert any("series_incomplete" in line for line in gap["then"])


def test_check_says_if_nothing_matches(tmp_path, rules):
    made_series(tmp_path / "scan")
    ended = textsegment("node", "check", rules({**RULE, "match": {"sender": "PACS"}}), tmp_path / "scan")
    assert ended.code == 3
    assert "no rule matches" in ended.out
    ended = textsegment("node", "check", tmp_path / "rules.toml", tmp_path / "scan", "--sender", "PACS")
    assert ended.code == 0


def test_check_of_rules_alone_and_of_mistakes(tmp_path, rules):
    assert "all CT" in textsegment("node", "check", rules(RULE)).out
    ended = textsegment("node", "check", rules({**RULE, "txt": "liver"}))
    assert ended.code == 2
    assert "Did you mean text?" in ended.err
    assert "[rules_invalid]" in ended.err
    (tmp_path / "rules.toml").write_text("[[rules]\n")
    assert "is not TOML" in textsegment("node", "check", tmp_path / "rules.toml").err
    assert textsegment("node", "check", tmp_path / "none.toml").code == 3


def test_templates_of_a_site_lie_beside_the_rules(tmp_path, rules):
    """With names, types and contour limits of the site; the path starts at the file of rules."""
    (tmp_path / "site.toml").write_text(
        'label = "Site"\n[[structure]]\nname = "Liver_OAR"\ntext = "liver"\ntype = "AVOIDANCE"\n'
    )
    rule = {"name": "site", "match": {"modality": "CT"}, "template": "site.toml", "outputs": ["rtstruct"]}
    settings = made_settings(tmp_path, rules=[rule])
    made_series(tmp_path / "scan")
    with running(settings) as node:
        take(node, tmp_path / "scan")
        wait_for(node)
        made = pydicom.dcmread(next(node.spool.results(1).glob("*.rtstruct.dcm")))
    assert [str(roi.ROIName) for roi in made.StructureSetROISequence] == ["Liver_OAR"]
    assert made.RTROIObservationsSequence[0].RTROIInterpretedType == "AVOIDANCE"
    assert "Liver_OAR" in textsegment("node", "check", rules(rule), tmp_path / "scan").out


def test_check_takes_the_configuration_with_its_file_of_rules(tmp_path, rules):
    rules(RULE)
    made_settings(tmp_path, rules=None, rules_file="rules.toml")
    assert "all CT" in textsegment("node", "check", tmp_path / "node.toml").out


def fetch(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_status_health_and_metrics(tmp_path):
    made_series(tmp_path / "scan")
    write_series(tmp_path / "pet", np.ones((8, 8, 5)), AFFINE, modality="PT")
    far = {"name": "far", "kind": "dicom", "host": "127.0.0.1", "port": free_port(), "ae_title": "FAR"}
    settings = made_settings(
        tmp_path,
        destinations=[far],
        rules=[{**RULE, "destinations": ["far"]}],
        monitor={"red_after_minutes": 0.02},
    )
    port = settings.monitor.port
    with running(settings) as node:
        assert fetch(port, "/healthz") == (200, '{"status": "green", "faults": []}')
        take(node, tmp_path / "scan")
        take(node, tmp_path / "pet")
        wait_until(lambda: fetch(port, "/healthz")[0] == 503, "health to turn red", 20)
        assert "nothing_delivered" in fetch(port, "/healthz")[1]
        metrics = fetch(port, "/metrics")[1]
        assert 'textsegment_node_series{state="segmented"} 1.0' in metrics
        assert 'textsegment_node_series{state="ignored"} 1.0' in metrics
        assert 'textsegment_node_deliveries_waiting{destination="far"} 1.0' in metrics
        assert "textsegment_node_healthy 0.0" in metrics
        assert "textsegment_node_images_taken_total 17.0" in metrics
        status = json.loads(fetch(port, "/status")[1])
        assert status["counts"]["segmented"] == 1
        assert fetch(port, "/")[0] == 404
        shown = textsegment("node", "status", tmp_path / "node.toml")
        assert shown.code == 8
        assert "far cannot be reached" in shown.out
        assert "nothing_delivered" in shown.out
    as_json = textsegment("node", "status", tmp_path / "node.toml", "--json")
    status = json.loads(as_json.out)
    assert [entry["state"] for entry in status["series"]] == [State.SEGMENTED, State.IGNORED]
    assert [step["state"] for step in status["series"][0]["history"]][:3] == [
        "receiving",
        "decided",
        "running",
    ]
    assert "Secret" not in as_json.out


def test_status_of_a_node_that_is_well(tmp_path):
    made_series(tmp_path / "scan")
    with running(made_settings(tmp_path)) as node:
        assert textsegment("node", "status", tmp_path / "node.toml").code == 0
        take(node, tmp_path / "scan")
        wait_for(node)
    shown = textsegment("node", "status", tmp_path / "node.toml")
    assert shown.code == 0
    assert "1 delivered" in shown.out
    assert "All is well." in shown.out


def test_status_before_the_first_start(tmp_path):
    made_settings(tmp_path)
    ended = textsegment("node", "status", tmp_path / "node.toml")
    assert ended.code == 9
    assert "no journal yet" in ended.err
