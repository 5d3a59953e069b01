import numpy as np
import pytest
import tensorflow as tf

from crowdflow.components.tf_examples import decode_frames, encode_columns, encode_frames
from crowdflow.flows.frames import FrameBlock
from crowdflow.schema.errors import DataError
from crowdflow.schema.features import Covariate

COVARIATES = (
    Covariate("holiday", True),
    Covariate("temperature", False),
    Covariate("weather_values", False, (2,)),
)


def some_frames():
    return FrameBlock(
        np.array([60, 0, 120]),
        np.random.default_rng(0).random((3, 4, 5, 2), np.float32),
        {
            "holiday": np.array([0, 1, 0]),
            "temperature": np.array([1.5, -2, 3], np.float32),
            "weather_values": np.array([[1, 2], [3, 4], [5, 6]], np.float32),
        },
    )


def test_frames_are_tf_examples_flattened_row_by_row():
    block = some_frames()
    feature = tf.train.Example.FromString(encode_frames(block)[1]).features.feature
    assert feature["interval_start"].int64_list.value[:] == [0]
    assert feature["holiday"].int64_list.value[:] == [1]
    assert feature["temperature"].float_list.value[:] == [-2]
    assert feature["weather_values"].float_list.value[:] == [3, 4]
    outflow = feature["outflow"].float_list.value
    assert len(outflow) == 20
    assert outflow[3 * 5 + 2] == block.maps[1, 3, 2, 1]


def test_decode_inverts_encode():
    block = some_frames()
    found = decode_frames(encode_frames(block), 4, 5, COVARIATES)
    np.testing.assert_array_equal(found.starts, block.starts)
    np.testing.assert_array_equal(found.maps, block.maps)
    assert found.starts.dtype == np.int64 and found.maps.dtype == np.float32
    for name, values in block.covariates.items():
        np.testing.assert_array_equal(found.covariates[name], values)
        assert found.covariates[name].dtype == values.dtype
    empty = decode_frames([], 4, 5, [])
    assert empty.maps.shape == (0, 4, 5, 2)
    assert encode_frames(empty) == []


def test_equal_frames_give_equal_bytes_however_they_are_blocked():
    block = some_frames()
    one_by_one = [
        encode_frames(
            FrameBlock(
                block.starts[i : i + 1],
                block.maps[i : i + 1],
                {name: values[i : i + 1] for name, values in block.covariates.items()},
            )
        )[0]
        for i in range(3)
    ]
    assert encode_frames(block) == one_by_one


def test_decode_says_what_does_not_fit():
    serialized = encode_frames(some_frames())
    with pytest.raises(DataError, match=r"'inflow': expected 16 values .*received \[20\]"):
        decode_frames(serialized, 4, 4, [])
    with pytest.raises(DataError, match="'weather': expected 1 values in each of 3 frames"):
        decode_frames(serialized, 4, 5, [Covariate("weather", True)])
    bare = FrameBlock(np.array([0]), np.zeros((1, 4, 5, 2), np.float32))
    with pytest.raises(DataError, match="'holiday'.*1 frames without it"):
        decode_frames(serialized + encode_frames(bare), 4, 5, COVARIATES[:1])


def test_the_bytes_are_protobuf_s_own():
    columns = {
        "many": np.arange(200, dtype=np.int64).reshape(2, 100) ** 9,  # up to all ten bytes
        "negative": np.array([[-1, 127], [-(2**63), 128]]),
        "short": np.array([3, 2**31 - 1], np.int32),
        "map": np.array([[[1.5, np.nan]], [[-0.0, np.inf]]]),
        "flag": np.array([True, False]),
        "nothing": np.zeros((2, 0), np.float32),
        "none": np.zeros((2, 0), np.int64),
    }
    expected = []
    for row in range(2):
        example = tf.train.Example()
        for name, values in columns.items():
            feature = example.features.feature[name]
            integer = values.dtype.kind == "i"
            numbers = feature.int64_list if integer else feature.float_list
            numbers.SetInParent()
            numbers.value.extend(values[row].reshape(-1).tolist())
        expected.append(example.SerializeToString(deterministic=True))
    assert encode_columns(columns) == expected
