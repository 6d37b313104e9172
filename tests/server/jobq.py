"""`jobq` as a process, where WITHOUT names what is not installed."""

from __future__ import annotations

import os
import sys

from jobq_magic.cli.main import main

if missing := os.environ.get("WITHOUT"):
    sys.modules[missing] = None  # type: ignore[assignment] # what the import system knows is not there
sys.exit(main())
