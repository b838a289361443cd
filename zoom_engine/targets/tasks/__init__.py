"""What a target predicts: one file per task, and its line in `zoom_engine.common.registry.TASKS`.

Packages register theirs there too.
"""

from __future__ import annotations

from collections.abc import Mapping

from zoom_engine.common import registry
from zoom_engine.common.errors import TargetError
from zoom_engine.common.typed import one_of
from zoom_engine.targets.tasks.binary import BinaryTask
from zoom_engine.targets.tasks.detection import DetectionTask
from zoom_engine.targets.tasks.embedding import EmbeddingTask
from zoom_engine.targets.tasks.keypoints import KeypointsTask
from zoom_engine.targets.tasks.multiclass import MultiClassTask
from zoom_engine.targets.tasks.multilabel import MultiLabelTask
from zoom_engine.targets.tasks.regression import RegressionTask
from zoom_engine.targets.tasks.segmentation import SegmentationTask
from zoom_engine.targets.tasks.task import Task

__all__ = [
    "BinaryTask",
    "DetectionTask",
    "EmbeddingTask",
    "KeypointsTask",
    "MultiClassTask",
    "MultiLabelTask",
    "RegressionTask",
    "SegmentationTask",
    "Task",
    "task_from_dict",
]


def task_from_dict(described: Mapping[str, object]) -> Task:
    """Rebuild a task from its `to_dict`.

    Raises:
        TargetError: neither this version nor a package knows the task, or its options are wrong.
    """
    options = dict(described)
    name = str(options.pop("task", ""))
    kind: type[Task] | None = registry.find(registry.TASKS, name)
    if kind is None:
        raise TargetError(f"unknown task {one_of(name, registry.all_names(registry.TASKS))}")
    try:
        task = kind.from_dict(options)
    except (TypeError, ValueError, KeyError) as error:
        raise TargetError(f"task {name!r}: {error}") from error
    if task.name != name:
        raise TargetError(f"task {name!r} calls itself {task.name!r}: give its entry point the same name")
    return task
