"""The commands: flags in, one call, one printed answer."""
