"""A client for registries: OCI distribution-spec 1.1, over one kept connection each."""
