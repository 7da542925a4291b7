"""What a cluster needs before the first deployment: one directory for each platform and gateway provider."""

from __future__ import annotations

from llmdgen.prerequisites.cluster import Asked, asked_by, asked_in, clusters
from llmdgen.prerequisites.documents import files

__all__ = ["Asked", "asked_by", "asked_in", "clusters", "files"]
