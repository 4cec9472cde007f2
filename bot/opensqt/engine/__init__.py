"""The pure core: events in, actions out. No clock, no I/O, no randomness, no floats for money."""
