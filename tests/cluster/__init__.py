"""Real Kubernetes for the tests: an envtest (etcd, kube-apiserver) and kind, built from source where they cannot be pulled."""
