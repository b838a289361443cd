"""StyleGAN2 in StyleSpace."""

from zoom_engine.generators.stylegan2.config import StyleGAN2Config
from zoom_engine.generators.stylegan2.network import StyleGAN2

__all__ = ["StyleGAN2", "StyleGAN2Config"]
