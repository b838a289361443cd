"""Edit directions: what an attribute, given as text, does to the style vector of a generator."""

from zoom_engine.directions.baseline import (
    BASELINE_PICTURES,
    BaselineDirections,
    LabelReader,
    baseline_directions,
    control_prompts,
)
from zoom_engine.directions.cache import Keeper, kept_by
from zoom_engine.directions.calibration import CalibratedRange, calibrate_range, score_directions, text_scores
from zoom_engine.directions.denials import MisreadDenial, misread_denials
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.find import (
    DEFAULT_THRESHOLD,
    check_method,
    direction_method,
    directions_from_relevance,
    find_directions,
    unit_relevance,
)
from zoom_engine.directions.gradient_relevance import gradient_relevance
from zoom_engine.directions.groups import TextGroups, text_groups
from zoom_engine.directions.image_bounds import Bounding, ImageBounds
from zoom_engine.directions.natural_region import NaturalEdits, NaturalRegion, natural_region
from zoom_engine.directions.paraphrases import paraphrase_directions, paraphrases
from zoom_engine.directions.prompted import PROMPTED, default_method, reads
from zoom_engine.directions.regression import ESTIMATORS, regression_relevance
from zoom_engine.directions.relevance import (
    DirectionMethod,
    MatrixRelevance,
    Relevance,
    Sampling,
    text_directions,
)
from zoom_engine.directions.sampled import sampled_relevance
from zoom_engine.directions.score_scale import ScoreScale, joined_scales, score_scale
from zoom_engine.directions.wording import DEFAULT_LEVEL

__all__ = [
    "BASELINE_PICTURES",
    "DEFAULT_LEVEL",
    "DEFAULT_THRESHOLD",
    "ESTIMATORS",
    "PROMPTED",
    "BaselineDirections",
    "Bounding",
    "CalibratedRange",
    "DirectionMethod",
    "EditDirections",
    "ImageBounds",
    "Keeper",
    "LabelReader",
    "MatrixRelevance",
    "MisreadDenial",
    "NaturalEdits",
    "NaturalRegion",
    "Relevance",
    "Sampling",
    "ScoreScale",
    "TextGroups",
    "baseline_directions",
    "calibrate_range",
    "check_method",
    "control_prompts",
    "default_method",
    "direction_method",
    "directions_from_relevance",
    "find_directions",
    "gradient_relevance",
    "joined_scales",
    "kept_by",
    "misread_denials",
    "natural_region",
    "paraphrase_directions",
    "paraphrases",
    "reads",
    "regression_relevance",
    "sampled_relevance",
    "score_directions",
    "score_scale",
    "text_directions",
    "text_groups",
    "text_scores",
    "unit_relevance",
]
