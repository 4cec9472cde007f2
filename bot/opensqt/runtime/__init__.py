"""The bot process: the thin shell around the engine."""
