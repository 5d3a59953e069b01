"""Beam options checked before a run takes them."""

import contextlib
import dataclasses
import io
from collections.abc import Sequence

from crowdflow.config import Config
from crowdflow.schema.errors import ConfigError


def check_beam_args(config: Config, beam_args: Sequence[str]) -> None:
    """Raises ConfigError where Beam's own parser would leave the process in the middle of a run."""
    for options in (config.beam.all, *dataclasses.astuple(config.beam.nodes), beam_args):
        _check_beam_options(options)


def _check_beam_options(options: Sequence[str]) -> None:
    from apache_beam.options.pipeline_options import PipelineOptions

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            PipelineOptions(list(options)).get_all_options()
    except SystemExit:
        reason = said.getvalue().splitlines()[-1].partition("error: ")[2]
        raise ConfigError(f"Beam options {' '.join(options)}: {reason}") from None
