"""Describes anomalies by field, value and bound."""

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

_WRONG_SHAPE = anomalies_pb2.AnomalyInfo.INVALID_FEATURE_SHAPE


def spell_out(
    anomalies: anomalies_pb2.Anomalies,
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    schema: schema_pb2.Schema,
) -> list[str]:
    """One line per anomaly, with field, value and bound.

    Such as `inflow: Out-of-range values: Unexpectedly high value: 5000>2000. Allowed 0 to 2000; found 0 to 5000.`

    Args:
      anomalies: what ExampleValidator found in a split.
      statistics: that split's statistics.
      schema: the schema they broke.

    Returns:
      Sorted lines; empty if there is no anomaly.
    """
    contract = {feature.name: feature for feature in schema.feature}
    ranges = {}
    for dataset in statistics.datasets:
        for feature in dataset.features:
            if feature.HasField("num_stats"):
                stats = feature.num_stats
                name = feature.name or ".".join(feature.path.step)
                ranges[name] = f"found {stats.min:g} to {stats.max:g}"
    lines = []
    for name, info in anomalies.anomaly_info.items():
        wrong_shape = any(r.type == _WRONG_SHAPE for r in info.reason)
        expected = _shape if wrong_shape else _allowed
        bound = expected(contract[name]) if name in contract else ""
        context = "; ".join(part for part in (bound, ranges.get(name)) if part)
        for reason in info.reason or [info]:
            text = f"{name}: {reason.short_description}: {reason.description.rstrip('.')}."
            lines.append(f"{text} {context[:1].upper()}{context[1:]}." if context else text)
    if anomalies.HasField("dataset_anomaly_info"):
        lines.append(f"the data set: {anomalies.dataset_anomaly_info.description}")
    if anomalies.data_missing:
        lines.append("the data set: no frames at all.")
    return sorted(lines)


def _shape(feature: schema_pb2.Feature) -> str:
    sizes = " x ".join(str(dim.size) for dim in feature.shape.dim)
    return f"expected shape {sizes}" if sizes else "expected one value"


def _allowed(feature: schema_pb2.Feature) -> str:
    if feature.HasField("float_domain"):
        return f"allowed {feature.float_domain.min:g} to {feature.float_domain.max:g}"
    if feature.HasField("int_domain"):
        return f"allowed {feature.int_domain.min} to {feature.int_domain.max}"
    return ""
