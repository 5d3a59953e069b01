"""The names of what LastPushedModel reads and writes."""

TEST_SPLIT = "test"

# Properties of the baseline artifact.
VERSION, NAIVE, PASSED_OVER = "pushed_version", "naive", "passed_over"
