"""What must hold of every pod and of every reference, in every build."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from connectors.health import STALL
from dataflow.__main__ import main
from dataflow.contract import load
from dataflow.settings import SECRET_FILE
from tests.k8s.dockerfile import stages
from tests.k8s.manifests import Manifests, PodTemplate, Selector
from tests.k8s.pods import quantity
from tests.k8s.settings import PIPELINE, pods, secret_files, settings
from tests.pipeline import ROOT

LEAVE = 10.0
"""Seconds from the end of both drains to the exit: leaving the group, closing clients."""


def seconds(text: str) -> float:
    """Of a Prometheus duration such as 15s."""
    return float(text.removesuffix("s"))


# -- settings and secrets ------------------------------------------------------------------------------


def test_every_pod_has_settings_that_the_program_takes(everything: list[Manifests]) -> None:
    """Known names only, right values, none missing, and a file for each secret."""
    judged = [settings(build, pod) for build, pod in pods(everything)]
    assert len(judged) >= 8


def test_a_setting_that_is_unknown_or_missing_would_be_noticed(overlays: dict[str, Manifests]) -> None:
    dev = overlays["dev"]
    for change in (("REDSHIFT_DATABASE: dev", "REDSHIFT_DATABSE: dev"), ("redshift-password:", "other:")):
        text = dev.text.replace(*change)
        wrong = Manifests.parsed("wrong", text)
        with pytest.raises(Exception, match="REDSHIFT_"):
            settings(wrong, wrong.pod(PIPELINE))


def test_no_secret_is_a_variable(everything: list[Manifests]) -> None:
    for build, pod in pods(everything):
        for name, value in build.environment(pod).items():
            if re.search(r"PASSWORD|SECRET|_KEY", name) and not name.endswith("_ID"):
                assert name.endswith(SECRET_FILE), name
                assert value.startswith("/run/secrets/") or not value, name


def test_every_secret_that_is_mounted_is_used(everything: list[Manifests]) -> None:
    for build, pod in pods(everything):
        assert secret_files(build, pod) <= set(build.environment(pod).values())


def test_a_changed_setting_is_a_new_name(everything: list[Manifests]) -> None:
    """So that it restarts the pods."""
    for _build, pod in pods(everything):
        for source in pod.container["envFrom"]:
            assert re.fullmatch(
                r"contract-dataflow(-owner)?-settings-[a-z0-9]{10}", source["configMapRef"]["name"]
            )


# -- the pods ------------------------------------------------------------------------------------------


def test_every_namespace_is_restricted(everything: list[Manifests]) -> None:
    for build in everything:
        (namespace,) = build.of_kind("Namespace")
        for mode in ("enforce", "warn", "audit"):
            assert namespace["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"
        named = {each["metadata"].get("namespace") for each in build.resources if each is not namespace}
        assert named == {namespace["metadata"]["name"]}


def test_every_pod_is_restricted(everything: list[Manifests]) -> None:
    user = int(stages(ROOT / "Dockerfile")[-1].last("USER").partition(":")[0])
    for _build, pod in pods(everything):
        security = pod.spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == security["runAsGroup"] == security["fsGroup"] == user
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["enableServiceLinks"] is False
        assert not any(pod.spec.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC"))
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_every_container_asks_for_what_it_needs_and_has_a_limit_on_memory(
    everything: list[Manifests],
) -> None:
    for _build, pod in pods(everything):
        for container in pod.containers:
            resources = container["resources"]
            assert {"cpu", "memory", "ephemeral-storage"} <= resources["requests"].keys()
            assert "cpu" not in resources["limits"]
            for kind in ("memory", "ephemeral-storage"):
                assert quantity(resources["requests"][kind]) <= quantity(resources["limits"][kind])


def test_every_long_running_container_has_all_probes(everything: list[Manifests]) -> None:
    for build in everything:
        for pod in build.pods():
            if pod.kind == "Deployment":
                paths = {name: pod.container[f"{name}Probe"]["httpGet"]["path"] for name in PROBES}
                assert paths == PROBES
            else:
                assert pod.spec["restartPolicy"] == "Never"


PROBES = {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}


def test_a_broken_promise_can_be_scraped_before_liveness_ends_the_pod(everything: list[Manifests]) -> None:
    """A process that breaks a promise stays for EXIT_LINGER; its loop turns no more."""
    for build in everything:
        probe = build.pod(PIPELINE).container["livenessProbe"]
        linger = settings(build, build.pod(PIPELINE)).exit_linger.total_seconds()
        assert linger < STALL + probe["periodSeconds"] * (probe["failureThreshold"] - 1)
        for monitor in build.of_kind("PodMonitor"):
            (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
            assert seconds(endpoint["interval"]) < linger
            assert seconds(endpoint["scrapeTimeout"]) < seconds(endpoint["interval"])


def test_the_grace_period_covers_both_drains(everything: list[Manifests]) -> None:
    """Events and rows have DRAIN_TIMEOUT each."""
    for build in everything:
        pod = build.pod(PIPELINE)
        drain = settings(build, pod).drain_timeout.total_seconds()
        assert pod.spec["terminationGracePeriodSeconds"] >= 2 * drain + LEAVE


def test_the_spool_has_room_for_its_limit_and_is_counted(everything: list[Manifests]) -> None:
    for build in everything:
        pod = build.pod(PIPELINE)
        mounts = {mount["mountPath"]: mount["name"] for mount in pod.container["volumeMounts"]}
        read = settings(build, pod)
        size = quantity(pod.volume(mounts[str(read.spool_dir)])["emptyDir"]["sizeLimit"])
        assert size >= read.spool_limit * 1.2
        storage = pod.container["resources"]["requests"]["ephemeral-storage"]
        assert quantity(storage) > size


def test_every_pod_whose_command_spools_has_the_spools_directory(everything: list[Manifests]) -> None:
    for build, pod in pods(everything):
        if pod.container["args"][0] in ("run", "verify") or is_toolbox(pod):
            mounts = {mount["mountPath"] for mount in pod.container["volumeMounts"]}
            assert str(settings(build, pod).spool_dir) in mounts, pod.container["args"]


def is_toolbox(pod: PodTemplate) -> bool:
    return pod.owner == f"{PIPELINE}-toolbox"


def test_the_toolbox_is_as_the_pipeline_and_does_nothing_until_it_is_asked(
    everything: list[Manifests],
) -> None:
    """The same image, settings, secrets, account and network; it ends by itself, and never starts so."""
    for build in everything:
        toolbox, pipeline = build.pod(f"{PIPELINE}-toolbox"), build.pod(PIPELINE)
        for same in ("image", "envFrom", "volumeMounts", "securityContext"):
            assert toolbox.container[same] == pipeline.container[same], same
        assert toolbox.spec["serviceAccountName"] == pipeline.spec["serviceAccountName"]
        assert toolbox.volume("secrets") == pipeline.volume("secrets")
        for policy in build.of_kind("NetworkPolicy"):
            chosen = Selector.of(policy["spec"]["podSelector"])
            if "Egress" in policy["spec"]["policyTypes"] and chosen.selects(pipeline.labels):
                assert chosen.selects(toolbox.labels), policy["metadata"]["name"]
        job = build.one("CronJob", toolbox.owner)["spec"]
        assert job["suspend"] is True
        limit = job["jobTemplate"]["spec"]["activeDeadlineSeconds"]
        assert [*toolbox.container["command"], *build.arguments(toolbox)] == ["sleep", str(limit)]
        assert job["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] <= 600


def test_jobs_run_commands_of_the_program(everything: list[Manifests]) -> None:
    commands = {tuple(build.arguments(pod)) for build, pod in pods(everything) if not is_toolbox(pod)}
    assert {command[:2] for command in commands} == {
        ("run",),
        ("ddl", "--apply"),
        ("check",),
        ("grants", "--user"),
        ("verify", "--push-gateway"),
    }
    for arguments in commands:
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--help"])
        assert ended.value.code == 0, arguments


# -- references ----------------------------------------------------------------------------------------


def selectors(build: Manifests) -> Iterator[tuple[str, dict[str, str]]]:
    """Every selector of pods in its own namespace, with whose it is."""
    for each in build.resources:
        spec, name = each.get("spec", {}), f"{each['kind']} {each['metadata']['name']}"
        for key in ("selector", "podSelector"):
            if key in spec:
                yield name, spec[key].get("matchLabels", {})
        if each["kind"] == "Deployment":
            for spread in spec["template"]["spec"]["topologySpreadConstraints"]:
                yield name, spread["labelSelector"]["matchLabels"]


def test_every_selector_selects_a_pod(everything: list[Manifests]) -> None:
    for build in everything:
        labels = [pod.labels for pod in build.pods()]
        for name, wanted in selectors(build):
            assert any(wanted.items() <= each.items() for each in labels), name


def test_what_is_for_the_pipeline_selects_nothing_else(everything: list[Manifests]) -> None:
    for build in everything:
        for each in build.of_kind("Deployment", "PodDisruptionBudget", "PodMonitor"):
            wanted = each["spec"]["selector"]["matchLabels"]
            selected = [pod.owner for pod in build.pods() if wanted.items() <= pod.labels.items()]
            assert selected == [PIPELINE]


def test_every_named_port_and_account_and_target_exists(everything: list[Manifests]) -> None:
    for build, pod in pods(everything):
        build.one("ServiceAccount", pod.spec["serviceAccountName"])
        for name in PROBES:
            if probe := pod.container.get(f"{name}Probe"):
                assert pod.port(probe["httpGet"]["port"]) == settings(build, pod).metrics_port
    for build in everything:
        pipeline = build.pod(PIPELINE)
        for monitor in build.of_kind("PodMonitor"):
            for endpoint in monitor["spec"]["podMetricsEndpoints"]:
                assert pipeline.port(endpoint["port"])
        for scaled in build.of_kind("ScaledObject"):
            build.one("Deployment", scaled["spec"]["scaleTargetRef"]["name"])
            for trigger in scaled["spec"]["triggers"]:
                build.one("TriggerAuthentication", trigger["authenticationRef"]["name"])
                assert trigger["metadata"]["bootstrapServersFromEnv"] in build.environment(pipeline)
        for login in build.of_kind("TriggerAuthentication"):
            for secret in login["spec"]["secretTargetRef"]:
                assert secret["key"] in build.secret_keys(secret["name"])
            for variable in login["spec"]["env"]:
                assert variable["name"] in build.environment(pipeline)


# -- the contract --------------------------------------------------------------------------------------


def test_no_more_pods_than_can_be_of_use(everything: list[Manifests]) -> None:
    """One for each of the contract's partitions, and one that stands by; with an autoscaler none."""
    partitions = load().partitions
    for build in everything:
        wanted = build.one("Deployment", PIPELINE)["spec"].get("replicas")
        scaled = build.of_kind("ScaledObject")
        if scaled:
            assert wanted is None, "the manifest and the autoscaler would contend for it"
            (spec,) = (each["spec"] for each in scaled)
            assert spec["maxReplicaCount"] == spec["fallback"]["replicas"] == partitions
        else:
            assert 1 <= wanted <= partitions + 1
    assert everything[-1].of_kind("ScaledObject")


