"""A running space, seen: pages, health, metrics, lines, traces; and nobody's name in any."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dataspace.channels import pinned_channel
from dataspace.cli.supervising import PARTIES, start_party
from dataspace.home import PartyHome
from dataspace.observing.clock import told_time
from dataspace.observing.endpoint import address_in
from dataspace.processes import now_ms
from dataspace.synthetic import generate_region
from tests.collector import Collector, collecting
from tests.federation.copies import running_copy
from tests.federation.processes import await_ready, await_true, process_of, stop
from tests.spaces import Space

DEPLOY = Path(__file__).parents[2] / "deploy"
DOCS = Path(__file__).parents[2] / "docs"
PLANTED = "Wong Kei Ying"
NODES = ("guangzhou", "hongkong", "macao")
COUNT = "SELECT sex, count(*) FROM patients GROUP BY sex"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Space]:
    """A space that is traced, asked one permitted, one forbidden and one malformed question."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        with running_copy(tmp_path_factory.mktemp("seen")) as running:
            asked = running.query(COUNT)
            assert asked.code == 0, asked.err
            where = f"WHERE sex = '{PLANTED}' GROUP"
            assert running.query(COUNT.replace("GROUP", where)).code in {0, 3}
            assert running.query("SELECT brca, count(*) FROM conditions GROUP BY brca").code == 4
            assert running.query(f"SELECT '{PLANTED}' FROM patients, \"{PLANTED}\"").code == 3
            document = generate_region("hongkong", 300, 1)["patients"]["hkid"][0].as_py()
            found = running.gba(
                "crosscheck", "exists", "--document", f"hkid:{document}", "--format", "json",
                actor="macao/clinician",
            )  # fmt: skip
            assert found.code == 0, found.err
            yield running


