from zoom_engine.commands.explore.widget import explore as explore
from zoom_engine.commands.fit.measuring import fitness as fitness
from zoom_engine.common.errors import ZoomError as ZoomError
from zoom_engine.diagnose.diagnoser import Diagnoser as Diagnoser
from zoom_engine.diagnose.diagnosers import Diagnosers as Diagnosers
from zoom_engine.diagnose.domain import find_domain as find_domain
from zoom_engine.directions import EditDirections as EditDirections
from zoom_engine.directions import find_directions as find_directions
from zoom_engine.discovery.discoverer import Discoverer as Discoverer
from zoom_engine.discovery.findings import Discovery as Discovery
from zoom_engine.domains.contract import check_domain as check_domain
from zoom_engine.edits.contract import check_editor as check_editor
from zoom_engine.generators import check_editable_generator as check_editable_generator
from zoom_engine.generators import load_generator as load_generator
from zoom_engine.search import check_search as check_search
from zoom_engine.settings.attributes import Attribute as Attribute
from zoom_engine.settings.audit_settings import AuditSettings as AuditSettings
from zoom_engine.statistics.diagnosis import Diagnosis as Diagnosis
from zoom_engine.targets import check_task as check_task
from zoom_engine.targets import load_target as load_target
from zoom_engine.text import load_text_encoder as load_text_encoder

__version__: str
