"""The planner as a pure function: columns in, columns out; no database, no clock, no files.

`columns` is the door (Problem, Plan); `solver.solve`, `replanning.replan`, `promising.promise` are the verbs;
`pegging` walks a plan; `packing` turns a problem into bytes and back; `validator` checks a plan without trusting
the solver. Neighbours: `planning.snapshot` fills the columns, nobody below is called but `values`.
"""
