"""The whole system on one machine: embedded AWS, emulators and services as processes.

For the demo, the system tests and the benchmarks; nothing of it is deployed.
"""
