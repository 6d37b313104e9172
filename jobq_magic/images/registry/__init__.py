"""A client for registries: names, credentials, manifests, blobs."""

from __future__ import annotations

from jobq_magic.images.registry.client import MANIFESTS, Blob, Manifest, Registry
from jobq_magic.images.registry.problems import Refused
from jobq_magic.images.registry.reference import Reference

__all__ = ["MANIFESTS", "Blob", "Manifest", "Reference", "Refused", "Registry"]
