"""Text encoders: prompts to embeddings, images to embeddings."""

from zoom_engine.text.encoder import TextEncoder
from zoom_engine.text.load import load_text_encoder, text_encoder_for
from zoom_engine.text.templates import find_templates

__all__ = [
    "TextEncoder",
    "find_templates",
    "load_text_encoder",
    "text_encoder_for",
]
