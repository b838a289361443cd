"""StyleGAN2 in StyleSpace: `config.py` has its shape, `network.py` the generator."""
