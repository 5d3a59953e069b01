"""The names of what LastPushedModel reads, and of what it tells later nodes."""

TEST_SPLIT = "test"

# Properties of the baseline artifact.
# The version to beat, or the naive forecast in its place, and JSON of the versions that were passed over.
VERSION, NAIVE, PASSED_OVER = "pushed_version", "naive", "passed_over"
# The last interval of the test windows, wall-clock minutes; and why the live record holds the candidate back.
DATA_UNTIL, LIVE_FAULT = "data_until", "live_fault"
