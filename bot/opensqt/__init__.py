"""OpenSQT: grid-trading bots as Kubernetes resources."""
