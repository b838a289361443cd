"""Domains: each brings a generator, a text encoder and targets, registers itself, and is found by name."""

from zoom_engine.domains.registry import Domain, KnownTruth, domain_names, find_domain

__all__ = ["Domain", "KnownTruth", "domain_names", "find_domain"]
