"""Real Kubernetes for the tests: an envtest and kind, built from source where they cannot be pulled."""