def page(space: Space, party: str, path: str = "/metrics") -> tuple[int, str]:
    address = address_in(space.home / party / "run")
    assert address is not None
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def value(text: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    assert found is not None, f"{series} is not in the page"
    return float(found[1])


def lines(space: Space, party: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (space.home / party / "run/log.jsonl").open()]


@pytest.mark.parametrize("party", PARTIES)
def test_every_process_is_well_ready_and_measured(space: Space, party: str) -> None:
    assert page(space, party, "/healthz") == (200, '{"status":"ok"}')
    assert page(space, party, "/readyz") == (200, '{"ready":true,"reasons":[]}')
    text = page(space, party)[1]
    assert value(text, "gba_ready") == 1
    assert value(text, 'gba_certificate_days_left{use="signing"}') > 300
    assert value(text, "process_resident_memory_bytes") > 10_000_000
    assert "gba_reading_failures_total{" not in text


def test_pages_are_on_loopback_and_a_node_listens_on_nothing_else(space: Space) -> None:
    for party in PARTIES:
        listening = [
            each.laddr
            for each in process_of(space, party).net_connections(kind="inet")
            if each.status == psutil.CONN_LISTEN
        ]
        # gRPC's sockets take both families, and name the address in the form of the newer.
        assert all(each.ip.removeprefix("::ffff:") == "127.0.0.1" for each in listening)
        if party != "broker":
            (address,) = listening
            assert f"{address.ip}:{address.port}" == address_in(space.home / party / "run")


def test_questions_count_by_outcome_and_rule(space: Space) -> None:
    node, broker = page(space, "macao")[1], page(space, "broker")[1]
    labels = 'kind="query",outcome="released",rule="research-statistics"'
    assert value(node, f"gba_requests_total{{{labels}}}") >= 1
    refused = 'kind="query",outcome="refused",rule="gba-health-2024"'
    assert value(broker, f"gba_requests_total{{{refused}}}") >= 1
    assert value(node, 'gba_call_seconds_count{kind="query",outcome="released"}') >= 1
    assert value(node, "gba_decision_seconds_count") >= 1
    assert value(broker, "gba_decision_seconds_count") >= 1
    assert value(node, "gba_calls_running") == value(node, "gba_calls_waiting") == 0
    assert value(node, 'gba_existence_limit_used_ratio{whose="actor"}') > 0


def test_the_broker_sees_who_is_attached(space: Space) -> None:
    text = page(space, "broker")[1]
    for region in NODES:
        assert value(text, f'gba_attached_nodes{{region="{region}"}}') == 1
        assert value(text, f'gba_attached_signers{{region="{region}"}}') == 1


def test_a_node_knows_its_clock_and_its_witnesses(space: Space) -> None:
    text = page(space, "macao")[1]
    assert abs(value(text, "gba_clock_drift_seconds")) < 1
    assert 0 < value(text, "gba_clock_drift_bound_seconds") < 1
    assert value(text, "gba_log_entries") > 0
    for region in ("guangzhou", "hongkong"):
        assert (
            value(text, f'gba_witness_age_seconds{{witness="gba.dataspace/witness/{region}"}}')
            < 600
        )


def test_one_request_has_one_id_from_member_to_engine(space: Space) -> None:
    ran = space.gba("query", COUNT, "--purpose", "HRESCH", actor="hongkong/researcher")
    found = re.search(r"request ([0-9a-f]{16})", ran.out)
    assert found is not None, ran.out
    for party in ("broker", *NODES):
        events = {each["event"] for each in lines(space, party) if each.get("request") == found[1]}
        assert "query.released" in events
        assert party == "broker" or "engine.ran" in events
    # Witnesses see no request: their lines bear the size that covers its entry.
    entry = next(
        each["entry"]
        for each in lines(space, "macao")
        if each.get("request") == found[1] and each["event"] == "query.released"
    )
    await_true(
        lambda: any(
            each.get("origin") == "gba.dataspace/macao" and each.get("size", 0) > entry
            for each in lines(space, "guangzhou/witness")
        ),
        "the witness has no line that covers the entry",
    )


def test_spans_of_member_broker_and_nodes_are_one_trace(space: Space, collector: Collector) -> None:
    ran = space.gba("query", COUNT, "--purpose", "HRESCH", actor="hongkong/researcher")
    found = re.search(r"request ([0-9a-f]{16})", ran.out)
    assert found is not None
    wanted = {"client", "broker", *(f"node {region}" for region in NODES)}

    def own() -> dict[str, Any]:
        return {
            span.name: span
            for span in collector.spans()
            if span.trace_id.hex().startswith(found[1])
        }

    await_true(lambda: wanted <= own().keys(), "spans are missing")
    spans = own()
    assert spans["client"].parent_span_id == b""
    assert spans["broker"].parent_span_id == spans["client"].span_id
    for region in NODES:
        assert spans[f"node {region}"].parent_span_id == spans["broker"].span_id
        assert spans[f"node {region} engine"].parent_span_id == spans[f"node {region}"].span_id


def test_the_broker_answers_the_standard_health_service(space: Space) -> None:
    home = PartyHome(space.home / "macao")
    parts = pinned_channel(home.broker_address, home.tls, home.trust(now_ms()))
    with grpc.secure_channel(parts.address, parts.credentials, options=parts.options) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", "dataspace.v1.Broker", "dataspace.v1.Attachment"):
            request = health_pb2.HealthCheckRequest(service=service)
            reply, call = stub.Check.with_call(request, timeout=10)
            assert reply.status == health_pb2.HealthCheckResponse.SERVING
            assert abs(told_time(call.trailing_metadata()) - now_ms()) < 5_000
        with pytest.raises(grpc.RpcError) as caught:
            stub.Check(health_pb2.HealthCheckRequest(service=PLANTED), timeout=10)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_nobodys_name_or_document_is_in_lines_pages_run_files_or_traces(
    space: Space, collector: Collector
) -> None:
    patients = [
        row
        for region in NODES
        for row in generate_region(region, 300, 1)["patients"].slice(0, 60).to_pylist()
    ]
    documents = {row[kind] for row in patients for kind in ("ric", "hkid", "bir", "mtp")} - {None}
    names = {row["family"] + row["given"] for row in patients}
    romans = {f"{row['family_roman']} {row['given_roman']}" for row in patients}
    actors = {f"{role}-1" for role in ("researcher", "clinician", "operator", "regulator")}
    seen = {f"{party} page": page(space, party)[1].encode() for party in PARTIES}
    seen |= {str(file): file.read_bytes() for file in space.home.glob("**/run/*") if file.is_file()}
    seen |= {f"traces {number}": body for number, body in enumerate(collector.raw)}
    assert len(seen) > 3 * len(PARTIES)
    for word in (*documents, *names, *romans, *actors, PLANTED, "SELECT", "GROUP BY"):
        inside = [where for where, data in seen.items() if word.encode() in data]
        assert not inside, f"{word} is in {inside}"


def exported(space: Space) -> set[str]:
    """The names of all series of all pages, as they are asked for."""
    return {
        match[1]
        for party in PARTIES
        for match in re.finditer(r"^# TYPE (\w+) ", page(space, party)[1], re.MULTILINE)
    } | {
        match[1]
        for party in PARTIES
        for match in re.finditer(r"^([a-z]\w*)[ {]", page(space, party)[1], re.MULTILINE)
    }


def expressions() -> dict[str, str]:
    board = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in board["panels"]
        for target in panel.get("targets", [])
    }
    return found | {rule["alert"]: rule["expr"] for rule in rules["groups"][0]["rules"]}


