"""Reads input files of any form as flow frames, and writes flow frames as tables."""
