"""StyleGAN3 in StyleSpace: ``config.py`` its shape, ``filters.py`` re-sampling, ``network.py`` the generator."""

from zoom_engine.generators.stylegan3.config import StyleGAN3Config
from zoom_engine.generators.stylegan3.network import StyleGAN3

__all__ = ["StyleGAN3", "StyleGAN3Config"]