def test_dashboard_and_alerts_name_metrics_that_are_exported(space: Space) -> None:
    known = exported(space) | {"up"}
    for where, expression in expressions().items():
        named = set(re.findall(r"\b(?:gba|process)_\w+|\bup\b", expression))
        assert named, where
        assert named <= known, f"{where}: {sorted(named - known)}"


def test_every_exported_metric_is_on_the_dashboard_and_in_the_guide(space: Space) -> None:
    guide = (DOCS / "operating.md").read_text()
    board = (DEPLOY / "grafana/dashboard.json").read_text()
    families = {name for name in exported(space) if name.startswith("gba_")}
    families = {re.sub(r"_(total|created|bucket|count|sum|info)$", "", name) for name in families}
    families = {name for name in families if not re.search(r"_created$", name)}
    for name in sorted(families):
        assert f"`{name}" in guide, f"{name} is not in docs/operating.md"
        assert name in board, f"{name} is not on the dashboard"


def test_expressions_are_whole_and_every_alert_is_explained() -> None:
    guide = (DOCS / "operating.md").read_text()
    for where, expression in expressions().items():
        pairs = {")": "(", "]": "[", "}": "{"}
        opened: list[str] = []
        for sign in re.sub(r'"[^"]*"', '""', expression):
            if sign in pairs.values():
                opened.append(sign)
            elif sign in pairs:
                assert opened and opened.pop() == pairs[sign], where
        assert not opened and expression.count('"') % 2 == 0, where
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "warn"}
        assert rule["annotations"]["summary"]
        assert f"### {rule['alert']}\n" in guide, f"{rule['alert']} is not in docs/operating.md"


def test_a_node_whose_broker_goes_is_not_ready_and_says_so(space: Space) -> None:
    stop(space, "broker")
    try:
        await_true(lambda: page(space, "macao", "/readyz")[0] == 503, "still ready")
        assert "not-attached" in json.loads(page(space, "macao", "/readyz")[1])["reasons"]
        assert page(space, "macao", "/healthz")[0] == 200
        assert value(page(space, "macao")[1], "gba_attached") == 0
    finally:
        start_party(space.home, "broker")
        await_ready(space)


def test_a_process_does_not_start_with_a_page_for_others(space: Space) -> None:
    stop(space, "macao/witness")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GBA_METRICS", "0.0.0.0:9464")
        assert start_party(space.home, "macao/witness").wait(timeout=60) == 3
    state = json.loads((space.home / "macao/witness/run/state.json").read_text())
    assert state["code"] == "metrics-address"
    start_party(space.home, "macao/witness")
    await_ready(space, "macao/witness")
