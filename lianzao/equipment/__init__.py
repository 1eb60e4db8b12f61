"""Machines as they stand and run: states, stops with their reasons, and when they are expected back.

Nouns: StopReason, MachineState (a slice of a machine's time; slices of one machine never overlap).
Each change is news: planning takes stopped machines out of its hours (`down_windows`), analytics computes OEE from the
slices. Lower neighbours: plant (machines, work centers).
"""
