"""Kueue's certificates, and who is told to trust them: what cert-manager does in many clusters, as upstream provides.

Kueue can look after them by itself, and by default does. Then it waits, when it first starts, until the kubelet shows
it the Secret that it has filled; and whenever it starts, it writes its authority into its webhooks and CRDs, two or
three times over: each time the API server works for seconds on the CRD of workloads, even where nothing has changed.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from tests.cluster import authority
from tests.cluster.objects import Object

AUTHORITY = "ca.crt"
"""The key in a Secret."""


def secrets(namespace: str, services: Mapping[str, str]) -> list[Object]:
    """Secrets with certificates of one new authority, whose own key nobody keeps.

    Args:
        namespace: of the Secrets and the Services.
        services: the Service that a certificate is for, by the name of its Secret.
    """
    above = authority.authority("kueue-ca")
    return [
        _secret(namespace, name, above, authority.server(above, service, (f"{service}.{namespace}.svc",)))
        for name, service in services.items()
    ]


def _secret(namespace: str, name: str, above: authority.Issued, given: authority.Issued) -> Object:
    files = {AUTHORITY: above.certificate, "tls.crt": given.certificate, "tls.key": given.key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "data": {file: base64.b64encode(data).decode() for file, data in files.items()},
    }


def trust(objects: Iterable[Object], known: str) -> None:
    """Writes an authority wherever the API server is told to ask a Service: webhooks, conversions, APIs.

    Args:
        objects: are changed.
        known: its certificate, in base64.
    """
    for found in objects:
        for client in _clients(found):
            if "service" in client:
                client["caBundle"] = known
                client.pop("insecureSkipTLSVerify", None)


def _clients(found: Object) -> Iterable[Object]:
    kind = found["kind"]
    if kind.endswith("WebhookConfiguration"):
        return [hook["clientConfig"] for hook in found["webhooks"]]
    if kind == "CustomResourceDefinition" and "webhook" in found["spec"].get("conversion", {}):
        return [found["spec"]["conversion"]["webhook"]["clientConfig"]]
    return [found["spec"]] if kind == "APIService" else []
