"""Which way leads into a pod and out of it, in every build."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from connectors.verify_metrics import JOB
from dataflow.settings_values import ByS3
from tests.k8s.manifests import Manifests, PodTemplate, Resource, Selector
from tests.k8s.settings import OWNERS, PIPELINE, pods, settings

OPTIONAL = {"aws", "pushgateway", "schema-registry", "oauth"}


def policies(build: Manifests) -> dict[str, Resource]:
    return {each["metadata"]["name"]: each["spec"] for each in build.of_kind("NetworkPolicy")}


def allows(rule: dict[str, Any], port: int) -> bool:
    return any(each["port"] <= port <= each.get("endPort", each["port"]) for each in rule["ports"])


def test_everything_is_denied_but_what_a_policy_allows(everything: list[Manifests]) -> None:
    for build in everything:
        denied = policies(build)["default-deny"]
        assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        named = set(policies(build)) - {"default-deny"}
        assert named - OPTIONAL == {"dns", "kafka", "redshift", "metrics"}
        for name in named:
            for rule in policies(build)[name].get("egress", []) + policies(build)[name].get("ingress", []):
                assert rule.get("to") or rule.get("from"), f"{name} leads anywhere"
                assert rule["ports"], f"{name} opens every port"


def test_the_policies_open_the_ports_that_the_settings_name(everything: list[Manifests]) -> None:
    for build, pod in pods(everything):
        told = settings(build, pod)
        assert opens(build, "redshift", pod, told.redshift_port)
        brokers = [] if pod.container["args"][0] in OWNERS else told.bootstrap.split(",")
        for broker in brokers:
            assert opens(build, "kafka", pod, int(broker.rpartition(":")[2])), broker
        (metrics,) = policies(build)["metrics"]["ingress"]
        assert build.pod(PIPELINE).port(metrics["ports"][0]["port"]) == told.metrics_port


def opens(build: Manifests, name: str, pod: PodTemplate, port: int) -> bool:
    """Whether the policy of this name is there and lets the pod out to the port."""
    policy = policies(build).get(name)
    if policy is None or not Selector.of(policy["podSelector"]).selects(pod.labels):
        return False
    return any(allows(rule, port) for rule in policy["egress"])


def test_the_registry_and_the_token_endpoint_are_open_exactly_where_a_setting_names_them(
    everything: list[Manifests],
) -> None:
    seen = set()
    for build, pod in pods(everything):
        told = settings(build, pod)
        addresses = {
            "schema-registry": told.registry_url,
            "oauth": told.client_properties.get("sasl.oauthbearer.token.endpoint.url"),
        }
        for name, address in addresses.items():
            if address is None:
                policy = policies(build).get(name)
                assert policy is None or not Selector.of(policy["podSelector"]).selects(pod.labels), pod.owner
                continue
            url = urlsplit(address)
            assert opens(build, name, pod, url.port or {"http": 80, "https": 443}[url.scheme]), address
            seen.add(name)
    assert seen == {"schema-registry", "oauth"}


def test_a_pod_whose_rows_go_by_s3_has_the_way_there(everything: list[Manifests]) -> None:
    by_s3 = [
        (build, pod) for build, pod in pods(everything) if isinstance(settings(build, pod).staging, ByS3)
    ]
    assert by_s3
    for build, pod in by_s3:
        assert opens(build, "aws", pod, 443), pod.owner


def test_what_works_on_the_warehouse_alone_has_no_way_to_the_brokers(everything: list[Manifests]) -> None:
    for build, pod in pods(everything):
        reaches = Selector.of(policies(build)["kafka"]["podSelector"]).selects(pod.labels)
        assert reaches == (pod.container["args"][0] not in OWNERS), pod.owner


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
