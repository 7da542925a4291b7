"""The version, below everything that names it: the package, `--version`, the lock files, SARIF."""

VERSION = "0.1.0"
