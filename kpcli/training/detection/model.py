"""A face detector's loss: which cell answers for which face, how sure it is, how well it fits.

Cells are matched to faces by how good they already are at them (task-aligned learning, Feng et
al., "TOOD", ICCV 2021); the score learns the fit it will have (varifocal loss, Zhang et al.,
CVPR 2021), the box learns by generalised IoU (Rezatofighi et al., CVPR 2019).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any

CELLS_A_FACE = 9
CENTRAL = 0.4
"""Distance from a face's centre, in its width and height, within which cells may answer for it."""
NEAREST = 6.0
"""Distance from a face's centre, in pixels, within which cells may answer for it in any case: small
faces would else have none.
"""
NEGATIVE_WEIGHT, NEGATIVE_POWER = 0.75, 2.0
BOX_WEIGHT = 2.0


def decoded(numbers: Tensor, cells: Tensor) -> Tensor:
    """`kpcli.boxes.decode` of numbers (B, n, 4) at cells (B, n, 3)."""
    stride = cells[..., 2:]
    centre = cells[..., :2] + numbers[..., :2] * stride
    half = ops.exp(ops.clip(numbers[..., 2:], -6.0, 6.0)) * stride / 2
    return ops.concatenate([centre - half, centre + half], axis=-1)


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and union of boxes (..., 4) that broadcast against each other."""
    # One coordinate at a time: reductions over an axis of two made half of a step's loss.
    width = ops.minimum(a[..., 2], b[..., 2]) - ops.maximum(a[..., 0], b[..., 0])
    height = ops.minimum(a[..., 3], b[..., 3]) - ops.maximum(a[..., 1], b[..., 1])
    inter = ops.relu(width) * ops.relu(height)
    union = _area(a) + _area(b) - inter
    return inter / ops.maximum(union, 1e-6), union


def _area(boxes: Tensor) -> Tensor:
    return ops.relu(boxes[..., 2] - boxes[..., 0]) * ops.relu(boxes[..., 3] - boxes[..., 1])


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU, -1..1, of boxes (..., 4)."""
    iou, union = overlap(a, b)
    low = ops.minimum(a[..., :2], b[..., :2])
    high = ops.maximum(a[..., 2:], b[..., 2:])
    hull = ops.maximum(ops.prod(high - low, axis=-1), 1e-6)
    return iou - (hull - union) / hull


def assign(
    score: Tensor, boxes: Tensor, cells: Tensor, faces: Tensor, real: Tensor
) -> tuple[Tensor, Tensor]:
    """Which cells answer for which faces.

    Parameters
    ----------
    score, boxes : (B, n) probabilities and (B, n, 4) boxes that the cells give now.
    cells : (B, n, 3) as `kpcli.boxes.cell_grid` has them.
    faces, real : (B, G, 4) labelled boxes, and (B, G) 1 where there is one.

    Returns
    -------
    aim : (B, n)
        What the cell's score should be, 0 for background.
    box : (B, n, 4)
        The box of the face that it answers for; of no meaning where ``aim`` is 0.
    """
    aim, mine = owners(score, boxes, cells, faces, real)
    return aim, ops.einsum("bgn,bgc->bnc", mine, faces)


def owners(
    score: Tensor, boxes: Tensor, cells: Tensor, faces: Tensor, real: Tensor
) -> tuple[Tensor, Tensor]:
    """`assign`, with (B, G, n) 1 for the face that a cell answers for instead of its box."""
    iou, _ = overlap(faces[:, :, None], boxes[:, None])
    centre = (faces[..., :2] + faces[..., 2:]) / 2
    reach = ops.maximum(CENTRAL * (faces[..., 2:] - faces[..., :2]), NEAREST)
    inside = [
        ops.abs(cells[:, None, :, i] - centre[..., None, i]) <= reach[..., None, i] for i in (0, 1)
    ]
    near = ops.cast(ops.logical_and(*inside), "float32") * real[..., None]
    cubed = (iou + 1e-3) * (iou + 1e-3) * (iou + 1e-3)
    fit = ops.sqrt(score)[:, None] * cubed * cubed * near  # (B, G, n)
    chosen = ops.logical_and(fit >= kth_best(fit, CELLS_A_FACE), near > 0)
    # A cell that several faces chose goes to the one that it fits best.
    claim = ops.where(chosen, iou + 1e-3, 0.0)
    owner = ops.argmax(claim, axis=1)
    mine = ops.one_hot(owner, faces.shape[1], axis=1, dtype="float32")
    taken = mine * ops.cast(chosen, "float32")  # (B, G, n), one face a cell at most
    fit, iou = fit * taken, iou * taken
    scale = ops.max(iou, axis=-1) / ops.maximum(ops.max(fit, axis=-1), 1e-20)
    return ops.sum(fit * scale[..., None], axis=1), mine


def kth_best(values: Tensor, k: int) -> Tensor:
    """The k-th largest (..., 1) of values (..., n)."""
    best, _ = ops.top_k(values, k)
    return best[..., -1:]


def score_loss(logit: Tensor, aim: Tensor, counted: Tensor) -> Tensor:
    """Varifocal loss (B, n) of score logits; cells with ``counted`` 0 are no background."""
    probability = ops.sigmoid(logit)
    entropy = ops.softplus(logit) - logit * aim
    negative = NEGATIVE_WEIGHT * ops.stop_gradient(probability) ** NEGATIVE_POWER * counted
    return entropy * ops.where(aim > 0, aim, negative)


class DetectionTrainer(keras.Model):
    """Wraps a detector; targets are those of `kpcli.training.detection.batches`."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    def call(self, pictures: Any, training: bool | None = None) -> Any:
        return self.network(pictures, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None,
        training: bool = True,
    ) -> Any:  # fmt: skip
        logit = y_pred["score"]
        # A picture's labels are either faces as WIDER boxes them or landmark boxes.
        kind = y["landmark"][:, :, None] > 0
        boxes = decoded(ops.where(kind, y_pred["landmark_box"], y_pred["box"]), y["cells"])
        aim, target = assign(
            ops.stop_gradient(ops.sigmoid(logit)), ops.stop_gradient(boxes), y["cells"],
            y["faces"], y["real"],
        )  # fmt: skip
        aim, target = ops.stop_gradient(aim), ops.stop_gradient(target)
        total = ops.maximum(ops.sum(aim), 1.0)
        score = ops.sum(score_loss(logit, aim, y["counted"])) / total
        safe = ops.where(aim[..., None] > 0, target, boxes)
        box = ops.sum((1 - giou(boxes, safe)) * aim) / total
        return score + BOX_WEIGHT * box
