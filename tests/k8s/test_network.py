"""Which way leads into a pod and out of it, in every build."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from connectors.verify_metrics import JOB
from tests.k8s.manifests import Manifests, Resource
from tests.k8s.settings import PIPELINE, pods, settings


def policies(build: Manifests) -> dict[str, Resource]:
    return {each["metadata"]["name"]: each["spec"] for each in build.of_kind("NetworkPolicy")}


def allows(rule: dict[str, Any], port: int) -> bool:
    return any(each["port"] <= port <= each.get("endPort", each["port"]) for each in rule["ports"])


def test_everything_is_denied_but_what_a_policy_allows(everything: list[Manifests]) -> None:
    for build in everything:
        denied = policies(build)["default-deny"]
        assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        named = set(policies(build)) - {"default-deny"}
        assert named - {"aws", "pushgateway"} == {"dns", "kafka", "redshift", "metrics"}
        for name in named:
            for rule in policies(build)[name].get("egress", []) + policies(build)[name].get("ingress", []):
                assert rule.get("to") or rule.get("from"), f"{name} leads anywhere"
                assert rule["ports"], f"{name} opens every port"


def test_the_policies_open_the_ports_that_the_settings_name(everything: list[Manifests]) -> None:
    for build, pod in pods(everything):
        told = settings(build, pod)
        (kafka,), (redshift,) = policies(build)["kafka"]["egress"], policies(build)["redshift"]["egress"]
        for broker in told.bootstrap.split(","):
            assert allows(kafka, int(broker.rpartition(":")[2])), broker
        assert allows(redshift, told.redshift_port)
        (metrics,) = policies(build)["metrics"]["ingress"]
        assert build.pod(PIPELINE).port(metrics["ports"][0]["port"]) == told.metrics_port


def test_verify_and_no_other_pod_may_reach_the_pushgateway_that_it_is_given(
    everything: list[Manifests],
) -> None:
    """Under a key that names namespace and pipeline, as the rules and the dashboard do."""
    given = []
    for build, pod in pods(everything):
        policy = policies(build).get("pushgateway")
        chosen = policy is not None and policy["podSelector"]["matchLabels"].items() <= pod.labels.items()
        assert chosen == (pod.container["args"][0] == "verify"), pod.owner
        if policy is not None and chosen:
            address = urlsplit(build.arguments(pod)[-1])
            namespace = str(address.hostname).split(".")[1]
            (rule,) = policy["egress"]
            (peer,) = rule["to"]
            assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": namespace}
            assert allows(rule, address.port or 0)
            assert address.path == f"/metrics/job/{JOB}/namespace/{build.namespace}"
            given.append(address)
    assert given


def test_pods_with_a_role_may_reach_aws_but_not_the_node_s_own_credentials(
    overlays: dict[str, Manifests],
) -> None:
    prod = overlays["prod"]
    assert "eks.amazonaws.com/role-arn" in prod.one("ServiceAccount", PIPELINE)["metadata"]["annotations"]
    (rule,) = policies(prod)["aws"]["egress"]
    assert allows(rule, 443)
    assert rule["to"][0]["ipBlock"]["except"] == ["169.254.169.254/32"]
