"""Templates of a site: files that say what is made, and how it is called, finished and written."""

from textsegment.templates.named import template_named
from textsegment.templates.reading import read_template
from textsegment.templates.writing import template_text

__all__ = ["read_template", "template_named", "template_text"]
