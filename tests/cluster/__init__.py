"""A real cluster to test on: Kubernetes, Kueue and KubeRay from nothing, on one machine, with one command."""
