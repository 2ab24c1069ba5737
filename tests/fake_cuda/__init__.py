"""A CUDA device for machines without one: `device.cpp` says how it works.

`plugin` starts the tests marked ``cuda`` in a process that has it, `device` is its
Python side there.
"""
