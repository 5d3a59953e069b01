"""Settings of the model: transform, network, training, evaluation; and paths."""

import dataclasses
from typing import Literal, Optional

from crowdflow.config.checks import require, require_date
from crowdflow.storage.addresses import is_address


@dataclasses.dataclass(frozen=True)
class TransformConfig:
    """Calendar features, derived inside the graph from the target's time.

    Attributes:
      day_of_week: day of the week one-hot (7) and a weekday flag.
      time_of_day: the slot of the day, one-hot (T).
      time_of_day_type: the same, apart for working days and for weekends and holidays (2 T).
      holiday_country: public holidays of this country, by its ISO 3166 code such as `US`; null has none.
      holiday_subdivision: and of this part of it, such as `NJ`.
      holidays_until: the last date, YYYY-MM-DD, of the table of holidays that becomes part of the model; a
        forecast past it fails.
    """

    day_of_week: bool = True
    time_of_day: bool = False
    time_of_day_type: bool = False
    holiday_country: Optional[str] = None
    holiday_subdivision: Optional[str] = None
    holidays_until: str = "2035-12-31"

    def __post_init__(self):
        require_date("transform.holidays_until", self.holidays_until)
        ok = self.holiday_country is not None or self.holiday_subdivision is None
        expected = "null without transform.holiday_country"
        require(ok, "transform.holiday_subdivision", expected, self.holiday_subdivision)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """ST-ResNet.

    Attributes:
      residual_units: L, residual units in each branch.
      filters: channels of the hidden convolutions.
      batch_norm: batch normalisation inside the residual units.
      fusion: `hadamard`, one weight a cell and channel, or `sum`.
      fusion_init: `uniform` in [0, 1) as the authors have it, or `mean` (one over the branches).
      external: the external component is there.
      external_units: hidden units of the external component.
      external_relu: the authors' second ReLU, so that the component can only add.
      head: `tanh` as in the paper, or `linear`.
      local: the local component is there: each cell's own linear map of its lags, of what is usual and of the
        external vector; training then starts from the historical average of `windows.average`.
      members: networks of this kind, trained one after the other from seeds of their own; the model's forecast
        is their mean.
    """

    residual_units: int = 4
    filters: int = 64
    batch_norm: bool = False
    fusion: Literal["hadamard", "sum"] = "hadamard"
    fusion_init: Literal["uniform", "mean"] = "uniform"
    external: bool = True
    external_units: int = 10
    external_relu: bool = True
    head: Literal["tanh", "linear"] = "tanh"
    local: bool = False
    members: int = 1

    def __post_init__(self):
        require(self.residual_units >= 0, "model.residual_units", "0 or more", self.residual_units)
        require(self.filters >= 1, "model.filters", "at least 1", self.filters)
        require(self.external_units >= 1, "model.external_units", "at least 1", self.external_units)
        ok = not self.local or self.head == "linear"
        require(ok, "model.head", "linear with model.local", self.head)
        require(self.members >= 1, "model.members", "at least 1", self.members)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The paper's two phases.

    Attributes:
      epochs: at most this many on `train`, stopped early on `eval`.
      patience: epochs without a better eval RMSE before the first phase stops; null never stops early.
      final_epochs: then this many on train + eval, from the best weights.
      batch_size: windows a step.
      gpu_batch_factor: where there is a GPU, a step takes so many times `batch_size` windows, and the rates grow
        with the factor's square root. 1 trains alike everywhere.
      learning_rate: Adam's, of the first phase.
      final_learning_rate: of the second phase; null goes on with the first phase's optimizer and constant rate.
      schedule: `constant`, or `cosine` to zero over the phase's epochs.
      steps_per_epoch: cuts an epoch short; null is all of the data.
      precision: `float32`, `mixed_bfloat16`, or `auto` by the device. The export is always float32.
      deterministic: deterministic ops: the same weights bit for bit, somewhat slower.
    """

    epochs: int = 500
    patience: Optional[int] = 5
    final_epochs: int = 100
    batch_size: int = 32
    gpu_batch_factor: int = 1
    learning_rate: float = 2e-4
    final_learning_rate: Optional[float] = None
    schedule: Literal["constant", "cosine"] = "constant"
    steps_per_epoch: Optional[int] = None
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    deterministic: bool = False

    def __post_init__(self):
        require(self.epochs >= 0, "training.epochs", "0 or more", self.epochs)
        require(self.final_epochs >= 0, "training.final_epochs", "0 or more", self.final_epochs)
        total = self.epochs + self.final_epochs
        require(total >= 1, "training", "an epoch in epochs or final_epochs", total)
        require(self.batch_size >= 1, "training.batch_size", "at least 1", self.batch_size)
        factor = self.gpu_batch_factor
        require(factor >= 1, "training.gpu_batch_factor", "at least 1", factor)
        require(self.learning_rate > 0, "training.learning_rate", "above 0", self.learning_rate)
        spent = self.schedule == "cosine" and self.final_epochs and self.final_learning_rate is None
        expected = "a rate: after a cosine schedule the first phase's is zero"
        require(not spent, "training.final_learning_rate", expected, None)
        for name in ("patience", "final_learning_rate", "steps_per_epoch"):
            value = getattr(self, name)
            require(value is None or value > 0, f"training.{name}", "above 0, or null", value)


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """When a model is approved, on the test windows, by `rmse_active_cells`.

    Attributes:
      naive_margin: the model's RMSE must be below (1 - margin) times the best naive forecast's.
      pushed_tolerance: and at most (1 + tolerance) times the last pushed model's.
      infra_validator: and TensorFlow Serving itself must load it and answer a few windows, in a container that
        TFX's InfraValidator starts on this machine (`docker`) or in the cluster that runs it (`kubernetes`).
    """

    naive_margin: float = 0.0
    pushed_tolerance: float = 0.02
    infra_validator: Literal["off", "docker", "kubernetes"] = "off"

    def __post_init__(self):
        ok = 0 <= self.naive_margin < 1
        require(ok, "evaluation.naive_margin", "within 0..1", self.naive_margin)
        ok = self.pushed_tolerance >= 0
        require(ok, "evaluation.pushed_tolerance", "0 or more", self.pushed_tolerance)


@dataclasses.dataclass(frozen=True)
class PathsConfig:
    """Where a run reads and writes.

    Attributes:
      root: everything a run writes; null is `runs/<preset>`.
      data: input files and folders, local or `s3://` or `gs://`; none is the simulated city, for presets that
        have one.
      serving: where versions are pushed, likewise; null is `serving/crowdflow` under the root.
    """

    root: Optional[str] = None
    data: tuple[str, ...] = ()
    serving: Optional[str] = None

    def __post_init__(self):
        ok = "://" not in (self.root or "")
        require(ok, "paths.root", "a folder on this machine", self.root)
        ok = "://" not in (self.serving or "") or is_address(self.serving)
        require(ok, "paths.serving", "a folder on this machine, or s3:// or gs://", self.serving)
