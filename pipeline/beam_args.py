"""Checks Beam options before a run uses them."""

import contextlib
import dataclasses
import io
from collections.abc import Sequence

from crowdflow.config import Config
from crowdflow.schema.errors import ConfigError


def check_beam_args(config: Config, beam_args: Sequence[str]) -> None:
    """Raises ConfigError for options on which Beam's own parser would exit the process in the middle of a run."""
    for options in (config.beam.all, *dataclasses.astuple(config.beam.nodes), beam_args):
        _check_beam_options(options)


def _check_beam_options(options: Sequence[str]) -> None:
    from apache_beam.options.pipeline_options import PipelineOptions

    output = io.StringIO()
    try:
        with contextlib.redirect_stderr(output):
            PipelineOptions(list(options)).get_all_options()
    except SystemExit:
        reason = output.getvalue().splitlines()[-1].partition("error: ")[2]
        raise ConfigError(f"Beam options {' '.join(options)}: {reason}") from None
