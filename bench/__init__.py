"""Benches: one file per path of the data, on generated data of three sizes with a fixed seed."""
