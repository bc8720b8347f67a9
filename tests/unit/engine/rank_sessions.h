#pragma once

#include <functional>
#include <string>
#include <vector>

#include "distributed/group.h"
#include "engine/session.h"
#include "support/support.h"

namespace hone::test {

/// Runs `act` as every rank of a group: each is a thread that joins as a process would. One rank
/// alone is this thread.
void as_ranks(int world, const std::function<void(distributed::Group& group)>& act);

/// A session of the tiny model of tests/data/train, all weights of which are trained.
/// @param output the run's folder
/// @param overrides as on the command line
engine::Session open_tiny_session(const TempFolder& folder, const std::string& name,
                                  const std::vector<std::string>& overrides = {});

/// Makes the session one of a rank that keeps a part of each trained tensor and of its moments.
/// @param shares of the ranks, in whole blocks of kernels::kStepBlock; empty: one rank keeps all of
///        a tensor, in turns
void keep_part(engine::Session& session, int rank, int world, const std::vector<int>& shares);

}  // namespace hone::test
