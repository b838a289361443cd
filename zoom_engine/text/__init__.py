"""Text encoders: prompts to embeddings, images to embeddings, zero-shot labels."""

from zoom_engine.text.encoder import TextEncoder, label_probabilities
from zoom_engine.text.load import load_text_encoder, text_encoder_for
from zoom_engine.text.templates import find_templates

__all__ = [
    "TextEncoder",
    "find_templates",
    "label_probabilities",
    "load_text_encoder",
    "text_encoder_for",
]
