"""Which layer a profiler's event is of; no LiteRT needed."""

from __future__ import annotations

from kpcli.runtimes.litert_profile.c_api import DELEGATE_OPERATOR, OPERATOR, Event
from kpcli.runtimes.litert_profile.graph import Node
from kpcli.runtimes.litert_profile.layers import lay_beside, layers, parts


def chain(*kinds: str) -> list[Node]:
    """Nodes each of which takes what the one before makes; heavy ones have some work."""
    heavy = ("CONV_2D", "FULLY_CONNECTED")
    return [Node(k, f"l{i}", int(k in heavy), (i,), (i + 1,)) for i, k in enumerate(kinds)]


def xnnpack(*names: str) -> list[Event]:
    return [Event(f"{name} (NC)", DELEGATE_OPERATOR, i, 5) for i, name in enumerate(names)]


def test_what_xnnpack_adds_is_of_the_node_before_and_what_it_leaves_out_is_passed_over() -> None:
    nodes = ("MUL", "CONV_2D", "RELU", "RESHAPE", "ADD", "FULLY_CONNECTED")
    names = ["Multiply (ND)", "Convolution (NHWC, F32) IGEMM", "Add (ND)", "Clamp (NC)",
             "Fully Connected (NC, F32) GEMM"]  # fmt: skip
    assert lay_beside(names, nodes, [0, 9, 0, 0, 0, 9]) == [0, 1, 4, 4, 5]


def test_a_convolution_may_be_run_as_a_fully_connected_layer() -> None:
    assert lay_beside(["Fully Connected (NC)", "Convolution"], ["CONV_2D"] * 2, [1, 1]) == [0, 1]


def test_numbers_made_small_are_of_the_layer_that_takes_them() -> None:
    names = ["Convert (NC, F32, QDU8)", "Convolution", "Convert (NC, F32, QDU8)", "Convolution"]
    assert lay_beside(names, ["CONV_2D", "CONV_2D"], [1, 1]) == [0, 0, 1, 1]


def test_heavy_operators_too_many_or_too_few_are_not_guessed() -> None:
    assert lay_beside(["Convolution", "Convolution"], ["CONV_2D", "ADD"], [1, 0]) is None
    assert lay_beside(["Add (ND)"], ["CONV_2D", "ADD"], [1, 0]) is None


def test_delegates_are_parted_by_what_litert_runs_itself() -> None:
    nodes = chain("CONV_2D", "SHAPE", "ADD", "FULLY_CONNECTED")
    assert parts(nodes, {1}) == [[0], [2, 3]]
    assert parts(nodes, set()) == [[0, 1, 2, 3]]


def test_a_node_goes_to_the_delegate_that_can_run_it_first() -> None:
    late = Node("CONV_2D", "branch", 1, (1,), (9,))  # stands last, needs only the first
    nodes = [*chain("CONV_2D", "SHAPE", "ADD"), late]
    assert parts(nodes, {1}) == [[0, 3], [2]]


def test_events_find_their_nodes_through_delegates_and_litert_s_own() -> None:
    nodes = chain("CONV_2D", "ADD", "SHAPE", "FULLY_CONNECTED")
    events = [*xnnpack("Convolution", "Add", "Clamp"), Event("SHAPE", OPERATOR, 2, 1),
              *xnnpack("Fully Connected")]  # fmt: skip
    assert layers(events, nodes) == [0, 1, 1, 2, 3]


def test_two_delegates_in_a_row_are_told_by_their_counting() -> None:
    nodes = [*chain("CONV_2D", "SHAPE"), Node("ADD", "apart", 0, (2,), (3,))]
    events = [Event("SHAPE", OPERATOR, 1, 1), *xnnpack("Convolution"), *xnnpack("Add")]
    assert layers(events, nodes) == [1, 0, 2]


def test_events_of_another_graph_stay_without_layers() -> None:
    nodes = chain("CONV_2D", "SHAPE", "ADD")
    assert layers(xnnpack("Convolution"), nodes) == [0]
    assert layers([*xnnpack("Convolution"), *xnnpack("Add")], nodes) == [None, None]
    assert layers([Event("DELEGATE", OPERATOR, 7, 1)], nodes) == [None]
