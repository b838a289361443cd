"""Domains: each brings a generator, a text encoder and targets, registers itself, and is found by name."""

from zoom_engine.domains.contract import check_domain
from zoom_engine.domains.registry import Domain, KnownFace, KnownTruth, domain_names, find_domain

__all__ = ["Domain", "KnownFace", "KnownTruth", "check_domain", "domain_names", "find_domain"]
