"""Flow records: HDF5 files and tables that hold flows."""
