"""Requirements: from the modules that a cell needs to distributions, and from these to a lock for the place it runs at.

What the notebook has here is the truth: a module belongs to the distribution whose file it is, and the lock takes the
versions that are installed. No module is imported for that. `locking` makes the lock; it is not loaded at a submit.
"""

from __future__ import annotations

from jobq_magic.capture.requirements.roots import Resolved, roots

__all__ = ["Resolved", "roots"]
