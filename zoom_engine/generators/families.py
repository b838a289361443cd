"""The families of generators that files hold, and the network of each configuration."""

from __future__ import annotations

from zoom_engine.generators.stylegan2.config import StyleGAN2Config
from zoom_engine.generators.stylegan2.network import StyleGAN2
from zoom_engine.generators.stylegan3.config import StyleGAN3Config
from zoom_engine.generators.stylegan3.network import StyleGAN3

Generator = StyleGAN2 | StyleGAN3
GeneratorConfig = StyleGAN2Config | StyleGAN3Config


def network_of(config: GeneratorConfig) -> Generator:
    """Return a generator of such a shape, its weights random."""
    return StyleGAN3(config) if isinstance(config, StyleGAN3Config) else StyleGAN2(config)
