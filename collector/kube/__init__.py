"""Exchanges to Kubernetes calls, as the apiserver itself reads them. Pure."""
