"""`opensqt run`: on this machine what the operator does in a cluster, with the same manifests and the same commands."""
