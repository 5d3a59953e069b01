"""Checks Beam options before a run uses them."""

import contextlib
import dataclasses
import io
from collections.abc import Sequence

from crowdflow.config import Config
from crowdflow.config.checks import require
from crowdflow.schema.errors import ConfigError
from crowdflow.schema.secrets import HIDDEN


def check_beam_args(config: Config, beam_args: Sequence[str]) -> None:
    """Checks Beam options.

    Raises:
      ConfigError: Beam's own parser would exit the process in the middle of a run, or a value is `***`, as in
        a configuration that a run saved.
    """
    for options in (config.beam.all, *dataclasses.astuple(config.beam.nodes), beam_args):
        _check_beam_options(options)


def _check_beam_options(options: Sequence[str]) -> None:
    for option in options:
        name, _, value = option.partition("=")
        expected = "a value, which a run's saved configuration does not have"
        require(value != HIDDEN, f"Beam option {name}", expected, option)
    from apache_beam.options.pipeline_options import PipelineOptions

    output = io.StringIO()
    try:
        with contextlib.redirect_stderr(output):
            PipelineOptions(list(options)).get_all_options()
    except SystemExit:
        reason = output.getvalue().splitlines()[-1].partition("error: ")[2]
        raise ConfigError(f"Beam options {' '.join(options)}: {reason}") from None
