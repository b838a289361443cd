"""Text encoders: prompts to embeddings, images to embeddings."""

from zoom_engine.text.attribute_encoder import NO_WORDS, AttributeEncoder
from zoom_engine.text.encoder import TextEncoder
from zoom_engine.text.examples import ExamplePictures
from zoom_engine.text.load import load_text_encoder, text_encoder_for
from zoom_engine.text.templates import find_templates

__all__ = [
    "NO_WORDS",
    "AttributeEncoder",
    "ExamplePictures",
    "TextEncoder",
    "find_templates",
    "load_text_encoder",
    "text_encoder_for",
]
