"""Settings of the model: transform, network, training, evaluation; and paths.

The defaults are the best that is known (`docs/results.md`).
"""

import dataclasses
from typing import Literal, Optional

from crowdflow.config.checks import require, require_date, require_no_user
from crowdflow.storage.addresses import is_address


@dataclasses.dataclass(frozen=True)
class TransformConfig:
    """Calendar features, which the graph derives from the target's time.

    Attributes:
      day_of_week: day of the week, one-hot (7), and a weekday flag.
      time_of_day: interval of the day, one-hot (T).
      time_of_day_type: interval of the day, one-hot, with working days apart from weekends and holidays (2 T).
      holiday_country: ISO 3166 code, such as `US`, of the country whose public holidays are used; null means none.
      holiday_subdivision: code of the part of the country, such as `NJ`, whose holidays are added.
      holidays_until: last date, YYYY-MM-DD, of the holiday table that is stored in the model; forecasts for
        later dates fail.
    """

    day_of_week: bool = True
    time_of_day: bool = False
    time_of_day_type: bool = True
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
    """The ST-ResNet.

    Attributes:
      residual_units: number of residual units per branch, L.
      filters: number of channels in the hidden convolutions.
      batch_norm: whether the residual units use batch normalisation.
      fusion: how the branches are combined: `hadamard`, with one weight per cell and channel, or `sum`.
      fusion_init: initial fusion weights: `uniform` in [0, 1), as in the authors' code, or `mean`, one divided by
        the number of branches.
      external: whether to use the external component (calendar, holidays, weather).
      external_units: number of hidden units in the external component.
      external_relu: whether to keep the authors' second ReLU, with which the component can only add flow.
      head: output activation: `tanh` as in the paper, or `linear`.
      local: whether to add the per-cell linear component, a linear map for each cell from its lags, historical
        average and external vector. Training then starts from the historical average of `windows.average`.
      members: number of ensemble members. Each is trained from its own seed, one after the other on a processor
        and together on a GPU; the forecast is their mean.
      quantiles: levels, ascending between 0 and 1, of the quantiles that the model answers beside its mean
        forecast. For them each member leaves out a quarter of the days of `eval`, which are then forecast by
        members that have not seen them. `[]` gives none, and every member all days.
    """

    residual_units: int = 2
    filters: int = 32
    batch_norm: bool = False
    fusion: Literal["hadamard", "sum"] = "hadamard"
    fusion_init: Literal["uniform", "mean"] = "mean"
    external: bool = True
    external_units: int = 10
    external_relu: bool = False
    head: Literal["tanh", "linear"] = "linear"
    local: bool = True
    members: int = 4
    quantiles: tuple[float, ...] = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)

    def __post_init__(self):
        require(self.residual_units >= 0, "model.residual_units", "0 or more", self.residual_units)
        require(self.filters >= 1, "model.filters", "at least 1", self.filters)
        require(self.external_units >= 1, "model.external_units", "at least 1", self.external_units)
        ok = not self.local or self.head == "linear"
        require(ok, "model.head", "linear with model.local", self.head)
        require(self.members >= 1, "model.members", "at least 1", self.members)
        levels = self.quantiles
        ok = all(0 < level < 1 for level in levels) and list(levels) == sorted(set(levels))
        require(ok, "model.quantiles", "levels between 0 and 1, ascending", list(levels))


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """Training in the paper's two phases: on `train` with early stopping on `eval`, then on both.

    The defaults skip the first phase: the number of epochs comes from validation parts (`docs/results.md`).

    Attributes:
      epochs: maximum number of epochs of the first phase, on `train`, with early stopping on `eval`.
      patience: epochs without a better RMSE on `eval` after which the first phase stops; null never stops early.
      final_epochs: number of epochs of the second phase, on train + eval, from the best weights of the first.
      batch_size: number of windows per step.
      learning_rate: Adam's learning rate in the first phase.
      final_learning_rate: learning rate of the second phase; null keeps the first phase's optimizer and constant
        rate.
      cell_decay: weight decay of what the per-cell linear component has for single cells, which are drawn to what
        all cells share; in each step a weight loses this share times the learning rate.
      schedule: learning rate over a phase: `constant`, or `cosine` decay to zero.
      steps_per_epoch: maximum number of steps per epoch; null uses all windows.
      precision: `float32`, `mixed_bfloat16`, or `auto`, which depends on the device. The exported model is always
        float32.
      deterministic: whether to use deterministic operations: the same weights bit for bit, but slower. On a GPU
        that is for the same card and libraries.
    """

    epochs: int = 0
    patience: Optional[int] = 5
    final_epochs: int = 18
    batch_size: int = 16
    learning_rate: float = 5e-3
    final_learning_rate: Optional[float] = 5e-3
    cell_decay: float = 0.5
    schedule: Literal["constant", "cosine"] = "cosine"
    steps_per_epoch: Optional[int] = None
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    deterministic: bool = False

    def __post_init__(self):
        require(self.epochs >= 0, "training.epochs", "0 or more", self.epochs)
        require(self.final_epochs >= 0, "training.final_epochs", "0 or more", self.final_epochs)
        total = self.epochs + self.final_epochs
        require(total >= 1, "training", "at least one epoch in epochs or final_epochs", total)
        require(self.batch_size >= 1, "training.batch_size", "at least 1", self.batch_size)
        require(self.learning_rate > 0, "training.learning_rate", "above 0", self.learning_rate)
        require(self.cell_decay >= 0, "training.cell_decay", "0 or more", self.cell_decay)
        zero_rate = (
            self.schedule == "cosine" and self.final_epochs and self.final_learning_rate is None
        )
        expected = "a rate, as a cosine schedule ends the first phase at zero"
        require(not zero_rate, "training.final_learning_rate", expected, None)
        for name in ("patience", "final_learning_rate", "steps_per_epoch"):
            value = getattr(self, name)
            require(value is None or value > 0, f"training.{name}", "above 0, or null", value)


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """When a model is approved: by `rmse_active_cells` and `mae_active_cells` on the test windows.

    Attributes:
      naive_margin: the model's RMSE must be below (1 - margin) times that of the best naive forecast.
      naive_mae: whether the model's MAE must also be below that of the naive forecast with the smallest.
      pushed_tolerance: the model's RMSE must be at most (1 + tolerance) times that of the pushed model it is
        compared with.
      compared_models: with the best of how many pushed models it is compared, the last ones that can forecast
        the test windows; of several, because with the last one alone many small losses add up.
      refit: whether an approved model is trained once more before it is pushed, with the same settings on all
        windows, the test days included. The approved one stays beside it, and is what later runs compare with.
      infra_validator: where TFX's InfraValidator starts TensorFlow Serving, which must load the model and answer a
        few windows: in a container on this machine (`docker`), in the cluster of the run (`kubernetes`), or
        nowhere (`off`).
      push_unblessed: push the model whatever the comparisons say, to try out serving on too little data. The run's
        summary and report say so.
      push_older: push a model also over one that was trained on newer data, which a run as of an earlier day
        makes.
      live_slack: how far above its promise, the RMSE on its test windows, a pushed model's RMSE on the days since
        may be before a run says that it does worse than promised: (1 + slack) times. Where these days are harder
        for the naive forecasts, too, the promise grows as their best one's error does.
      live_tolerance: the model's RMSE must be at most (1 + tolerance) times that of the last pushed model, as it
        serves, on the days since its push that neither has seen; null only reports both. A refitted model has
        learnt newer days than the candidate, so leave room.
      quantile_rate: how fast the quantiles of a refitted model follow the live record: each day moves the level at
        which one is read off by this share of what the day's flows below it fell short of it, at most half-way to
        0 or 1. 0 leaves the levels alone.
    """

    naive_margin: float = 0.0
    naive_mae: bool = True
    pushed_tolerance: float = 0.02
    compared_models: int = 5
    refit: bool = True
    infra_validator: Literal["off", "docker", "kubernetes"] = "off"
    push_unblessed: bool = False
    push_older: bool = False
    live_slack: float = 0.25
    live_tolerance: Optional[float] = None
    quantile_rate: float = 0.1

    def __post_init__(self):
        ok = 0 <= self.naive_margin < 1
        require(ok, "evaluation.naive_margin", "within 0..1", self.naive_margin)
        ok = self.pushed_tolerance >= 0
        require(ok, "evaluation.pushed_tolerance", "0 or more", self.pushed_tolerance)
        count = self.compared_models
        require(count >= 1, "evaluation.compared_models", "at least 1", count)
        for name in ("live_slack", "live_tolerance"):
            value = getattr(self, name)
            require(value is None or value >= 0, f"evaluation.{name}", "0 or more", value)
        ok = 0 <= self.quantile_rate <= 1
        require(ok, "evaluation.quantile_rate", "within 0..1", self.quantile_rate)


@dataclasses.dataclass(frozen=True)
class PathsConfig:
    """Where a run reads and writes.

    Attributes:
      root: folder for everything that a run writes; null means `runs/<preset>`.
      data: input files and folders, local or at `s3://` or `gs://`. If empty, presets that have a simulated city
        use it.
      serving: folder to which versions are pushed, local or at `s3://` or `gs://`; null means `serving/crowdflow`
        under the root.
    """

    root: Optional[str] = None
    data: tuple[str, ...] = ()
    serving: Optional[str] = None

    def __post_init__(self):
        ok = "://" not in (self.root or "")
        require(ok, "paths.root", "a folder on this machine", self.root)
        ok = "://" not in (self.serving or "") or is_address(self.serving)
        require(ok, "paths.serving", "a folder on this machine, or s3:// or gs://", self.serving)
        require_no_user("paths.serving", self.serving)
        for path in self.data:
            require_no_user("paths.data", path)
