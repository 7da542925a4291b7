"""From files in memory to files on disk, and back to what has changed since: the only place that writes."""
