"""Messages about a result that the user should see, with a code and values for programs.

A caution stays with its subject: it travels from a region that was read to the structures derived from it,
and into reports and the descriptions written to files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_PHRASES = {
    "contours_beyond_image": "Contours that reach beyond the image were cut off at its border: {count}.",
    "contours_left_out": "Contours that lie on no slice of the scan were left out: {count}.",
    "contours_moved": "Contours that lie beside the slices of the scan, by up to {most_mm:g} mm, were taken "
    "for the nearest slice: {count}.",
    "contours_too_close": "The contours lie closer together than the slices of the scan; left out: {count}.",
    "slices_interpolated": "The contours lie farther apart than the slices of the scan; slices that were "
    "interpolated: {count}.",
    "slices_without_contours": "There are slices without a contour between its contours, where it stays "
    "empty: {count}.",
    "regions_elsewhere": "Regions of another frame of reference were left out: {count}.",
    "regions_of_other_images": "Regions that were drawn on other images were left out: {count}.",
    "other_frame_of_same_images": "The {noun} was made on the images of this scan, but names another frame "
    "of reference for them.",
    "no_images_named": "The {noun} does not say on which images it was made; only the frame of reference is "
    "the same.",
    "object_rejected": "A person has rejected the {noun}.",
    "names_in_ascii": "Names are in ASCII: texts of the scan are in another character set than is declared.",
    "not_axial": "The images are not axial: many planning systems take structure sets on axial images only.",
    "approval_lost": "The structure set that was extended was approved by a person; the new one is not.",
    "not_found": "Not found in this image: {structure}.",
    "operand_not_found": "{operand} was not found, so it has no part in it.",
    "operand_cut_off": "It reaches the border of the image, where a part of it may be missing.",
    "margin_cut_off": "the margin reaches beyond the image and ends at its border.",
    "margin_rounded": "on this grid the margin is {changes}.",
    "contours_unreadable": "Contours that cannot be read were left out: {count}.",
    "points_miscounted": "Contours have other numbers of points than they say: {count}.",
    "items_unassigned": "Contours that belong to no region, or to several, were left out: {count}.",
    "contours_too_small": "Its contours hold no centre of a voxel.",
    "modality_guessed": "The modality was guessed to be {modality}, from the {source} of the image: if that "
    "is wrong, give the right one with --modality.",
    "looks_like_ct": "The values look like Hounsfield units, and the modality is said to be {modality}: "
    "check it.",
    "looks_like_labels": "The image looks like a label map or mask, not like a scan.",
    "not_hounsfield": "The values ({low:g} to {high:g}) can hardly be Hounsfield units: in another unit "
    "the masks of a CT are wrong.",
    "not_hounsfield_scaled": "The values ({low:g} to {high:g}) are no Hounsfield units, but seem to be "
    "scaled: in another unit the masks of a CT are wrong. Use the original image.",
    "not_hounsfield_shifted": "The values ({low:g} to {high:g}) are no Hounsfield units, but seem to be "
    "shifted by about 1000: in another unit the masks of a CT are wrong. Subtract it, or use the "
    "original image.",
    "not_hounsfield_clipped": "The values begin at {low:g}: those of air and fat are cut off, or they are no "
    "Hounsfield units. The masks of such a CT are wrong: use the original image.",
    "not_hounsfield_wrapped": "The values ({low:g} to {high:g}) are no Hounsfield units: negative ones "
    "seem to have lost their sign, and lie just below 65536. The masks of such a CT are wrong: use the "
    "original image.",
    "padding_clipped": "Padding far outside the other values ({percent:g} % of the voxels) was clipped "
    "to {low:g} … {high:g}.",
    "rescale_missing": "The CT files do not say how stored values become Hounsfield units (no rescale "
    "slope and intercept): if they are none already, the masks are wrong.",
    "rescale_type": "The CT files say that their values are {unit}, not Hounsfield units: the masks may "
    "be wrong.",
    "orientation_unsaid": "The file says nothing about orientation: axes to the left, back and head are "
    "assumed, check the result.",
    "unit_doubtful": "The voxels are {size_mm:.2g} mm, the whole image {extent_mm:.2g} mm: the unit may be "
    "centimetres, taken for millimetres.",
    "orientation_coronal": "The file says nothing about orientation: coronal slices are assumed, check the "
    "result.",
    "unit_unknown": "The unit of the voxel sizes in the file is not known: millimetres are assumed, check "
    "the result.",
    "foreign_objects_left_out": "Objects of another kind in the series (screenshots, dose pages) were left "
    "out: {count}.",
    "stray_images_left_out": "Images of the series that do not fit to the others (size, direction or place) "
    "were left out: {count}.",
    "unplaced_images_left_out": "Images that do not say where they lie (screenshots, dose pages) were left "
    "out: {count}.",
    "region_only": "Only a region of the image was looked at: masks end at its border.",
    "result_resampled": "The result lies on other voxels than the reference and was resampled to them: "
    "differences of up to a voxel may come from that.",
    "names_unclear": "Not compared, because several structures have or may mean these names: {names}.",
    "approved_set_kept": "A person has approved an earlier structure set of this series: it was left "
    "alone, and this is a new one.",
    "regions_replaced": "Machine-made regions of the earlier structure set that nobody had edited were "
    "replaced: {count}.",
    "regions_kept": "Regions of the earlier structure set that a person has edited or added were kept: "
    "{names}.",
    "fast": "The fast mode was used: masks may be worse, at most where patches meet.",
    "unsure": "the model is unsure of {percent:g} % of it",
    "distant_parts": "{count} separate parts (the second {percent:g} % as large as the first, "
    "{distance_mm:g} mm away)",
    "wrong_side": "{percent:g} % of it lies on the other side of the body",
    "too_small": "only {volume_ml:g} ml",
    "too_large": "as much as {volume_ml:g} ml",
    "misplaced": "{distance_cm:g} cm {direction} where the other structures put it",
    "claimed": "other structures claim {percent:g} % of it",
    "parts_disagree": "only {percent:g} % agreement with its parts",
    "unstable": "only {percent:g} % agreement with a second computation",
    "check": "Check: {reasons}.",
    "probably_absent": "Probably not in this image: {reasons}.",
    "not_judged": "Not judged, since the weights are not calibrated: {reasons}.",
    "mostly_doubtful": "Many results look doubtful ({count} of {total}): check modality, unit and "
    "orientation.",
    "upside_down": "The structures lie in reverse order from head to feet: the image seems to be upside "
    "down, so check its orientation.",
    "edits_disagree": "Edits contradict each other in {count} voxels: the last one counts.",
    "edits_by_shape": "The edits were carried on by their shape alone, without looking at the image.",
    "by_nninteractive": "The edits were carried on by an nnInteractive server, whose weights have these "
    "terms of use: {terms}.",
    "holes_filled": "Holes in its slices were filled ({added_ml:g} ml).",
    "required_not_found": "The template requires it, and it was not found.",
    "contours_limited": "Contours of more than {most} points were simplified to so many.",
    "contours_tiny": "Contours smaller than {smallest_mm2:g} mm² were left out: {count}.",
    "tidy_parts": "Tidied: small parts apart from the largest were removed ({count} of them, "
    "{volume_ml:g} ml).",
    "tidy_side": "Tidied: what lay on the other side of the body was removed ({volume_ml:g} ml).",
    "tidy_made_of_parts": "Tidied: made of {parts} ({removed_ml:g} ml removed, {added_ml:g} ml added).",
    "tidy_smoothed": "Tidied: smoothed by {deviation_mm:g} mm ({removed_ml:g} ml removed, {added_ml:g} ml "
    "added).",
    "nothing_above_zero": "No voxel is above zero: the image may be in another unit, and results poor.",
    "term_side_unclear": "The model does not tell this side apart, or there is none; run it without a side?",
    "term_broader": "The model has only something wider; run that instead?",
    "term_narrower": "The model has only a part of it; run that instead?",
    "term_overlaps": "The model has only something that overlaps with it; run that instead?",
    "term_other_modality": "{structure} is known in {others} only, not in {modality}.",
    "terms_other_modality": "{count} of these structures are known in {others} only, not in {modality}.",
    "term_side_unsaid": "On which side? Name it beside the structure.",
    "term_side_of_others": "On which side? The other terms name one.",
    "term_below_heading": "The heading before it may concern it; name it by itself.",
    "term_may_belong": '"{term}" may belong to it; name them as one, or apart.',
    "term_may_concern": '"{term}" may concern it too; name it by itself.',
    "term_not_understood": '"{term}" is not understood and may concern it; name it by itself.',
    "term_followed": "What follows may concern it too; name it by itself.",
    "term_may_be_meant": '"{term}" may be meant; name it by itself.',
    "term_sign": 'The sign "{sign}" may leave something out or leave a choice; write only the names to '
    "segment.",
    "term_numbers": "Do the numbers count the lines, or are they part of the names?",
    "term_meanings": "It may mean {meanings}.",
    "term_hip": "In radiotherapy it may mean the hip bone or the femoral head.",
    "term_asks": "Is {structure} meant?",
    "term_note": "{note}",
    "term_some_in_modality": "In {modality} the model has {count} of {total}.",
    "term_some_in_model": 'The model has {count} of {total} structures of "{term}".',
    "term_not_in_model": "This model does not know it in this modality; another may.",
    "term_not_trained": "The model was not trained on it.",
    "term_anatomy_not_trained": "{structure} is anatomy that the model was not trained on.",
    "term_disease": "A disease or finding that the model was not trained on.",
    "term_device": "A device or object, not anatomy.",
    "term_negation": "The text leaves something out; name what to segment instead.",
    "term_target": "Target and planning volumes are drawn by a person; the model has none.",
    "term_derived": "Segment the parts first and derive the volume from them; the model knows anatomy only.",
    "term_made_of_others": "A volume made from others; segment its parts first.",
    "term_too_long": "It is too long to be a name.",
    "term_ribs": "There are ribs 1 to 12.",
    "term_liver_segments": "The liver has the segments 1 to 8.",
    "term_liver_segment_4": "The model has segment 4 as a whole only.",
    "term_no_vertebra": "There is no such vertebra.",
    "term_vertebra_lacking": "The model has no {names}.",
    "term_vertebra_or_duodenum": "A thoracic vertebra or a part of the duodenum?",
    "term_whole_vertebrae": "The model has whole vertebrae only.",
    "term_vertebrae_or_disc": "The vertebrae {above} and {below}, or the disc between them?",
    "term_no_disc": "There is no such disc.",
    "term_disc_lacking": "The model has the discs from T9/T10 to L5/S1.",
    "term_disc_unsaid": "Name a disc by its two vertebrae, such as L4/L5 disc.",
    "term_several_discs": "Say discs to ask for several.",
    "template_lacking": "The model has nothing of {template} in {modality}.",
    "template_lines_left_out": "{reason}: {names}.",
    "limit_volume": "The volume is larger than the server accepts: {most_voxels} voxels and {most_bytes} "
    "bytes.",
    "limit_prompts": "There are {count} prompts, at most {most} are accepted at once.",
    "limit_prompt_length": "A prompt is longer than {most} characters.",
    "limit_request": "The request is larger than the {most_bytes} bytes that are accepted.",
    "limit_job_time": "The job took longer than the {most_s:.0f} s that are accepted.",
    "limit_model_grid": "The image would have {voxels:.3g} voxels in the resolution of the model.",
    "limit_contours": "The contours have more than {most} points.",
    "limit_edits": "The edits are larger than is accepted.",
    "queue_full": "The queue is full.",
    "queue_full_of_yours": "Too many of your jobs are waiting.",
    "queue_closed": "The server is stopping.",
    "uploads_full": "Too many uploads are on their way.",
    "edits_say_nothing": "Nothing says what the structure is like: there are edits outside of it only.",
    "modality_without_structures": "The model knows no structure in images of the modality {modality}.",
    "prompt_not_known": "The model does not know {prompt!r} in {modality} images.",
    "said_in_file": "{note}",
    "said": "{sentence}",
}


class Caution(str):
    """A message that the user should see.

    It is a string, so that it can be shown without knowledge of the codes. Front ends can translate it by
    rephrasing it from ``code`` and ``values``.

    Args:
        code: Stable identifier of the message; one of ``codes()``.
        about: Name of the structure concerned; empty if the context makes it clear.
        values: Numbers and names inserted into the message.

    Attributes:
        code: Stable identifier of the message.
        about: Name of the structure concerned, or an empty string.
        values: Read-only mapping of the numbers and names in the message.

    Example:
        >>> caution = Caution("contours_left_out", "PTV", count=3)
        >>> print(caution)
        PTV: Contours that lie on no slice of the scan were left out: 3.
        >>> caution.code, caution.about, caution.values["count"]
        ('contours_left_out', 'PTV', 3)
    """

    code: str
    about: str
    values: Mapping[str, Any]

    def __new__(cls, code: str, about: str = "", **values: Any) -> Caution:
        """Build the message from its phrase and values."""
        phrase = _PHRASES[code].format(**values)
        caution = super().__new__(cls, f"{about}: {phrase}" if about else phrase)
        caution.code, caution.about, caution.values = code, about, MappingProxyType(values)
        return caution

    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, Any]]:
        """Return the arguments from which ``copy`` and ``pickle`` recreate the caution."""
        return (self.code, self.about), dict(self.values)

    def __getstate__(self) -> None:
        """Return None: ``__new__`` receives the whole state."""


def codes() -> tuple[str, ...]:
    """Return all caution codes."""
    return tuple(_PHRASES)


def phrases() -> Mapping[str, str]:
    """Return the phrase of each code, with the names of its values in braces, for translators."""
    return MappingProxyType(_PHRASES)


def about(structure: str, sentence: str) -> Caution:
    """Attach the name of a structure to a message.

    Args:
        structure: Name of the structure the message is about.
        sentence: A caution or plain text; a message that already names a structure is left unchanged.

    Example:
        >>> print(about("PTV", Caution("contours_left_out", count=3)))
        PTV: Contours that lie on no slice of the scan were left out: 3.
        >>> print(about("Opt", about("PTV", "It was drawn by hand.")))
        PTV: It was drawn by hand.
    """
    if not isinstance(sentence, Caution):
        is_named = re.search(rf"(?<!\w){re.escape(structure)}(?!\w)", sentence)
        return Caution("said", "" if is_named else structure, sentence=sentence)
    if sentence.about or structure in sentence.values.values():
        return sentence
    return Caution(sentence.code, structure, **sentence.values)
