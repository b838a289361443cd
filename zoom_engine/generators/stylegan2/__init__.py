"""StyleGAN2 in StyleSpace: ``config.py`` its shape, ``network.py`` the generator."""
