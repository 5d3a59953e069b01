"""`python -m crowdflow.pipeline.cli`."""

from crowdflow.pipeline.cli import main

main()
