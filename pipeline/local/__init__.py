"""The pipeline on this machine, under one root folder."""
