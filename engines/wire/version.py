"""The one version: the package's, every engine's and every report's."""

VERSION = "0.1.0"
