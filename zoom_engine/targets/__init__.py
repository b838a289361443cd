"""Target models: what is audited, how its input is made and how its output is read."""

from zoom_engine.targets.assumptions import input_notices
from zoom_engine.targets.describe import describe_target_file
from zoom_engine.targets.loaders.black_box import BlackBox
from zoom_engine.targets.loading import asks_a_service, check_target, load_target, load_untried
from zoom_engine.targets.onnx.write import save_onnx
from zoom_engine.targets.options import check_target_options
from zoom_engine.targets.preprocessing import Preprocessing
from zoom_engine.targets.target import Target
from zoom_engine.targets.tasks import (
    BinaryTask,
    DetectionTask,
    EmbeddingTask,
    KeypointsTask,
    MultiClassTask,
    MultiLabelTask,
    RegressionTask,
    SegmentationTask,
    Task,
    task_from_dict,
)
from zoom_engine.targets.tasks.contract import check_task
from zoom_engine.targets.tasks.described import Described
from zoom_engine.targets.tasks.task import Parts, Pixels, ResponseAxis, TaskView

__all__ = [
    "BinaryTask",
    "BlackBox",
    "Described",
    "DetectionTask",
    "EmbeddingTask",
    "KeypointsTask",
    "MultiClassTask",
    "MultiLabelTask",
    "Parts",
    "Pixels",
    "Preprocessing",
    "RegressionTask",
    "ResponseAxis",
    "SegmentationTask",
    "Target",
    "Task",
    "TaskView",
    "asks_a_service",
    "check_target",
    "check_target_options",
    "check_task",
    "describe_target_file",
    "input_notices",
    "load_target",
    "load_untried",
    "save_onnx",
    "task_from_dict",
]
