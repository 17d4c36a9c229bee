"""Speed and memory of tinygrad_mlp beside its peers: same weights, data, machine and run.

    python -m benchmarks quick      less than three minutes, prints its tables
    python -m benchmarks all        everything; writes docs/performance.md

One measurement is one record (`results.Row`): a suite, a case, a contender and one value per
round. Tables, targets and pictures all read those records; nothing measures twice.

    threads      how many threads this process may use; set before NumPy is imported
    workloads    the networks that are trained, their data and starting weights
    reference    the losses and weights that every contender must reproduce before it is timed
    contenders/  one file per contender: a hand-written step, a peer, ours
    timing       segments, rounds, interleaving
    training, overhead, memory, startup, extras        what is measured
    isolation    measurements that need a process of their own
    results, targets, report, pictures                 what is made of it

This package knows the public interface of tinygrad_mlp and of its peers. tinygrad_mlp does not know
it, no test asserts a time, and a figure that misses its target is printed as a miss.
"""
