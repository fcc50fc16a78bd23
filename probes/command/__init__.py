"""What every command shares: options as a dataclass, files whole or not at all, provenance."""
