"""StyleGAN3 in StyleSpace: ``config.py`` its shape, ``filters.py`` re-sampling, ``network.py`` the generator."""