def test_production_has_a_pod_for_each_partition_and_one_that_stands_by(
    overlays: dict[str, Manifests],
) -> None:
    assert overlays["prod"].one("Deployment", PIPELINE)["spec"]["replicas"] == load().partitions + 1


def test_the_autoscaler_reads_the_group_s_lag_on_the_contract_s_topic(everything: list[Manifests]) -> None:
    contract = load()
    for build in everything:
        group = settings(build, build.pod(PIPELINE)).group
        for scaled in build.of_kind("ScaledObject"):
            (trigger,) = scaled["spec"]["triggers"]
            assert trigger["metadata"]["topic"] == contract.topic
            assert trigger["metadata"]["consumerGroup"] == group
            assert float(trigger["metadata"]["lagThreshold"]) == contract.daily_volume / 24


def test_windows_and_the_hourly_check_are_as_the_contract_s_latency(everything: list[Manifests]) -> None:
    promised = load().freshness
    for build in everything:
        assert settings(build, build.pod(PIPELINE)).window == promised
        for job in (each for each in build.of_kind("CronJob") if not each["spec"].get("suspend")):
            minute, *rest = job["spec"]["schedule"].split()
            assert minute.isdigit()
            assert rest == ["*"] * 4
            assert promised == timedelta(hours=1)
