"""`check_task` finds each fault that a task of somebody else's may have, and says which; runs refuse what it cannot
see."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from networks import Drawing, Function
from search_toys import looked_at
from torch import Tensor

from zoom_engine import check_task
from zoom_engine.common.contracts import members
from zoom_engine.common.errors import TargetError
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.targets import (
    BinaryTask,
    Described,
    DetectionTask,
    EmbeddingTask,
    KeypointsTask,
    MultiClassTask,
    MultiLabelTask,
    Parts,
    Pixels,
    RegressionTask,
    ResponseAxis,
    SegmentationTask,
    Task,
    TaskView,
    load_target,
)
from zoom_engine.targets.tasks.contract import check_task_members, check_task_on

NAMES = ("a", "b", "c", "d")


@dataclasses.dataclass(frozen=True)
class Level(Described):
    """A level from 0 to 1 that flips where it moves by `tolerance`; as it should be."""

    tolerance: float = 0.2
    name: ClassVar[Any] = "level"

    def outputs(self, raw: Tensor) -> Any:
        return raw.flatten(1).float()

    def recorded(self, outputs: Tensor, original: Tensor) -> Any:
        return outputs

    def margin(self, outputs: Tensor, original: Tensor) -> Any:
        return self.tolerance - (outputs - original).abs()[:, 0]

    def flipped(self, outputs: Tensor, original: Tensor) -> Any:
        return self.margin(outputs, original) <= 0

    def change(self, outputs: Tensor, original: Tensor) -> Any:
        return (outputs - original).abs()[:, 0].clamp(max=1)

    def loss(self, outputs: Tensor, original: Tensor) -> Any:
        return (outputs - torch.where(original < 0.5, 1.0, 0.0)).abs()[:, 0]

    @property
    def view(self) -> Any:
        return LevelView(self)


class LevelView(TaskView):
    """Has captions and words of its own, and leaves the rest to the defaults."""

    task: Level

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> Any:
        return f"{float(outputs_row.flatten()[0]):.2f}"

    def change_in_words(self, change: float) -> Any:
        return f"{100 * change:.0f} % of the scale"


def shown(view: type[LevelView]) -> type[Level]:
    """A level that is shown by `view`."""
    return type(view.__name__, (Level,), {"view": property(view)})


class WithoutMargin(Level):
    margin = None  # type: ignore[assignment]


class ViewOfItself(Level):
    @property
    def view(self) -> Any:
        return self


class LabelOfANumber(LevelView):
    caption_label = 3  # type: ignore[assignment]


class NotForJson(Level):
    def to_dict(self) -> dict[str, Any]:
        return {"task": self.name, "tolerance": np.float32(0.2)}


class TuplesInJson(Level):
    def to_dict(self) -> dict[str, Any]:
        return {"task": self.name, "tolerance": (0.2,)}


class OfAnotherName(Level):
    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "task": "levels"}


class ForgetsItsOptions(Level):
    @classmethod
    def from_dict(cls, described: dict[str, Any]) -> Any:
        return cls(0.5)


class TakesNothingBack(Level):
    @classmethod
    def from_dict(cls, described: dict[str, Any]) -> Any:
        return cls(**described, more=True)  # type: ignore[call-arg]


class LargeNegligible(LevelView):
    negligible_change = 5.0  # type: ignore[assignment]


class FallingAxis(LevelView):
    response_axis = ResponseAxis("the level", (1.0, 0.0))  # type: ignore[assignment]


class NamedColour(LevelView):
    legend = (("level", "magenta"),)


class NoWords(LevelView):
    def change_in_words(self, change: float) -> float:
        return change


class NoMean(LevelView):
    def mean_in_words(self, change: float) -> Any:
        return ""


class DoubleOutputs(Level):
    def outputs(self, raw: Tensor) -> Tensor:
        return raw.flatten(1).double()


class OneOutput(Level):
    def outputs(self, raw: Tensor) -> Tensor:
        return raw.flatten(1).mean(0, keepdim=True)


class RecordsNaN(Level):
    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        return (outputs - original) / (outputs - original).clamp(min=0)


class RecordsNoRows(Level):
    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        return outputs[:, 0]


class MarginOfColumns(Level):
    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        return self.tolerance - (outputs - original).abs()


class FlippedByNumber(Level):
    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        return super().flipped(outputs, original).float()


class ChangeTimesHundred(Level):
    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        return 100 * super().change(outputs, original)


class SignedChange(Level):
    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        return (outputs - original)[:, 0]


class DividesByTheOriginal(Level):
    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        return super().change(outputs, original) / (original[:, 0] > 0.5)


class ChangesByItself(Level):
    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        return (outputs[:, 0] + 0 * original[:, 0]).clamp(0, 1)


class FlipsFromItself(Level):
    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        return (outputs - original).abs()[:, 0] < self.tolerance


class MarginTurned(Level):
    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        return (outputs - original).abs()[:, 0] - self.tolerance

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        return self.margin(outputs, original) > 0


class FlipsLater(Level):
    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        return self.margin(outputs, original) <= -0.2


class MixesRows(Level):
    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        return outputs - outputs.mean(0)


class MeansOverRows(Level):
    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        loss = super().loss(outputs, original)
        return loss.mean().expand(len(loss))


class OneLoss(Level):
    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        return super().loss(outputs, original).mean()


class LongCaption(LevelView):
    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        return str(outputs_row) * 9


class CaptionOfANumber(LevelView):
    def caption(self, outputs_row: Tensor, original_row: Tensor) -> float:
        return outputs_row[0].item()


class DrawsShares(LevelView):
    def overlay(self, pixels: Pixels, outputs_row: Tensor, original_row: Tensor) -> Any:
        return pixels / 255


class DrawsInPlace(LevelView):
    def overlay(self, pixels: Pixels, outputs_row: Tensor, original_row: Tensor) -> Pixels:
        pixels[:2] = 255
        return pixels


class RespondsByATensor(LevelView):
    def response(self, recorded: Sequence[float], original: Sequence[float]) -> Tensor:
        return torch.tensor(recorded)


class OneState(LevelView):
    def state(self, recorded: Sequence[float], original: Sequence[float]) -> int:
        return 0


class NamelessState(LevelView):
    def state_name(self, state: int) -> None:
        """Says nothing."""


class PartsWithoutChanges(LevelView):
    def parts(self, recorded: Sequence[float], original: Sequence[float]) -> Parts:
        return Parts(("red", "green"))


class PartsThatShrink(LevelView):
    def parts(self, recorded: Sequence[float], original: Sequence[float]) -> Parts:
        return Parts(("red",), [recorded[0] - original[0]], "how far")


class RecordsDistances(Level):
    """Its recorded numbers are not its outputs, which the default of `TaskView.state` takes them for."""

    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        return (outputs - original) / 1000


class DetachedLoss(Level):
    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        return super().loss(outputs.detach(), original)


class DetachedMargin(Level):
    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        return super().margin(outputs.detach(), original)


class FlatLoss(Level):
    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        return 0 * super().loss(outputs, original)


WRONG = [
    (WithoutMargin, "margin must be a method, not None"),
    (ViewOfItself, "view is a TaskView, but it is a ViewOfItself"),
    (shown(LabelOfANumber), "are texts, but caption_label is 3"),
    (NotForJson, "to_dict is JSON-ready.*, but it fails: TypeError"),
    (TuplesInJson, "JSON has not all of its values"),
    (OfAnotherName, "its \"task\" is 'levels'"),
    (ForgetsItsOptions, "from_dict takes it back, but what comes back is .*0.5"),
    (TakesNothingBack, "from_dict takes it back, but it fails: TypeError"),
    (shown(LargeNegligible), r"negligible_change is in \[0, 1\], but it is 5.0"),
    (shown(FallingAxis), r"response_axis .* two rising numbers or None.*, but its ends are \(1.0, 0.0\)"),
    (shown(NamedColour), "legend has names and colours .*, but it has .'level', 'magenta'."),
    (shown(NoWords), "change_in_words is a text, but it is 0.25"),
    (shown(NoMean), "are texts, but mean_in_words is ''"),
    (DoubleOutputs, "float32 or whole numbers.*, but they are torch.float64"),
    (OneOutput, r"outputs gives a row for each raw one, but of \[6, 3\] they are \[1, 3\]"),
    (RecordsNaN, "recorded gives finite numbers .*, but it gives NaN or infinity"),
    (RecordsNoRows, r"recorded gives finite numbers \[B, M\], but it gives \[6\]"),
    (MarginOfColumns, r"margin gives a number a row, but it gives torch.float32 \[6, 3\]"),
    (FlippedByNumber, r"flipped gives true or false a row, but it gives torch.float32 \[6\]"),
    (ChangeTimesHundred, r"change lies in \[0, 1\], but it reaches \d\d"),
    (SignedChange, r"change lies in \[0, 1\], but it reaches -0"),
    (DividesByTheOriginal, "change gives a number a row, but it gives NaN or infinity"),
    (ChangesByItself, "the change of an output to itself is 0, but it is 0.6"),
    (FlipsFromItself, "an output has not flipped from itself, but flipped says so"),
    (MarginTurned, "an output has not flipped from itself, but its margin is -0.2"),
    (FlipsLater, "negative where it flipped.*, but flipped is False at a margin of -0"),
    (MixesRows, "rows do not depend on each other, but recorded of a row is .* off"),
    (MeansOverRows, "rows do not depend on each other, but loss of a row is .* off"),
    (OneLoss, "loss gives a number a row, but it gives torch.float32 .. of 6 rows"),
    (shown(LongCaption), "caption is a text of 1 to 80 characters, but it is 'tensor"),
    (shown(CaptionOfANumber), "caption is a text of 1 to 80 characters, but it is 0"),
    (shown(DrawsShares), r"overlay is another picture, uint8 .*, but it is float64 \[16, 16, 3\]"),
    (shown(DrawsInPlace), "the picture that it was given is drawn into"),
    (shown(RespondsByATensor), "response is a number, but it is tensor"),
    (shown(OneState), "another one after a flip, but a flip leads from state 0 to the same"),
    (shown(NamelessState), "but state is 0, its name None"),
    (shown(PartsWithoutChanges), "but names are 2, changes 0"),
    (shown(PartsThatShrink), r"but changes are \[-0"),
    (RecordsDistances, "another one after a flip, but a flip leads from state 0 to the same"),
    (DetachedLoss, "loss has a gradient .*, but it has none"),
    (DetachedMargin, "margin has a gradient .*, but it has none"),
    (FlatLoss, "loss has a slope, but it is 0"),
]
RAW = torch.rand(6, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("wrong", "reason"), WRONG, ids=[wrong.__name__ for wrong, _ in WRONG])
def test_a_wrong_task_is_refused_by_the_rule_that_it_breaks(wrong: type[Level], reason: str) -> None:
    with pytest.raises(TargetError, match=reason) as caught:
        check_task(wrong(), RAW)
    assert "\n" not in str(caught.value)
    assert "task 'level'" in str(caught.value)


SHIPPED: list[Task] = [
    BinaryTask(),
    BinaryTask(output="two-probabilities"),
    BinaryTask(head=2),
    MultiClassTask(classes=NAMES, output="probabilities"),
    MultiLabelTask(classes=NAMES),
    RegressionTask(range=(0, 1), unit="years"),
    KeypointsTask(),
    KeypointsTask(output="heatmaps"),
    SegmentationTask(classes=NAMES),
    SegmentationTask(classes=NAMES, output="labels"),
    DetectionTask(),
    DetectionTask(output="boxes"),
    DetectionTask(output="yolo", classes=NAMES, chosen="b"),
    EmbeddingTask(),
]


@pytest.mark.parametrize("task", [Level(), *SHIPPED], ids=lambda task: f"{task.name}-{getattr(task, 'output', '')}")
def test_what_ships_holds_the_contract_on_outputs_of_its_usual_shape(task: Task) -> None:
    check_task(task)


def test_what_a_view_does_not_say_has_a_default() -> None:
    view, before, after = TaskView(Level()), torch.tensor([0.1, 0.5]), torch.tensor([0.4, 0.5])
    assert view.caption(after, before) == "0.30", "how far the recorded number furthest off is"
    assert view.caption_label == view.response_axis.label == "how far the model’s output moved"
    assert [view.state([level, 0.5], [0.1, 0.5]) for level in (0.1, 0.4)] == [0, 1]
    assert [view.state_name(state) for state in (0, 1)] == ["", "another output"]
    assert (view.parts([0.4], [0.1]), view.legend, view.change_in_words(0.3)) == (Parts(), (), "")
    assert (view.whole, view.flip_in_words, view.extent_in_words([([0.4], [0.1])])) == ("", "", "")
    assert view.mean_in_words(0.3) == "the output moves by 0.30 of at most 1 on average"


def test_what_an_output_means_has_twelve_members_and_how_it_is_shown_seventeen() -> None:
    assert len(members(Task)) == 12
    assert len([name for name in (*vars(TaskView), "task") if not name.startswith("_")]) == 17


def test_a_task_of_no_usual_shape_asks_for_outputs() -> None:
    class OfSevens(Level):
        def outputs(self, raw: Tensor) -> Tensor:
            if raw.shape[1] != 7:
                raise TargetError("sevens are wanted")
            return raw

    with pytest.raises(TargetError, match="reads none of the usual outputs: give check_task some"):
        check_task(OfSevens())
    check_task(OfSevens(), torch.rand(2, 7))
    with pytest.raises(TargetError, match="2 or more pictures, not 1"):
        check_task(OfSevens(), torch.rand(1, 7))


def network() -> Function:
    return Function(lambda m: (m[:, :1] - 0.5) * 2 + 0.5)


@pytest.mark.parametrize("wrong", [ChangeTimesHundred, SignedChange, DetachedLoss, TuplesInJson, WithoutMargin])
def test_a_target_is_refused_on_load_where_its_task_breaks_the_contract(wrong: type[Level]) -> None:
    with pytest.raises(TargetError, match="task 'level'"):
        load_target(network(), task=wrong(), resolution=16)


def test_on_load_a_task_is_asked_a_few_times_for_a_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    for name in ("margin", "flipped", "change", "loss", "recorded"):
        method = getattr(Level, name)

        def counted(self: Level, outputs: Tensor, original: Tensor, method: Any = method) -> Any:
            rows.append(len(outputs))
            return method(self, outputs, original)

        monkeypatch.setattr(Level, name, counted)
    load_target(network(), task=Level(), resolution=16)
    assert 0 < len(rows) < 60
    small = sum(rows)
    rows.clear()
    wide = Function(lambda m: m[:, :1].expand(-1, 20_000) * 2 - 0.5)
    load_target(wide, task=Level(), resolution=16)
    assert sum(rows) < small / 2, "of large outputs it looks at fewer"


class OfMaps(Level):
    """Mixed into a task of rows: the same of maps, whose mean is the row."""

    def __getattribute__(self, name: str) -> Any:
        result = super().__getattribute__(name)
        if name not in ("recorded", "margin", "flipped", "change", "loss"):
            return result

        def of_rows(*given: Any) -> Any:
            maps = [isinstance(value, Tensor) and value.ndim > 2 for value in given]
            return result(*(value.mean((-2, -1)) if a_map else value for value, a_map in zip(given, maps, strict=True)))

        return of_rows


MAPS = 0.1 + RAW[..., None, None].expand(-1, -1, 160, 160).clone()


@pytest.mark.parametrize("wrong", [wrong for wrong, _ in WRONG if wrong not in (FlatLoss, OneOutput)])
def test_a_wrong_task_of_large_maps_is_refused_on_load_too(wrong: type[Level]) -> None:
    """A flat loss may be noise's, and a target tells how many rows there are."""

    def load() -> None:
        check_task_members(wrong())
        check_task_on(type(wrong.__name__, (OfMaps, wrong), {})(), MAPS.double() if wrong is DoubleOutputs else MAPS)

    with pytest.raises(TargetError, match="task 'level'"):
        load()


