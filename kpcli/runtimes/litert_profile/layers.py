"""Which layer each of the profiler's events is of.

LiteRT's own operators name their node. XNNPACK's name only a kind ("Convolution (NHWC, F32) IGEMM")
and a place in their delegate, so the nodes of each delegate are found as LiteRT finds them
(`parts`), and its operators are laid beside them in order (`lay_beside`): the nodes that multiply
matrices hold the two together, as none of them is ever left out or doubled.
"""

from __future__ import annotations

from collections.abc import Sequence

from kpcli.runtimes.litert_profile.c_api import OPERATOR, Event
from kpcli.runtimes.litert_profile.graph import Node

_HEAVY = ("Convolution", "Deconvolution", "Fully Connected", "Dynamic Fully", "Batch Matrix")
_LIGHT: dict[str, str | tuple[str, ...]] = {
    "ADD": "Add", "SUB": "Subtract", "MUL": ("Multiply", "Square"), "DIV": "Divide",
    "MAXIMUM": "Maximum", "MINIMUM": "Minimum", "SQUARE": "Square", "SQUARED_DIFFERENCE": "Squared",
    "MEAN": "Mean", "SUM": "Sum",
    "RESHAPE": "Static Reshape", "EXPAND_DIMS": "Static Reshape", "SQUEEZE": "Static Reshape",
    "TRANSPOSE": "Transpose", "SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid", "TANH": "Tanh",
    "EXP": "Exp", "SQRT": "Square Root", "RSQRT": "Reciprocal Square Root", "ABS": "Abs",
    "NEG": "Negate", "RELU": "Clamp", "RELU6": "Clamp", "HARD_SWISH": "HardSwish",
    "LEAKY_RELU": "Leaky ReLU", "PRELU": "PReLU", "ELU": "ELU", "PAD": "Constant Pad",
    "MAX_POOL_2D": "Max Pooling", "AVERAGE_POOL_2D": "Average Pooling",
    "RESIZE_BILINEAR": "Resize Bilinear", "CONCATENATION": "Copy", "SLICE": "Slice",
    "STRIDED_SLICE": "Slice", "DEPTH_TO_SPACE": "Depth To Space", "QUANTIZE": "Convert",
    "DEQUANTIZE": "Convert",
}  # fmt: skip
"""What XNNPACK's operator is called that a node becomes; others than these are laid to the node
before them.
"""


def layers(events: Sequence[Event], nodes: Sequence[Node]) -> list[int | None]:
    """The number of each event's node; None where it is not known.

    A delegate's events all stay without nodes where they and the graph do not fit together.
    """
    found: list[int | None] = [None] * len(events)
    groups: list[list[int]] = []
    own: set[int] = set()
    before = None
    for place, event in enumerate(events):
        if event.kind == OPERATOR:
            if event.number < len(nodes):  # behind them come the delegates
                found[place] = event.number
                own.add(event.number)
        elif before is None or before.kind == OPERATOR or event.number <= before.number:
            groups.append([place])
        else:
            groups[-1].append(place)
        before = event
    delegated = parts(nodes, own)
    if len(delegated) != len(groups):
        return found
    for group, part in zip(groups, delegated, strict=True):
        names = [events[place].name for place in group]
        laid = lay_beside(names, [nodes[i].kind for i in part], [nodes[i].macs for i in part])
        for place, at in zip(group, laid or (), strict=False):
            found[place] = part[at]
    return found


def parts(nodes: Sequence[Node], own: set[int]) -> list[list[int]]:
    """The delegated nodes by delegate, in the order of their work.

    LiteRT takes nodes as long as their inputs are there and they are of the same side, LiteRT's
    (``own``) or the delegate's; then those of the other side, and so on.
    """
    awaited = {i for node in nodes for i in node.outputs}
    left = list(range(len(nodes)))
    found: list[list[int]] = []
    while left:
        taken: list[int] = []
        side: bool | None = None
        for i in left:  # the graph's order: inputs come first
            if awaited.isdisjoint(nodes[i].inputs) and side in (None, i in own):
                side = i in own
                taken.append(i)
                awaited.difference_update(nodes[i].outputs)
        if not taken:
            return []
        left = [i for i in left if i not in set(taken)]
        if not side:
            found.append(taken)
    return found


def lay_beside(names: Sequence[str], kinds: Sequence[str], macs: Sequence[int]) -> list[int] | None:
    """The place of the node that each of a delegate's operators is of.

    Returns
    -------
    list of int or None
        None where they are not as many heavy operators as heavy nodes.
    """
    heavy = [i for i, count in enumerate(macs) if count]
    if sum(name.startswith(_HEAVY) for name in names) != len(heavy):
        return None
    laid: list[int] = []
    now, ahead = 0, [*heavy, len(kinds)]
    for number, name in enumerate(names):
        if name.startswith(_HEAVY):
            now = ahead.pop(0)
        elif name.startswith("Convert") and names[number + 1 : number + 2]:
            if names[number + 1].startswith(_HEAVY):  # numbers made small for the next
                laid.append(ahead[0])
                continue
        else:
            begin = now + 1 if laid else 0
            fits = [i for i in range(begin, ahead[0]) if name.startswith(_LIGHT.get(kinds[i], "?"))]
            now = fits[0] if fits else now
        laid.append(now)
    return laid
