"""Settings: read once, unknown names refused, secrets never shown."""

from pathlib import Path

import pytest

from app.settings import Settings, is_secret, load_settings, origins, variable
from schemas.errors import UsageError

REFERENCE = Path(__file__).parents[2] / "docs/reference/settings.md"


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = load_settings({})
    assert settings.port == 8080
    assert settings.host == "127.0.0.1"
    assert settings.kafka is None
    assert settings.keys() == frozenset()
    assert not settings.embedded


def test_other_programs_variables_are_left_alone() -> None:
    assert load_settings({"PATH": "/bin", "KAFKA": "x"}).kafka is None
    assert load_settings({"DRIPLINE_REQUIRE_REAL": "1"}).port == 8080


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DRIPLINE_KAFAK", "DRIPLINE_KAFKA"),
        ("DRIPLINE_SECRETS", "DRIPLINE_SECRET"),
        ("DRIPLINE_ADMIN_TOKEN_FIL", "DRIPLINE_ADMIN_TOKEN_FILE"),
        ("DRIPLINE_QQQQQQ", "dripline config"),
    ],
)
def test_an_unknown_name_is_an_error_that_says_what_was_meant(name: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"{name} is not a setting.*{meant}\b"):
        load_settings({name: "x"})


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DRIPLINE_PORT", "eighty", "integer"),
        ("DRIPLINE_PORT", "70000", "65535"),
        ("DRIPLINE_PARTITIONS", "0", "greater"),
        ("DRIPLINE_KAFKA", "localhost", "host:port"),
        ("DRIPLINE_SMTP", "http://x", "smtp://"),
        ("DRIPLINE_PUBLIC_URL", "example.org", "https://"),
        ("DRIPLINE_RECORD_TIME", "mine", "append"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str, says: str) -> None:
    with pytest.raises(UsageError, match=rf"{name}: .*{says}"):
        load_settings({name: value})


def test_a_secret_can_come_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret-text\n", encoding="utf-8")
    environ = {
        "DRIPLINE_SECRET_FILE": str(tmp_path / "secret"),
        "DRIPLINE_SMTP": "smtp://ana:pass-word@mail.example:25",
        "DRIPLINE_WRITE_KEYS": "key-one, key-two",
    }
    settings = load_settings(environ)
    assert settings.signing_secret() == b"s3cret-text"
    assert settings.keys() == {"key-one", "key-two"}
    shown = repr(settings) + str(settings) + repr(origins(environ))
    for hidden in ("s3cret-text", "pass-word", "key-one"):
        assert hidden not in shown


def test_no_error_message_shows_a_secret() -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({"DRIPLINE_SMTP": "ana:pass-word@mail.example"})
    assert "pass-word" not in str(caught.value)


def test_a_missing_file_and_a_name_given_twice_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="DRIPLINE_SECRET_FILE: cannot read"):
        load_settings({"DRIPLINE_SECRET_FILE": str(tmp_path / "none")})
    (tmp_path / "s").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="both set"):
        load_settings({"DRIPLINE_SECRET_FILE": str(tmp_path / "s"), "DRIPLINE_SECRET": "y"})


def test_settings_do_not_change() -> None:
    settings = load_settings({})
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_what_is_needed_and_missing_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="DRIPLINE_KAFKA"):
        load_settings({}).bootstrap()
    with pytest.raises(UsageError, match="DRIPLINE_SECRET"):
        load_settings({}).signing_secret()


def test_origins_say_where_each_value_comes_from() -> None:
    found = {origin.name: origin for origin in origins({"DRIPLINE_PORT": "9"})}
    assert (found["DRIPLINE_PORT"].value, found["DRIPLINE_PORT"].source) == ("9", "DRIPLINE_PORT")
    assert found["DRIPLINE_HOST"].source == "default"


def test_the_reference_lists_every_setting_with_its_default() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in REFERENCE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `DRIPLINE_")
    ]
    written = {row[0].strip("`"): row[1].strip("`") for row in rows}
    defaults = {}
    for name, field in Settings.model_fields.items():
        default = load_settings({}).__getattribute__(name)
        defaults[variable(name)] = "–" if default is None or is_secret(field) else str(default)
    assert written == defaults
