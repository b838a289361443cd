"""Text encoders: prompts to embeddings, images to embeddings, zero-shot labels."""

from zoom_engine.text.encoder import TextEncoder, label_probabilities
from zoom_engine.text.load import load_text_encoder, text_encoder_for
from zoom_engine.text.prompts import check_prompt

__all__ = ["TextEncoder", "check_prompt", "label_probabilities", "load_text_encoder", "text_encoder_for"]
