"""Structure sets of structures of all kinds, and what other programs see in their contours."""

import numpy as np
from made_dicom import write_series
from made_scans import segmentation
from matplotlib.path import Path as Polygon

from textsegment.files.dicom.reader import read_dicom

SHAPE = (44, 36, 14)
AXIAL = np.diag([-1.0, -1, 1])
SAGITTAL = np.array([[0, 0, -1.0], [-1, 0, 0], [0, -1, 0]])
CORONAL = np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
FEET_FIRST = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])


def pictures(shape=SHAPE):
    """Structures of all kinds: round, with hole and island, in parts, tiny, at the border, overlapping."""
    i, j, k = np.indices(shape)

    def ball(centre, radii):
        return sum(((x - c) / r) ** 2 for x, c, r in zip((i, j, k), centre, radii, strict=True)) <= 1

    found = {
        "liver": ball((20, 16, 6), (16, 12, 5)),
        "urinary bladder": ball((22, 18, 7), (14, 11, 5)) & ~ball((21, 17, 7), (8, 7, 4)),
        "left kidney": np.zeros(shape, dtype=bool),
        "spleen": np.zeros(shape, dtype=bool),
        "prostate": np.zeros(shape, dtype=bool),
    }
    found["urinary bladder"] |= ball((21, 16, 7), (3, 4, 3))
    found["left kidney"][3:9, 2:7, 1:4] = found["left kidney"][30:39, 20:33, 9:] = True
    found["left kidney"][10, 7, 2] = found["left kidney"][5, 4, 2] = True
    found["spleen"][:5, :, :3] = True
    found["prostate"][17, 30, 5] = True
    return found


def made_scan(folder, matrix, shape=SHAPE, **options):
    stored = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape) % 3000
    write_series(folder, stored, matrix, **options)
    return read_dicom(folder)


def result(scan, masks=None):
    return segmentation(scan.volume.geometry.affine, pictures() if masks is None else masks)


def names(dataset):
    return [roi.ROIName for roi in dataset.StructureSetROISequence]


def contours(dataset, name):
    (number,) = [roi.ROINumber for roi in dataset.StructureSetROISequence if roi.ROIName == name]
    (item,) = [roi for roi in dataset.ROIContourSequence if roi.ReferencedROINumber == number]
    return item.get("ContourSequence", [])


def mask_by_even_odd(dataset, name, geometry):
    """What lies inside, pixel centre by pixel centre, in the plane that the points themselves lie in."""
    mask = np.zeros(geometry.spatial_shape, dtype=bool)
    centres = np.stack(np.indices(geometry.spatial_shape[:2]), axis=-1).reshape(-1, 2) + 1e-6
    for contour in contours(dataset, name):
        points_ras = np.array(contour.ContourData, dtype=float).reshape(-1, 3) * [-1, -1, 1]
        index = geometry.to_index(points_ras)
        k = round(float(index[0, 2]))
        assert np.abs(index[:, 2] - k).max() < 1e-3
        polygon = Polygon(np.append(index[:, :2], index[:1, :2], axis=0), closed=True)
        mask[:, :, k] ^= polygon.contains_points(centres).reshape(mask.shape[:2])
    return mask
