"""A rule may name the template file of a site, which lies beside it."""

import pytest

from textsegment.errors import RulesError
from textsegment.node.plan import plan_of
from textsegment.node.settings import read_rules
from textsegment.vocabulary.structures import known_in

RULES = '[[rules]]\nname = "ct"\ntemplate = "site/ours.toml"\n[rules.match]\nmodality = "CT"\n'
OURS = """
[[structure]]
name = "Heart_PRV"
derive = "Heart margin 5"
[[structure]]
name = "Heart"
text = "heart"
color = "#ff0000"
"""


@pytest.fixture
def rules(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "ours.toml").write_text(OURS)
    (tmp_path / "rules.toml").write_text(RULES)
    return tmp_path / "rules.toml"


def test_the_file_is_found_from_the_rules(rules):
    (rule,) = read_rules(rules).rules
    plan, _ = plan_of(rule, "CT", known_in("CT"))
    assert plan.written_names == ("Heart_PRV", "Heart")
    assert plan.styles["heart"].color == (255, 0, 0)


def test_a_mistake_in_it_is_a_mistake_of_the_rules(rules):
    (rules.parent / "site" / "ours.toml").write_text(OURS.replace("color", "colour"))
    with pytest.raises(RulesError, match=r"line 8, structure 2 \(Heart\), colour: there is no such field"):
        read_rules(rules)
    (rules.parent / "site" / "ours.toml").unlink()
    with pytest.raises(RulesError, match="no such template file"):
        read_rules(rules)
