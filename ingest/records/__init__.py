"""Flow records: HDF5 files and tables of flows."""
