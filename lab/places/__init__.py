"""The places in the lab: words, training, figures."""
