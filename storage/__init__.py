"""Local files and object stores behind one set of functions, and the version folders of pushed models."""
