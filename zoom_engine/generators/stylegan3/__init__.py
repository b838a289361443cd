"""StyleGAN3 in StyleSpace: `config.py` has its shape, `network.py` the generator and its re-sampling."""
