"""docker-compose.yml is valid, and names only files, ports and settings that exist."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from app import cli
from app.settings import Settings, variable
from tests.app.test_reference import commands
from tests.ops.compose import COMPOSE, SERVICES, TEXT, VARIABLE, ours, start_order
from tests.repository.tree import ROOT

# The compose-spec's own, Apache-2.0 (LICENSE beside it), commit 170098ba07d9.
SCHEMA = Path(__file__).parent / "compose-spec" / "compose-spec.json"
ROLES = {"collector", "worker", "delivery", "web"}
KNOWN = {variable(name) for name in Settings.model_fields}
DOCKERFILE = (ROOT / "ops" / "docker" / "Dockerfile").read_text(encoding="utf-8")


def test_it_is_a_compose_file() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))

    jsonschema.Draft7Validator(schema).validate(COMPOSE)


def test_every_role_has_its_service() -> None:
    run = {" ".join(one["command"]) for one in ours().values()}

    assert run == ROLES | {"topics create"}
    assert run <= set(commands(cli.app))


@pytest.mark.parametrize("service", ours())
def test_every_setting_is_known(service: str) -> None:
    assert set(SERVICES[service]["environment"]) <= KNOWN


@pytest.mark.parametrize("service", ours())
def test_our_services_may_do_little(service: str) -> None:
    one = SERVICES[service]

    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_pinned(service: str) -> None:
    _, _, tag = SERVICES[service]["image"].partition(":")

    assert tag == "local" if service in ours() else re.fullmatch(r"v?\d+\.\d+\.\d+", tag)


def test_the_broker_is_the_one_that_tests_run() -> None:
    pom = (ROOT / "tests" / "kafka" / "pom.xml").read_text(encoding="utf-8")
    version = re.search(r"<kafka.version>([^<]+)<", pom)

    assert version is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}"


def test_whoever_runs_on_has_a_health_check_and_starts_again() -> None:
    assert {name for name, one in SERVICES.items() if "healthcheck" not in one} == {"topics"}
    assert {n for n, one in SERVICES.items() if one["restart"] != "unless-stopped"} == {"topics"}


def test_nothing_is_open_to_other_machines() -> None:
    ports = [port for one in SERVICES.values() for port in one.get("ports", [])]

    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports), ports
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_volumes_are_declared_and_files_exist() -> None:
    used = [volume for one in SERVICES.values() for volume in one.get("volumes", [])]
    named = {volume.split(":")[0] for volume in used if not volume.startswith(".")}

    assert named == set(COMPOSE["volumes"])
    for volume in used:
        source = volume.split(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), source
            assert volume.endswith(":ro")


def test_what_is_depended_on_can_become_so() -> None:
    order = start_order()

    assert set(order) == set(SERVICES)
    for name, one in SERVICES.items():
        for needed, how in one.get("depends_on", {}).items():
            assert order.index(needed) < order.index(name)
            wanted = {
                "service_healthy": "healthcheck" in SERVICES[needed],
                "service_completed_successfully": SERVICES[needed]["restart"] == "no",
            }
            assert wanted[how["condition"]], f"{name} waits for {needed} for ever"


def test_the_example_names_every_variable() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    given = dict(line.split("=", 1) for line in example.splitlines() if re.match(r"[A-Z_]+=", line))
    used = {match["name"]: match for match in VARIABLE.finditer(TEXT)}

    assert set(given) == set(used)
    assert {name for name, value in given.items() if not value} == {
        name for name, match in used.items() if match["kind"] == "?"
    }
    for name, match in used.items():
        if match["kind"] == "-":
            assert match["text"] == given[name]


def test_prometheus_scrapes_the_ports_that_roles_listen_at() -> None:
    text = (ROOT / "ops" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    scraped = {
        (name, source["port"])
        for job in yaml.safe_load(text)["scrape_configs"]
        for source in job["dns_sd_configs"]
        for name in source["names"]
    }

    environments = {role: SERVICES[role]["environment"] for role in ROLES}
    assert scraped == {
        (role, int(env.get("DRIPLINE_METRICS_PORT") or env["DRIPLINE_PORT"]))
        for role, env in environments.items()
    }


def test_the_image_is_built_from_what_exists() -> None:
    _, _, run = DOCKERFILE.split("\nFROM ")
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    for word in " ".join(copied).split():
        assert (ROOT / word).exists(), word
        assert f"!{word}" in kept, word
    assert re.search(r"^USER \d+$", run, re.MULTILINE)
    assert all(re.search(r":\d+\.\d+\.\d+-", line) for line in re.findall(r"FROM .+", DOCKERFILE))


def test_the_image_has_the_uv_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pinned = re.search(r"^UV_VERSION := (\S+)$", makefile, re.MULTILINE)

    assert pinned is not None
    assert f"uv=={pinned[1]}" in DOCKERFILE
