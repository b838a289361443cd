"""StyleGAN3 in StyleSpace: `config.py` has its shape, `filters.py` re-sampling, `network.py` the generator."""