def test_a_sound_task_of_large_maps_is_loaded() -> None:
    check_task_on(OfMaps(), MAPS)


def test_the_check_on_load_of_large_maps_costs_the_same_whatever_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    of_task, of_view = ("margin", "flipped", "change", "loss", "recorded"), ("caption", "overlay")
    for kind, names in ((SegmentationTask, of_task), (type(SegmentationTask(classes=NAMES).view), of_view)):
        for name in names:
            original = getattr(kind, name)

            def counted(self: object, *given: Any, original: Any = original) -> Any:
                seen.append(sum(value.numel() for value in given if isinstance(value, Tensor)))
                return original(self, *given)

            monkeypatch.setattr(kind, name, counted)
    sums = []
    for side in (128, 512):
        seen.clear()
        check_task_on(SegmentationTask(classes=NAMES), torch.rand(8, 4, side, side))
        sums.append(sum(seen))
    assert sums[0] == sums[1] < 1_000_000


def test_a_task_that_knows_the_size_of_its_maps_is_held_to_whole_ones() -> None:
    class OfOneSize(SegmentationTask):
        def overlaps(self, outputs: Tensor, original: Tensor) -> Tensor:
            if outputs.shape[-2:] != (160, 160):
                raise ValueError("160 × 160 are wanted")
            return super().overlaps(outputs, original)

    class ChangesALot(OfOneSize):
        def change(self, outputs: Tensor, original: Tensor) -> Tensor:
            return 100 * super().change(outputs, original)

    check_task_on(OfOneSize(classes=NAMES), torch.rand(4, 4, 160, 160))
    with pytest.raises(TargetError, match=r"change lies in \[0, 1\], but it reaches"):
        check_task_on(ChangesALot(classes=NAMES), torch.rand(4, 4, 160, 160))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda moved: 100 * moved, "it reaches 60"),
        (lambda moved: -moved, "it reaches -0.6"),
        (lambda moved: moved / 0, "it reaches inf"),
        (lambda moved: moved * float("nan"), "it is NaN"),
    ],
)
def test_the_evaluator_refuses_a_change_out_of_its_range(made: Any, reason: str) -> None:
    """The check on load has seen noise alone: what a task makes of an edited picture is looked at each time."""

    class Wrong(Level):
        def change(self, outputs: Tensor, original: Tensor) -> Tensor:
            moved = super().change(outputs, original)
            return torch.where(original[:, 0] == 0.125, made(moved), moved)

    draw = Drawing(lambda codes: codes[:, :1, None, None].expand(-1, 3, 16, 16) * 2 - 1)
    target = load_target(network(), task=Wrong(), resolution=16)
    evaluator = Evaluator(draw, torch.ones(1, 1), target)
    originals = evaluator.originals(torch.tensor([[0.3125]]))
    with pytest.raises(TargetError, match=rf"task 'level': the change .* lie in \[0, 1\], but {reason}") as caught:
        looked_at(evaluator, torch.tensor([[0.3125]]), torch.tensor([[0.3]]), originals)
    assert "\n" not in str(caught.value)


def test_the_evaluator_refuses_recorded_numbers_that_json_has_not() -> None:
    class Wrong(Level):
        def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
            return torch.where(original == 0.125, torch.inf, outputs)

    draw = Drawing(lambda codes: codes[:, :1, None, None].expand(-1, 3, 16, 16) * 2 - 1)
    evaluator = Evaluator(draw, torch.ones(1, 1), load_target(network(), task=Wrong(), resolution=16))
    originals = evaluator.originals(torch.tensor([[0.3125]]))
    with pytest.raises(TargetError, match=r"task 'level': what it records .* NaN or infinite"):
        looked_at(evaluator, torch.tensor([[0.3125]]), torch.tensor([[0.3]]), originals)
