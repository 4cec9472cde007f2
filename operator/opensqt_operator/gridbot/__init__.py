"""GridBots: what is to be done for one, and what its status is. Nothing here does any I/O."""
