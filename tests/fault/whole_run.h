#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "support/tiny_run.h"

// What the tests of whole runs that are ended in the middle have in common.

namespace hone::test {

/// The trained weights, as their file's bytes.
std::string adapter_of(const TinyRun& run);

/// The losses of metrics.jsonl. Fails the test where there is not one line for each step, in order.
std::vector<double> losses_of(const TinyRun& run);

/// Lines of metrics.jsonl so far.
std::size_t lines_of(const TinyRun& run);

/// `hone train … --resume auto`
std::vector<std::string> resume(const TinyRun& run, std::vector<std::string> options);

/// The steps of the run's checkpoints. Fails the test where one of them, whatever way the run
/// ended, is not whole and valid.
std::set<std::int64_t> valid_checkpoints(const TinyRun& run);

/// Fails the test where the run's folder holds anything half made.
void expect_no_leftovers_in(const TinyRun& run);

}  // namespace hone::test
