"""The command line: `opensqt run | bot | connector | postgres`."""
