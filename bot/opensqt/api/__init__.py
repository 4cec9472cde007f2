"""The resources of opensqt.io/v1alpha1 as pydantic models: the source of the CRDs, their reference and all parsing."""

GROUP = "opensqt.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
