print("lockstep-bench")
